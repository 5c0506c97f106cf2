"""What long commands say without a terminal."""

import pytest

from service.cli.model.stages import Stages


def test_without_a_terminal_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(every=3600.0) as stages:
        for step in range(1, 101):
            stages.show("training", step, 100, "loss 0.5", unit=32)
        stages.show("calibrating", 1, 50)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "training: 1 of 100",
        "training: 100 of 100",
        "calibrating: 1 of 50",
    ]
    assert "loss 0.5" in lines[0]
    assert "rows/s" in lines[1]


def test_a_line_each_time_that_its_time_has_come(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(every=0.0) as stages:
        for step in (1, 2, 3):
            stages.show("head", step, 60)
    assert len(capsys.readouterr().err.splitlines()) == 3
