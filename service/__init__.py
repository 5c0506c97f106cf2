"""HTTP API, web page and commands: the only package that knows Flask and the other three."""
