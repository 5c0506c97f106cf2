"""Faults that a test orders: each rule applies to the next `count` matching requests, or for ever."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = ("delay", "drop", "disconnect", "cut", "split", "status", "wrong_cas", "refuse")


@dataclass(slots=True)
class Fault:
    """One rule.

    delay       the answer is sent `seconds` late (the operation is done at once)
    drop        the operation is done, no answer is ever sent
    disconnect  the operation is done, the connection is closed instead of an answer
    cut         half the answer is sent, then the connection is closed
    split       half the answer is sent, the rest `seconds` later
    status      answered with `status`, the operation is not done
    wrong_cas   the answer carries a CAS that is not the document's
    refuse      a new connection is closed at once
    """

    kind: str
    opcode: int | None = None
    node: int | None = None
    seconds: float = 0.0
    status: int = 0
    count: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}: one of {', '.join(KINDS)}")


class Faults:
    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, rule: dict[str, Any]) -> None:
        self._rules.append(Fault(**rule))

    def clear(self) -> None:
        self._rules.clear()

    def for_request(self, opcode: int, node: int) -> Fault | None:
        return self._take(lambda rule: rule.kind != "refuse" and rule.opcode in (None, opcode), node)

    def for_connection(self, node: int) -> Fault | None:
        return self._take(lambda rule: rule.kind == "refuse", node)

    def _take(self, applies: Callable[[Fault], bool], node: int) -> Fault | None:
        for rule in self._rules:
            if applies(rule) and rule.node in (None, node):
                if rule.count is not None:
                    rule.count -= 1
                    if rule.count <= 0:
                        self._rules.remove(rule)
                return rule
        return None
