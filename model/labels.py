"""What labels are called, where they are described, and which belong together."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from model.errors import DataError

MAX_NAME: Final = 200
"""Characters of a name."""
_ARXIV: Final = Path(__file__).parent / "arxiv.json"
_MEMBERS: Final = ("name", "url", "group")

About = Mapping[str, Mapping[str, str]]
"""`name` and perhaps `url` of labels, and of groups that are no labels themselves."""
Groups = Mapping[str, str]
"""The group that a label belongs to."""


@cache
def arxiv_names() -> Mapping[str, str]:
    """Names of arXiv's archives and categories (https://arxiv.org/category_taxonomy), aliases left out."""
    names: dict[str, str] = json.loads(_ARXIV.read_text("utf-8"))
    return names


def arxiv_groups(labels: Iterable[str]) -> Groups:
    """The archive of each category; nothing for other labels, nor for archives alone.

    `hep-th` is an archive and its only category: among categories (`cs.LG`) it is one, too.
    """
    own = tuple(labels)
    if not all(label in arxiv_names() for label in own) or not any("." in label for label in own):
        return {}
    return {label: label.partition(".")[0] for label in own}


def arxiv_about(labels: Iterable[str]) -> About:
    """What arXiv calls these labels and their archives; nothing unless all are arXiv's."""
    own, names = tuple(labels), arxiv_names()
    if not all(label in names for label in own):
        return {}
    named = dict.fromkeys((*own, *arxiv_groups(own).values()))
    return {label: {"name": names[label], "url": f"https://arxiv.org/list/{label}/recent"} for label in named}


def read_names(path: Path) -> tuple[About, Groups]:
    """What a JSON file says of labels: `{"a": "Name of a", "b": {"name": …, "url": …, "group": "a"}}`.

    DataError if it says it otherwise.
    """
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
        items = {label: {"name": item} if isinstance(item, str) else dict(item) for label, item in said.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise DataError(f"{path}: not a JSON object of names by label: {exc}") from exc
    if unknown := {member for item in items.values() for member in item if member not in _MEMBERS}:
        raise DataError(f"{path}: {', '.join(sorted(unknown))}: of a label may be said {', '.join(_MEMBERS)}")
    about = {label: {name: item[name] for name in ("name", "url") if name in item} for label, item in items.items()}
    return {k: v for k, v in about.items() if v}, {k: item["group"] for k, item in items.items() if "group" in item}


def described(labels: Iterable[str], about: About, groups: Groups) -> dict[str, dict[str, str]]:
    """All that is said of each label, and of each group that is none: `name`, `url`, `group`."""
    said = {label: dict(about.get(label, {})) for label in (*labels, *about)}
    for label, group in groups.items():
        said[label]["group"] = group
    return {label: item for label, item in said.items() if item}


def label_faults(labels: Iterable[str], about: Any, groups: Any) -> Iterator[str]:
    """What is wrong with what a manifest says of its labels."""
    own = set(labels)
    if not (isinstance(groups, Mapping) and own.issuperset(groups) and all(map(_is_text, groups.values()))):
        yield "groups does not say of labels which group they belong to"
        return
    if not isinstance(about, Mapping) or not own.union(groups.values()).issuperset(about):
        yield "about is not about labels and their groups"
    elif not all(isinstance(item, Mapping) and _is_fit(item) for item in about.values()):
        yield f"about has something else than a name of 1 to {MAX_NAME} characters and a url with http(s)"


def _is_fit(item: Mapping[str, Any]) -> bool:
    url = item.get("url", "https://")
    return set(item) <= {"name", "url"} and _is_text(item.get("name")) and _is_text(url) and _is_address(url)


def _is_address(url: str) -> bool:
    """The page makes a link of it."""
    return url.startswith(("https://", "http://"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()
