import pytest

from model.text.hyphens import join_lines


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("renormal-\nization", "renormalization"),
        ("renormal-\r\n  ization", "renormalization"),
        ("renormal\u2010\nization", "renormalization"),
        ("renormal\u00ad\nization", "renormalization"),
        ("renormal- ization", "renormalization"),
        ("super-\nconductingness", "superconductingness"),
        ("proton-\nproton", "proton-proton"),
        ("centre-of-\nmass", "centre-of-mass"),
        ("signal-\nto-noise", "signal-to-noise"),
        ("Navier-\nStokes", "Navier-Stokes"),
        ("COVID-\n19", "COVID-19"),
        ("GCP-\nsymmetric", "GCP-symmetric"),
        ("$x-\ny$", "$x-y$"),
        ("short-\nand long-range", "short- and long-range"),
        ("short- and long-range", "short- and long-range"),
        ("the two- or three-body", "the two- or three-body"),
        ("inter- and intra-specific", "inter- and intra-specific"),
        ("a line\nand another", "a line\nand another"),
        ("a - b", "a - b"),
    ],
)
def test_line_ends(raw: str, expected: str) -> None:
    assert join_lines(raw) == expected
