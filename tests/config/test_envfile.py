"""The file .env: what is read, and that what is not understood stops the start with its line and the remedy."""

import stat
from pathlib import Path

import pytest

from config import SettingsError, load_settings, set_in_env_file
from config.envfile import read_env_file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ABSTRACTS_ENV_FILE", str(tmp_path / ".env"))
    return tmp_path / ".env"


def faults(file: Path, content: str | bytes) -> tuple[str, ...]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.faults


def test_the_process_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("ABSTRACTS_PORT=9001\nABSTRACTS_HOST=0.0.0.0\n")
    monkeypatch.setenv("ABSTRACTS_PORT", "9002")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9002)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pa${x}ss", "pa${x}ss"),
        ("a$b`c`", "a$b`c`"),
        ("'pa\\ss $x'", "pa\\ss $x"),
        ('"two words"', "two words"),
        ("' a '", " a "),
        ("a  ", "a"),
        (" a", "a"),
        ("a=b", "a=b"),
        ("a#b", "a#b"),
        ("#a", "#a"),
        ("'a #b'", "a #b"),
        ('a"b', 'a"b'),
        ("'a\"b'", 'a"b'),
        ("äöü", "äöü"),
        ("a;b", "a;b"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_value_is_taken_as_it_stands(file: Path, written: str, meant: str, end: str) -> None:
    file.write_text(f"# a comment{end or chr(10)}{end}ABSTRACTS_STORE_PASSWORD={written}{end}", newline="")
    assert load_settings().store_password == meant


def test_blanks_around_the_equals_sign_and_a_mark_at_the_beginning_do_not_matter(file: Path) -> None:
    file.write_bytes("\ufeff  ABSTRACTS_PORT = 8001\n\n  # a comment\nABSTRACTS_PORT=8002".encode())
    assert load_settings().port == 8002


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("ABSTRACTS_PORT 8000", "write ABSTRACTS_PORT="),
        ("ABSTRACTS_PORT: 8000", "write ABSTRACTS_PORT="),
        ("abstracts-port", "write ABSTRACTS_PORT="),
        ("ABSTRACTS-PORT=8000", "'ABSTRACTS-PORT' is not a name"),
        ("export ABSTRACTS_PORT=8000", "leave `export` out: ABSTRACTS_PORT="),
        ("=8000", "write NAME=value"),
        ("; a comment", "begins with #"),
        ("ABSTRACTS_PORT=8000 # the port", "a line of its own"),
        ("ABSTRACTS_STORE_PASSWORD=hunt\\er2", "single quotes"),
        ('ABSTRACTS_STORE_PASSWORD="hunt\\er2"', "single quotes"),
        ("ABSTRACTS_STORE_PASSWORD='hunter2", "do not match"),
        ("ABSTRACTS_STORE_PASSWORD='hunt'er2'", "do not match"),
        ("ABSTRACTS_STORE_PASSWORD='hunter2' # mine", "do not match"),
        ("ABSTRACTS_STORE_PASSWORD='", "do not match"),
        ("ABSTRACTS_STORE_PASSWORD=hunt\x07er2", "control character"),
        ("what is this?", "no equals sign"),
        ("{}", "write NAME=value"),
    ],
)
def test_a_line_that_is_not_understood_is_named(file: Path, line: str, remedy: str) -> None:
    (fault,) = faults(file, f"# settings\n{line}\nABSTRACTS_HOST=::1\n")
    assert fault.startswith(f"{file}, line 2: ")
    assert remedy in fault
    assert "er2" not in fault


@pytest.mark.parametrize(
    "name", ["abstracts_port", "Abstracts_Port", "ABSTRACT_PORT", "ABSTRACTSPORT", "ABSTRACTS_PROT"]
)
def test_a_name_that_is_nearly_right_is_not_passed_over(file: Path, name: str) -> None:
    assert faults(file, f"{name}=8000") == (f"unknown setting {name}; did you mean ABSTRACTS_PORT?",)


def test_what_others_have_in_the_file_is_theirs(file: Path) -> None:
    file.write_text("PORT=1\nCOMPOSE_PROJECT_NAME=x\nABSTRACTS_PORT=8001\n")
    assert load_settings().port == 8001


def test_all_faults_come_at_once(file: Path) -> None:
    found = faults(file, "ABSTRACTS_PORT\nABSTRACTS_HOSST=a\nABSTRACTS_WORKERS=none\n: x\n")
    assert [fault.split(":")[0] for fault in found] == [
        f"{file}, line 1",
        f"{file}, line 4",
        "unknown setting ABSTRACTS_HOSST; did you mean ABSTRACTS_HOST?",
        "ABSTRACTS_WORKERS='none'",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# für uns\nABSTRACTS_STORE_PASSWORD=hünter2\n".encode("latin-1"), "line 1: this is not UTF-8"),
        ("ABSTRACTS_PORT=1\nABSTRACTS_STORE_PASSWORD=hünter2\n".encode("latin-1"), "line 2: this is not UTF-8"),
        ("ABSTRACTS_PORT=8000\n".encode("utf-16"), "save it as UTF-8"),
        ("ABSTRACTS_PORT=8000\n".encode("utf-16-be"), "save it as UTF-8"),
    ],
)
def test_another_encoding_is_one_fault(file: Path, content: bytes, said: str) -> None:
    (fault,) = faults(file, content)
    assert said in fault


def test_a_file_that_cannot_be_read_is_a_fault(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.env cannot be read: No such file"):
        load_settings()  # it was named, so that it should be there
    file.mkdir()
    with pytest.raises(SettingsError, match=r"\.env cannot be read: Is a directory"):
        load_settings()


def test_one_variable_is_set_and_the_rest_stays(file: Path) -> None:
    set_in_env_file(file, "ABSTRACTS_DEFAULT_MODEL", "a")
    assert file.read_text() == "ABSTRACTS_DEFAULT_MODEL=a\n"
    file.write_text("# mine\nABSTRACTS_DEFAULT_MODEL = a\n\nABSTRACTS_STORE_PASSWORD='x y'")
    file.chmod(0o600)
    set_in_env_file(file, "ABSTRACTS_DEFAULT_MODEL", "b")
    assert file.read_text() == "# mine\nABSTRACTS_DEFAULT_MODEL=b\n\nABSTRACTS_STORE_PASSWORD='x y'\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found: list[str] = []
    assert read_env_file(file, found)["ABSTRACTS_DEFAULT_MODEL"] == "b"
    assert found == []
