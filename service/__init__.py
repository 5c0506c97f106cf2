"""HTTP API, web page and commands: the only package that knows Flask and the other three."""

__version__ = "0.1.0"
