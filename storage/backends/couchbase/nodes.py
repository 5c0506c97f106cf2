"""Breakers of a cluster's nodes, reads and writes apart, so that a node that is gone costs only what it holds.

Which node holds a document only the SDK knows. But its errors tell: a failed operation says where it was sent, or it
was not sent at all, and then the node that is not connected is meant. So the node of a partition (a 1024th of the keys)
is known from its first failure on; while all is well nothing needs to be known.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeVar

from couchbase.exceptions import CouchbaseException  # type: ignore[import-untyped]
from couchbase.options import (  # type: ignore[import-untyped]
    AppendOptions,
    GetOptions,
    RemoveOptions,
    UpsertOptions,
)

from storage.backends.couchbase.errors import is_late, is_outage, misnamed, translate
from storage.base import Kind
from storage.breaker import Breaker
from storage.deadline import bounded
from storage.errors import Unavailable

T = TypeVar("T")

PARTITIONS: Final = 1024
ALL: Final = ""
"""Instead of a node: all of them."""


class Ticket(NamedTuple):
    """Permission for one operation."""

    kind: Kind
    partition: int
    whole_probe: bool
    node: Breaker | None
    probe: bool
    hurried: bool


class Nodes:
    """`pause`: see Breaker."""

    connected: Callable[[], dict[str, bool]] = dict
    """Each node of the cluster, and whether it is connected; the present connection says how to find out."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._where: dict[int, str] = {}
        self._silent: dict[Kind, set[str]] = {"reads": set(), "writes": set()}
        self._breakers: dict[tuple[Kind, str], Breaker] = {
            ("reads", ALL): Breaker("reads", pause=pause),
            ("writes", ALL): Breaker("writes", pause=pause),
        }

    def run(self, kind: Kind, name: str, operation: Callable[..., T], *arguments: Any, hurried: bool = False) -> T:
        """operation(name, *arguments) on the document of this name. Unavailable when it is not even tried."""
        ticket = self.admit(kind, name, hurried=hurried)
        try:
            result = operation(name, *arguments)
        except CouchbaseException as exc:
            self.ended(ticket, exc)
            if misnamed(exc):
                raise translate(exc) from exc
            raise
        self.ended(ticket, None)
        return result

    def admit(self, kind: Kind, name: str, *, hurried: bool = False) -> Ticket:
        """Permission to ask for the document of this name, which is to be given back by ended(); else Unavailable.

        `hurried`: with less time than is usual, so that to be late is no failure.
        """
        whole_probe = self._breakers[kind, ALL].admit()
        partition = partition_of(name)
        node = self._breakers.get((kind, self._where.get(partition, "?"))) if self._where else None
        probe = whole_probe if node is None or whole_probe else node.admit()
        return Ticket(kind, partition, whole_probe, node, probe, hurried)

    def ended(self, ticket: Ticket, exc: CouchbaseException | None) -> None:
        """Say how it ended: None for success."""
        if exc is not None and is_outage(exc):
            if not (ticket.hurried and is_late(exc)):
                self._failed(ticket, exc)
            return
        self._silent[ticket.kind].clear()
        self._breakers[ticket.kind, ALL].answered(ticket.whole_probe)
        if ticket.node is not None:
            ticket.node.answered(ticket.probe)

    def errors(self, kind: Kind) -> int:
        """How many operations have failed."""
        return sum(breaker.errors for (of, _), breaker in list(self._breakers.items()) if of == kind)

    def out(self) -> dict[tuple[Kind, str], Breaker]:
        """The open breakers, by kind and node."""
        return {key: breaker for key, breaker in list(self._breakers.items()) if breaker.open}

    def a_name_on(self, node: str) -> str | None:
        """The name of a document, of ours and never written, which that node would hold; None if it is not known."""
        wanted = {partition for partition, known in list(self._where.items()) if known == node}
        names = (f"$probe/{number}" for number in range(16 * PARTITIONS))
        return next((name for name in names if partition_of(name) in wanted), None) if wanted else None

    def _failed(self, ticket: Ticket, exc: CouchbaseException) -> None:
        error = translate(exc)
        connected = self.connected()
        node = _sent_to(exc) or ",".join(sorted(name for name, is_there in connected.items() if not is_there))
        silent = self._silent[ticket.kind]
        silent.add(node or "?")
        if not node or silent >= connected.keys():
            self._breakers[ticket.kind, ALL].failed(error)
            return
        self._where[ticket.partition] = node
        if (ticket.kind, node) not in self._breakers:
            breaker = Breaker(f"{ticket.kind} of {node}", pause=self._pause)
            self._breakers.setdefault((ticket.kind, node), breaker)
        self._breakers[ticket.kind, node].failed(error)


def partition_of(name: str) -> int:
    """As every client of Couchbase works it out."""
    return (zlib.crc32(name.encode()) >> 16 & 0x7FFF) % PARTITIONS


def _sent_to(exc: CouchbaseException) -> str | None:
    node: str | None = getattr(exc.error_context, "last_dispatched_to", None)
    return node


class Collection:
    """The SDK's operations on one collection, behind the breakers. Its exceptions pass; refusals are Unavailable.

    `timeout`: of an operation, in seconds; it has less where a deadline says so.
    """

    def __init__(self, sdk: Any, nodes: Nodes, timeout: float) -> None:
        self.sdk = sdk
        self._binary = sdk.binary()
        self._nodes = nodes
        self._timeout = timeout

    def get(self, name: str, options: Any = None) -> Any:
        """The SDK's."""
        return self._run("reads", name, self.sdk.get, options or GetOptions())

    def get_multi(self, names: list[str], options: Any) -> tuple[dict[str, Any], dict[str, Exception]]:
        """The SDK's results and exceptions, by name; the options must ask for exceptions to be returned."""
        tickets: dict[str, Ticket] = {}
        exceptions: dict[str, Exception] = {}
        with self._in_time(options) as hurried:
            for name in names:
                try:
                    tickets[name] = self._nodes.admit("reads", name, hurried=hurried)
                except Unavailable as exc:
                    exceptions[name] = exc
            answer = self.sdk.get_multi(list(tickets), options) if tickets else None
        results = {} if answer is None else answer.results
        exceptions |= {} if answer is None else answer.exceptions
        for name, ticket in tickets.items():
            error = exceptions.get(name)
            self._nodes.ended(ticket, error if isinstance(error, CouchbaseException) else None)
        return results, exceptions

    def upsert(self, name: str, document: bytes, options: Any = None) -> Any:
        """The SDK's."""
        return self._run("writes", name, self.sdk.upsert, document, options or UpsertOptions())

    def insert(self, name: str, document: bytes, options: Any) -> Any:
        """The SDK's."""
        return self._run("writes", name, self.sdk.insert, document, options)

    def replace(self, name: str, document: bytes, options: Any) -> Any:
        """The SDK's."""
        return self._run("writes", name, self.sdk.replace, document, options)

    def remove(self, name: str, options: Any = None) -> Any:
        """The SDK's."""
        return self._run("writes", name, self.sdk.remove, options or RemoveOptions())

    def increment(self, name: str, options: Any) -> Any:
        """The SDK's, of its binary collection."""
        return self._run("writes", name, self._binary.increment, options)

    def append(self, name: str, line: bytes) -> Any:
        """The SDK's, of its binary collection."""
        return self._run("writes", name, self._binary.append, line, AppendOptions())

    def _run(self, kind: Kind, name: str, operation: Callable[..., T], *arguments: Any) -> T:
        """The last of the arguments are the operation's options."""
        with self._in_time(arguments[-1]) as hurried:
            return self._nodes.run(kind, name, operation, *arguments, hurried=hurried)

    @contextmanager
    def _in_time(self, options: Any) -> Iterator[bool]:
        """Around an operation: whether its options give it less time than is usual."""
        with bounded(self._timeout) as seconds:
            hurried = seconds < self._timeout
            if hurried:
                options["timeout"] = timedelta(seconds=seconds)
            yield hurried
