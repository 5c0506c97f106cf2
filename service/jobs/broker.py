"""Jobs through a broker: what the server sends and what Celery workers are given."""

from typing import Final

from celery import Celery  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError

from service.errors import BrokerUnavailable
from service.jobs.attendants import Dispatcher
from storage.records.jobs import Jobs

QUEUE: Final = "abstracts.jobs"
TASK: Final = "abstracts.chunk"
"""Takes a job's id and the number of one of its chunks."""

VISIBILITY: Final = 900
"""Seconds after which Redis delivers a message again that is not acknowledged: far longer than a chunk takes."""
BROKER_TIMEOUT: Final = 5


def make_celery(url: str) -> Celery:
    """A Celery app for the broker at `url`, not yet connected. Messages are acknowledged when their work is done."""
    app = Celery("abstracts", broker=url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_timeout=BROKER_TIMEOUT,
        broker_connection_retry_on_startup=True,
    )
    if url.startswith("redis"):
        timeouts = {"socket_connect_timeout": BROKER_TIMEOUT, "socket_timeout": 2 * BROKER_TIMEOUT}
        app.conf.broker_transport_options = {"visibility_timeout": VISIBILITY, **timeouts}
    return app


class BrokerDispatcher(Dispatcher):
    """A Dispatcher that sends through Celery."""

    def __init__(self, jobs: Jobs, url: str) -> None:
        self._celery = make_celery(url)
        super().__init__(jobs, self._send_task, self._queued_messages)

    def close(self) -> None:
        """Ends the thread and closes the connection."""
        super().close()
        self._celery.close()

    def _send_task(self, id: str, number: int) -> None:
        try:
            self._celery.send_task(TASK, (id, number), queue=QUEUE, retry=False)
        except OperationalError as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error

    def _queued_messages(self) -> int:
        with self._celery.connection_or_acquire() as connection:
            try:
                queue = self._celery.amqp.queues[QUEUE](connection.default_channel)
                return int(queue.queue_declare().message_count)
            except (OperationalError, *connection.connection_errors) as error:
                raise BrokerUnavailable(f"the broker does not answer: {error}") from error
