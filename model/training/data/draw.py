"""Draws rows toward a mix of their primary labels, weights them to one, and holds some out."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from model.arrays import Floats
from model.errors import DataError
from model.training.data.rows import Row


def read_mix(path: Path) -> dict[str, float]:
    """A JSON object {primary label: share}; DataError otherwise."""
    try:
        mix = {str(k): float(v) for k, v in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: not a JSON object of label: share: {exc}") from exc
    if not mix or min(mix.values()) < 0:
        raise DataError(f"{path}: shares must be 0 or more")
    return mix


def split_held_out(rows: Iterable[Row], share: float, floor: int) -> tuple[list[Row], list[Row]]:
    """Split into (training, held out) by a hash of the id, so that a row is on the same side in every run.

    `share` of each primary label is held out; of a rare one up to a quarter, to reach `floor` rows.
    """
    ordered = sorted(rows, key=lambda row: hashlib.blake2b(row.id.encode(), digest_size=8).digest())
    count = Counter(row.primary for row in ordered)
    quota = {p: max(int(share * n), min(floor, n // 4)) for p, n in count.items()}
    training: list[Row] = []
    held_out: list[Row] = []
    for row in ordered:
        side = held_out if quota[row.primary] > 0 else training
        quota[row.primary] -= 1
        side.append(row)
    return training, held_out


def draw(rows: Sequence[Row], size: int, mix: Mapping[str, float], floor: float, repeats: int, seed: int) -> list[Row]:
    """Draw about `size` rows whose primaries follow `mix`, none below the share `floor`; shuffled.

    A row is drawn at most `repeats` times, and twice only when its primary has too few; what rare primaries cannot
    fill goes to the others.
    """
    random = np.random.default_rng(seed)
    pools: dict[str, list[Row]] = {}
    for row in rows:
        pools.setdefault(row.primary, []).append(row)
    wanted = _quotas({p: len(pool) * repeats for p, pool in pools.items()}, size, mix, floor)
    drawn: list[Row] = []
    for primary, pool in sorted(pools.items()):
        copies = [pool[i] for _ in range(repeats) for i in random.permutation(len(pool))]
        drawn += copies[: wanted[primary]]
    return [drawn[i] for i in random.permutation(len(drawn))]


def _quotas(capacity: Mapping[str, int], size: int, mix: Mapping[str, float], floor: float) -> dict[str, int]:
    share = {p: max(mix.get(p, 0.0), floor) for p in capacity}
    quota: dict[str, int] = {}
    while open_ := sorted(p for p in capacity if p not in quota):
        rest, total = size - sum(quota.values()), sum(share[p] for p in open_)
        full = [p for p in open_ if rest * share[p] / total >= capacity[p]]
        if not full:
            return quota | {p: int(rest * share[p] / total) for p in open_}
        quota |= {p: capacity[p] for p in full}
    return quota


def mix_weights(rows: Sequence[Row], mix: Mapping[str, float]) -> Floats:
    """A weight a row [rows] so that the primaries weigh as in `mix`; the mean is 1."""
    count = Counter(row.primary for row in rows)
    weights = np.array([mix.get(row.primary, 0.0) / count[row.primary] for row in rows], np.float32)
    if not weights.any():
        raise DataError("no row has a primary label that the mix names")
    return weights / np.float32(weights.mean())


def shares(rows: Sequence[Row]) -> dict[str, float]:
    """The share of the rows that each primary label has."""
    return {primary: count / len(rows) for primary, count in Counter(row.primary for row in rows).items()}
