"""The process that reads a PDF: what it refuses, its limits, how many there are."""

import contextlib
import os
import sys
import threading
from pathlib import Path

import pytest

from bench.papers.document import Put, make_pdf
from service.pdf.errors import (
    NotAPdf,
    PdfBusy,
    PdfDamaged,
    PdfEncrypted,
    PdfError,
    PdfReaderFailed,
    PdfTooDemanding,
    PdfTooLarge,
    PdfWithoutAbstract,
    PdfWithoutText,
)
from service.pdf.extract import MAX_BYTES, Extractor, interpreter
from tests.service.pdf.papers import SENTENCES, column, head
from tests.service.waiting import until

PAPER = make_pdf([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 90, 180)])
GENEROUS = 60.0
"""Seconds, where time is not what is tested."""


def test_an_abstract_with_what_is_known_about_it() -> None:
    found = Extractor(seconds=GENEROUS).extract(PAPER)
    assert found.members() == {
        "abstract": " ".join(SENTENCES),
        "extraction": {"method": "heading", "confidence": found.confidence, "page": 1},
    }
    assert 0.8 < found.confidence <= 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAPdf),
        (b"Just some text.", NotAPdf),
        (b"\x00" * 2000 + PAPER, NotAPdf),
        (b"%PDF-1.7\nnothing", PdfDamaged),
        (PAPER[: len(PAPER) // 2], PdfDamaged),
        (make_pdf(head(), encrypt=True), PdfEncrypted),
        (make_pdf([]), PdfWithoutText),
        (make_pdf(head()), PdfWithoutAbstract),
        (b"%PDF-" + bytes(MAX_BYTES), PdfTooLarge),
    ],
    ids=["empty", "text", "late-header", "stub", "half", "encrypted", "no-text", "no-abstract", "large"],
)
def test_each_fault_has_its_own_error(data: bytes, error: type[PdfError]) -> None:
    with pytest.raises(PdfError) as caught:
        Extractor(seconds=GENEROUS).extract(data)
    assert type(caught.value) is error


def shell(script: str) -> tuple[str, ...]:
    """A process that starts as a worker does, and then goes its own way."""
    return "/bin/sh", "-c", f"echo started; {script}"


def test_a_process_that_hangs_is_killed_and_leaves_no_zombie(tmp_path: Path) -> None:
    extractor = Extractor(seconds=0.5, command=shell(f"echo $$ > {tmp_path}/pid; exec sleep 600"))
    with pytest.raises(PdfTooDemanding, match="time"):
        extractor.extract(PAPER)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_process_that_does_not_read_is_killed_too() -> None:
    with pytest.raises(PdfTooDemanding):
        Extractor(seconds=0.5, command=shell("exec sleep 600")).extract(PAPER + bytes(1 << 20))


@pytest.mark.parametrize(
    "command",
    [("/nonexistent",), ("/bin/sh", "-c", "exit 1"), ("/bin/sh", "-c", "kill -KILL $$"), ("/bin/sleep", "600")],
    ids=["missing", "ended", "killed", "silent"],
)
def test_a_process_that_does_not_start_is_not_the_files_fault(
    command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: dict[str, float] = {}
    with pytest.raises(PdfReaderFailed):
        Extractor(seconds=0.5, command=command, count=outcomes.__setitem__).extract(PAPER)
    assert list(outcomes) == ["internal-error"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_program_that_embeds_python_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/local/bin/uwsgi")
    assert interpreter().startswith(sys.prefix)
    assert Extractor(seconds=GENEROUS).extract(PAPER).page == 1


def test_each_file_is_counted_by_what_became_of_it() -> None:
    outcomes: dict[str, float] = {}
    extractor = Extractor(seconds=GENEROUS, count=outcomes.__setitem__)
    for data in (PAPER, b"text"):
        with contextlib.suppress(NotAPdf):
            extractor.extract(data)
    with contextlib.suppress(PdfBusy):
        Extractor(processes=0, waiting=0, count=outcomes.__setitem__).extract(PAPER)
    assert list(outcomes) == ["read", "not-a-pdf", "pdf-busy"]
    assert outcomes["read"] > outcomes["pdf-busy"] == 0


def test_the_process_gives_way_to_requests() -> None:
    command = python(
        "import os, json; worker.examine = lambda data: {'fault': 'memory'} if os.nice(0) > 0 else {}\nworker.main()"
    )
    with pytest.raises(PdfTooDemanding, match="more memory than"):
        Extractor(seconds=GENEROUS, command=command).extract(PAPER)


def python(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", f"import service.pdf.worker as worker\n{script}"


def test_memory_is_bounded() -> None:
    command = python("worker.examine = lambda data: bytearray(2 * worker.MEMORY)\nworker.main()")
    with pytest.raises(PdfTooDemanding, match="more memory than"):
        Extractor(seconds=GENEROUS, command=command).extract(PAPER)


def test_without_the_bound_there_would_be_memory_enough() -> None:
    command = python("bytearray(2 * worker.MEMORY)\nworker.main()")
    assert Extractor(seconds=GENEROUS, command=command).extract(PAPER).page == 1


def test_a_process_that_dies_is_no_internal_error() -> None:
    with pytest.raises(PdfTooDemanding):
        Extractor(seconds=GENEROUS, command=shell("kill -SEGV $$")).extract(PAPER)


def test_a_process_that_talks_nonsense_is_no_internal_error() -> None:
    with pytest.raises(PdfTooDemanding):
        Extractor(seconds=GENEROUS, command=shell("cat >/dev/null; echo nonsense")).extract(PAPER)


def test_the_process_sees_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSTRACTS_STORE_PASSWORD", "secret")
    command = shell(f'export > {tmp_path}/seen; cat >/dev/null; echo \'{{"fault": "no-text"}}\'')
    with pytest.raises(PdfWithoutText):
        Extractor(seconds=GENEROUS, command=command).extract(PAPER)
    assert "secret" not in (tmp_path / "seen").read_text()


def test_the_process_loads_little() -> None:
    command = python(
        "import sys, json; worker.examine(sys.stdin.buffer.read()); print('started')\n"
        "loaded = {'flask', 'numpy', 'marshmallow', 'storage', 'model.artifact'} & set(sys.modules)\n"
        "print(json.dumps({'text': ' '.join(loaded), 'method': 'layout', 'confidence': 1, 'page': 1}))"
    )
    assert Extractor(seconds=GENEROUS, command=command).extract(PAPER).text == ""


def test_a_hundred_requests_start_few_processes(tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    started.mkdir()
    wait = f"touch {started}/$$; cat >/dev/null; while [ ! -e {go} ]; do sleep 0.05; done"
    command = shell(f'{wait}; echo \'{{"fault": "no-text"}}\'')
    extractor = Extractor(processes=2, waiting=3, seconds=GENEROUS, command=command)
    answers: list[str] = []

    def ask() -> None:
        try:
            extractor.extract(PAPER)
        except (PdfError, PdfBusy) as exc:
            answers.append(type(exc).__name__)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 95 and len(list(started.iterdir())) == 2)
    go.touch()
    for thread in threads:
        thread.join(GENEROUS)
    assert sorted(answers) == ["PdfBusy"] * 95 + ["PdfWithoutText"] * 5
    assert len(list(started.iterdir())) == 5
