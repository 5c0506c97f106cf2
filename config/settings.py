"""Every setting, with its default and meaning."""
# ruff: noqa: RUF009  (_setting is dataclasses.field with metadata: it makes no value that instances would share)

from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "ABSTRACTS_"
MASK = "********"


def _setting(
    parser: str, default: Any, doc: str, *, low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """A field that `parser`, a method of environs.Env, reads; durations are bounded in seconds."""
    return field(default=default, metadata={"parser": parser, "doc": doc, "low": low, "high": high, "secret": secret})


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@dataclass(frozen=True, repr=False)
class Settings:
    """Checked settings. Durations are `timedelta`; what is optional and not given is None or empty.

    In the environment a duration is a number of seconds or like `250ms`, `10s`, `5m`, `7d`.
    """

    host: str = _setting("str", "127.0.0.1", "Address to listen on.")
    port: int = _setting("int", 8000, "Port to listen on.", low=1, high=65535)
    workers: int = _setting("int", 1, "Server processes.", low=1, high=256)
    server_threads: int = _setting(
        "int", 48, "Threads of each process; more than QUEUE_SIZE, so that stored answers never wait.", low=1, high=1024
    )
    trusted_proxies: int = _setting("int", 0, "Proxies in front whose X-Forwarded-For is believed.", low=0, high=16)
    log_level: str = _setting("str", "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL.")

    data_dir: Path = _setting("path", Path("var"), "Folder of the SQLite file, job files and pulled models.")
    store_url: str = _setting(
        "str", "", "sqlite:///FILE, couchbase[s]://HOSTS/BUCKET[/SCOPE] or memory://; empty: a SQLite file in DATA_DIR."
    )
    store_username: str = _setting("str", "", "Couchbase user.")
    store_password: str = _setting("str", "", "Couchbase password.", secret=True)
    store_ca: Path | None = _setting("path", None, "PEM file of the CA that signed the store's certificate.")
    store_timeout: timedelta = _setting(
        "timedelta", _seconds(0.25), "Longest wait for one store operation.", low=0.001, high=60
    )
    store_connect_timeout: timedelta = _setting(
        "timedelta", _seconds(2), "Longest wait for the store to accept a connection.", low=0.001, high=60
    )
    store_abstracts: bool = _setting("bool", False, "Keep each abstract beside its prediction.")
    result_ttl: timedelta | None = _setting(
        "timedelta", None, "Age at which a stored prediction expires; empty: never.", low=1
    )
    l1_size: int = _setting("int", 4096, "Predictions kept in memory by each process; 0: none.", low=0)
    l1_ttl: timedelta = _setting(
        "timedelta",
        _seconds(30),
        "Age at which one in memory is read again from the store, so that a purge is seen.",
        low=0,
    )

    model_dir: Path | None = _setting("path", None, "Folder of further models; empty: models in DATA_DIR.")
    default_model: str = _setting("str", "arxiv-mini", "Model of /api/predict/.")
    threads: int = _setting("int", 0, "Threads of one model run; 0: one a core.", low=0, high=256)
    queue_size: int = _setting("int", 32, "Model runs that may wait; one more is refused with 503.", low=1, high=1023)
    queue_deadline: timedelta = _setting("timedelta", _seconds(5), "Longest wait in that queue.", low=0.001, high=600)
    model_memory_limit: int = _setting("int", 0, "MiB of models loaded at once; 0: no limit.", low=0)
    tfserving_url: str = _setting("str", "", "TensorFlow Serving's REST address; empty: models run in process.")

    limit_ip: str = _setting("str", "12000 per minute", "Requests of one IP address, bad keys included.")
    limit_key: str = _setting("str", "6000 per minute", "Requests of one API key.")
    limit_inference: str = _setting("str", "3000 per minute", "Model runs of one API key; stored answers are free.")
    key_cache_ttl: timedelta = _setting(
        "timedelta", _seconds(60), "How long a checked key is trusted without asking the store.", low=0, high=86400
    )
    key_outage_ttl: timedelta = _setting(
        "timedelta", timedelta(days=1), "How long a checked key stays good while the store does not answer.", low=0
    )

    batch_max: int = _setting("int", 64, "Abstracts in one batch request.", low=1, high=1000)
    job_max: int = _setting("int", 10_000, "Abstracts in one job.", low=1, high=1_000_000)
    job_ttl: timedelta = _setting("timedelta", timedelta(days=7), "Age at which a job is forgotten.", low=1)
    jobs_broker_url: str = _setting(
        "str", "", "redis:// or amqp:// broker of the Celery workers; empty: jobs run in process.", secret=True
    )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.public().items())
        return f"Settings({shown})"

    def public(self) -> dict[str, str]:
        """Every setting by variable name as text, secrets masked; empty where there is no value."""
        return {
            PREFIX + item.name.upper(): _text(item.metadata["secret"], getattr(self, item.name))
            for item in fields(self)
        }


def masked(value: str) -> str:
    """A value that is a secret, for display: empty stays empty, of a URL scheme and host are kept."""
    if not value or "://" not in value:
        return MASK if value else ""
    parts = urlsplit(value)
    return f"{parts.scheme}://{MASK}@{parts.netloc.rpartition('@')[2]}{parts.path}"


def _text(secret: bool, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    return masked(str(value)) if secret else str(value)
