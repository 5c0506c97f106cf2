"""The file .env: one `NAME=value` a line, in the part of the format that systemd's EnvironmentFile reads alike.

Nothing is expanded and no escape is known, so a password means what it says. A line that other readers of such files
would take otherwise (a comment behind a value, a backslash, `export`) is a fault that names its line, not a guess.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config.errors import SettingsError, UnreadableLine

MAX_BYTES: Final = 1 << 20
QUOTES: Final = ("'", '"')

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def read_env_file(file: Path, faults: list[str]) -> dict[str, str]:
    """The variables in a file; adds to `faults` a sentence for each line that is not understood, with its number."""
    variables: dict[str, str] = {}
    for number, line in enumerate(_lines(file, faults), 1):
        try:
            variables.update(_variable(line))
        except UnreadableLine as exc:
            faults.append(f"{file}, line {number}: {exc}")
    return variables


def set_in_env_file(file: Path, name: str, value: str) -> None:
    """Gives a variable its value in a file, which is made if need be; all other lines stay. Raises SettingsError.

    The file is replaced as a whole, so that a reader never sees half of it.
    """
    faults: list[str] = []
    lines = list(_lines(file, faults)) if file.exists() else []
    if faults:
        raise SettingsError(faults)
    new = f"{name}={value}"
    changed = [new if line.partition("=")[0].strip() == name else line for line in lines]
    part = file.with_name(f"{file.name}.part")
    part.write_text("\n".join(changed if new in changed else [*changed, new]) + "\n", "utf-8")
    if file.exists():
        part.chmod(file.stat().st_mode & 0o777)
    part.replace(file)


def _lines(file: Path, faults: list[str]) -> list[str]:
    try:
        content = file.read_bytes()[:MAX_BYTES]
    except OSError as exc:
        faults.append(f"{file} cannot be read: {exc.strerror}.")
        return []
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        faults.append(f"{file} is UTF-16 or no text at all: save it as UTF-8.")
        return []
    try:
        return re.split("\r?\n", content.decode("utf-8-sig").removesuffix("\n"))
    except UnicodeDecodeError as exc:
        number = content.count(b"\n", 0, exc.start) + 1
        faults.append(f"{file}, line {number}: this is not UTF-8 (perhaps Latin-1): save the file as UTF-8.")
        return []


def _variable(line: str) -> Iterator[tuple[str, str]]:
    """The variable of a line; none of a blank line or a comment. UnreadableLine if it is neither."""
    if not line.strip() or line.lstrip().startswith("#"):
        return
    name, separator, value = line.partition("=")
    name = name.strip()
    if not separator or not _NAME.fullmatch(name):
        raise UnreadableLine(_remedy(line.strip(), name))
    yield name, _value(name, value.strip())


def _remedy(line: str, name: str) -> str:
    """What is wrong with a line that does not begin with a name and an equals sign."""
    if line.startswith(";"):
        return "a comment begins with #."
    if name.startswith("export "):
        return f"leave `export` out: {name.removeprefix('export ').strip()}=…"
    if (word := _WORD.match(line)) is None:
        return "write NAME=value, or # before a comment."
    if "=" not in line:
        return f"there is no equals sign: write {word[0].rstrip('.-').replace('-', '_').upper()}=…"
    return f"{name!r} is not a name: names have letters, digits and underscores, such as ABSTRACTS_PORT."


def _value(name: str, value: str) -> str:
    if any(ord(character) < 32 and character != "\t" for character in value):
        raise UnreadableLine(f"there is a control character in the value of {name}: remove it.")
    if value.startswith(QUOTES):
        return _quoted(name, value)
    if "\\" in value:
        raise UnreadableLine(f"there is a backslash in {name}: put the value in single quotes, {name}='…'")
    if re.search(r"\s#", value):
        raise UnreadableLine(f"a comment needs a line of its own; or, if # belongs to the value, {name}='…'")
    return value


def _quoted(name: str, value: str) -> str:
    quote, inner = value[0], value[1:-1]
    if len(value) < 2 or value[-1] != quote or quote in inner:
        raise UnreadableLine(
            f"the quotes around the value of {name} do not match: it ends on the same line with the quote that it "
            "begins with, nothing follows, and that quote is not within."
        )
    if quote == '"' and "\\" in inner:
        raise UnreadableLine(f"there is a backslash in {name}: put the value in single quotes, {name}='…'")
    return inner
