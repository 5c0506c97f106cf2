"""Threads that do what the event loop must not: a bounded number, with a bounded queue before them."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger("abstracts.front")

Task = Callable[[], None]


class Pool:
    """Up to `threads` daemon threads, started when first needed; up to `waiting` tasks more wait, in order."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name, self._threads, self._most = name, threads, threads + waiting
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._started = 0

    def submit(self, task: Task) -> bool:
        """Runs the task some time soon; False if too many wait. An exception in it is logged."""
        with self._lock:
            if self._open >= self._most:
                return False
            self._open += 1
            start = self._open > self._started < self._threads
            self._started += start
        self._tasks.put(task)
        if start:
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return True

    def close(self) -> None:
        """Ends the threads once they have nothing left to do; does not wait for them."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:
                log.exception("a task of the pool %s failed", self._name)
            del task
            with self._lock:
                self._open -= 1
