"""Faults that no single value shows: formats that need a library, and settings that are wrong together."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from config.environment import PREFIX
from config.settings import Settings

BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def check_together(values: Mapping[str, Any]) -> list[str]:
    """One sentence for each fault in `values` (by field name; what could not be read is absent)."""
    return [*_formats(values), *_sharing(values), *_installed(values)]


def _installed(values: Mapping[str, Any]) -> Iterable[str]:
    """What is set and needs a package that is not there."""
    if values.get("jobs_broker_url") and find_spec("celery") is None:
        install = "pip install --require-hashes -r requirements/worker.txt"
        yield f"{PREFIX}JOBS_BROKER_URL needs Celery, which is not installed: {install}"


def _formats(values: Mapping[str, Any]) -> Iterable[str]:
    if (level := values.get("log_level")) not in LOG_LEVELS:
        yield f"{PREFIX}LOG_LEVEL={level!r}: give one of {', '.join(LOG_LEVELS)}."
    for name in ("limit_ip", "limit_key", "limit_inference"):
        limit = values.get(name)
        if limit is not None and limit != getattr(Settings, name) and not is_limit(limit):
            yield f'{PREFIX}{name.upper()}={limit!r}: give limits like "100 per minute" or "10/second;5000/hour".'
    yield from _address("tfserving_url", values, ("http", "https"))
    yield from _address("jobs_broker_url", values, BROKER_SCHEMES)


def _address(name: str, values: Mapping[str, Any], schemes: tuple[str, ...]) -> Iterable[str]:
    url = values.get(name)
    if url and (urlsplit(url).scheme not in schemes or not urlsplit(url).netloc):
        yield f"{PREFIX}{name.upper()}: give an address that starts with {' or '.join(s + '://' for s in schemes)}."


def is_limit(text: str) -> bool:
    """True for flask-limiter's notation: one limit or several, split by `;`, `,` or `|`."""
    from limits import parse_many  # costs 0.1 s, which a command without such a setting need not pay

    try:
        return bool(parse_many(text)) and all(item.amount > 0 for item in parse_many(text))
    except ValueError:
        return False


def _sharing(values: Mapping[str, Any]) -> Iterable[str]:
    if values.get("workers", 1) > 1 and values.get("store_url", "").startswith("memory://"):
        yield (
            f"{PREFIX}WORKERS={values['workers']} with a store in memory: each process would have its own keys, "
            f"results and limits. Set {PREFIX}WORKERS=1, or a sqlite:/// or couchbase:// {PREFIX}STORE_URL."
        )
    if values.get("jobs_broker_url") and values.get("store_url", "").startswith("memory://"):
        yield (
            f"{PREFIX}JOBS_BROKER_URL with a store in memory: the Celery workers could not see the jobs. "
            f"Remove it, or set a sqlite:/// or couchbase:// {PREFIX}STORE_URL."
        )
    threads, queue = values.get("server_threads"), values.get("queue_size")
    if threads is not None and queue is not None and threads <= queue:
        yield (
            f"{PREFIX}SERVER_THREADS={threads} is not more than {PREFIX}QUEUE_SIZE={queue}: waiting model runs would "
            f"hold up stored answers. Set {PREFIX}SERVER_THREADS to at least {queue + 1}, or lower {PREFIX}QUEUE_SIZE."
        )
