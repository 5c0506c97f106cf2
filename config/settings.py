"""Every setting, with its default and meaning."""
# ruff: noqa: RUF009  (_setting is dataclasses.field with metadata: it makes no value that instances would share)

from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from config.environment import PREFIX
from config.masking import masked
from config.values import Read, bounded, duration, origins, path, text, whole, yes_or_no

Shown = str | int | float | bool | None


def _setting(
    read: Read,
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    secret: bool = False,
    file: bool = False,
) -> Any:
    """A field with its reader. Durations are bounded in seconds; `file`: may be given as NAME_FILE, as secrets may."""
    metadata = {"read": bounded(read, low, high), "doc": doc, "secret": secret, "file": file or secret}
    return field(default=default, metadata=metadata)


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@dataclass(frozen=True, repr=False)
class Settings:
    """Checked settings. Durations are `timedelta`; what is optional and not given is None or empty.

    In the environment a duration is a number of seconds or like `250ms`, `10s`, `5m`, `7d`.
    """

    host: str = _setting(text, "127.0.0.1", "Address to listen on.")
    port: int = _setting(whole, 8000, "Port to listen on.", low=1, high=65535)
    workers: int = _setting(whole, 1, "Server processes.", low=1, high=256)
    server_threads: int = _setting(
        whole, 48, "Threads of each process; more than QUEUE_SIZE, so that stored answers never wait.", low=1, high=1024
    )
    trusted_proxies: int = _setting(
        whole, 0, "Proxies in front whose X-Forwarded-For and X-Forwarded-Prefix are believed.", low=0, high=16
    )
    cors_origins: tuple[str, ...] = _setting(
        origins, (), "Origins whose pages may read answers, like https://a.example; `*`: all; empty: none."
    )
    log_level: str = _setting(text, "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    log_probes: bool = _setting(
        yes_or_no, False, "Log each request of /livez, /readyz and /metrics, not only those that fail."
    )

    data_dir: Path = _setting(path, Path("var"), "Folder of the SQLite file and of pulled models.")
    store_url: str = _setting(
        text, "", "sqlite:///FILE, couchbase[s]://HOSTS/BUCKET[/SCOPE] or memory://; empty: a SQLite file in DATA_DIR."
    )
    store_username: str = _setting(text, "", "Couchbase user.", file=True)
    store_password: str = _setting(text, "", "Couchbase password.", secret=True)
    store_ca: Path | None = _setting(path, None, "PEM file of the CA that signed the store's certificate.")
    store_timeout: timedelta = _setting(
        duration,
        _seconds(0.25),
        "Longest wait for one store operation; a request waits twice as long for all of its own.",
        low=0.001,
        high=60,
    )
    store_connect_timeout: timedelta = _setting(
        duration, _seconds(2), "Longest wait for the store to accept a connection.", low=0.001, high=60
    )
    store_abstracts: bool = _setting(yes_or_no, False, "Keep each abstract beside its prediction.")
    result_ttl: timedelta | None = _setting(
        duration, None, "Age at which a stored prediction expires; empty: never.", low=1
    )
    l1_size: int = _setting(whole, 4096, "Predictions kept in memory by each process; 0: none.", low=0)
    l1_ttl: timedelta = _setting(
        duration,
        _seconds(30),
        "Age at which one in memory is read again from the store, so that a purge is seen.",
        low=0,
    )

    model_dir: Path | None = _setting(path, None, "Folder of further models; empty: models in DATA_DIR.")
    default_model: str = _setting(text, "arxiv-mini", "Model of /api/predict/.")
    threads: int = _setting(whole, 0, "Threads of one model run; 0: one a core.", low=0, high=256)
    queue_size: int = _setting(whole, 32, "Model runs that may wait; one more is refused with 503.", low=1, high=1023)
    queue_deadline: timedelta = _setting(duration, _seconds(5), "Longest wait in that queue.", low=0.001, high=600)
    model_memory_limit: int = _setting(whole, 0, "MiB of models loaded at once; 0: no limit.", low=0)
    tfserving_url: str = _setting(text, "", "TensorFlow Serving's REST address; empty: models run in process.")

    limit_ip: str = _setting(text, "12000 per minute", "Requests of one IP address, bad keys included.")
    limit_key: str = _setting(text, "6000 per minute", "Requests of one API key.")
    limit_inference: str = _setting(text, "3000 per minute", "Model runs of one API key; stored answers are free.")
    key_cache_ttl: timedelta = _setting(
        duration, _seconds(60), "How long a checked key is trusted without asking the store.", low=0, high=86400
    )
    key_outage_ttl: timedelta = _setting(
        duration, timedelta(days=1), "How long a checked key stays good while the store does not answer.", low=0
    )

    batch_max: int = _setting(whole, 64, "Abstracts in one batch request.", low=1, high=1000)
    job_max: int = _setting(whole, 10_000, "Abstracts in one job.", low=1, high=1_000_000)
    job_open_max: int = _setting(
        whole, 50, "Jobs of one key that may be open at a time; one more is refused with 429.", low=1, high=1000
    )
    job_ttl: timedelta = _setting(duration, timedelta(days=7), "Age at which a job is forgotten.", low=1)
    jobs_broker_url: str = _setting(
        text, "", "redis:// or amqp:// broker of the Celery workers; empty: jobs run in process.", secret=True
    )
    metrics_port: int = _setting(
        whole, 0, "Port on which Celery workers serve /metrics, on HOST; 0: none.", low=0, high=65535
    )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.public().items())
        return f"Settings({shown})"

    def public(self) -> dict[str, Shown]:
        """Every setting by variable name, secrets masked: durations in seconds, None where there is no value."""
        return {
            PREFIX + item.name.upper(): _shown(getattr(self, item.name), item.metadata["secret"])
            for item in fields(self)
        }


def _shown(value: Any, secret: bool) -> Shown:
    if isinstance(value, timedelta):
        return int(value.total_seconds()) if value.microseconds == 0 else value.total_seconds()
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, str | Path):
        return masked(str(value), secret)
    shown: int | bool | None = value
    return shown
