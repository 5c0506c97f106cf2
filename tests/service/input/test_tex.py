"""TeX in BibTeX becomes the text that it stands for."""

import pytest

from service.input.forms.tex import plain_text


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"Schr{\"o}dinger, Schr\"odinger, Schr{\"{o}}dinger", "Schrödinger, Schrödinger, Schrödinger"),
        (r"Erd\H{o}s, \v{C}ech, Fran\c cois, na\"\i ve, {\AA}ngstr{\"o}m", "Erdős, Čech, François, naïve, Ångström"),
        (r"\'{\i}ndice \'\i ndice", "índice índice"),
        (r"Stra{\ss}e, \O{}rsted, \L{}ukasiewicz, \ae sthetic", "Straße, Ørsted, Łukasiewicz, æsthetic"),
        (r"5\% of R\&D \#1 a\_b", "5% of R&D #1 a_b"),
        ("5% of R&D", "5% of R&D"),
        (r"\textit{in vivo} and {\em not} \emph{in vitro}", "in vivo and not in vitro"),
        ("{SciBERT} of {{B}oltzmann}", "SciBERT of Boltzmann"),
        ("A--B, ``so'' ... x---y", "A–B, “so” ... x—y"),
        (r"$\alpha_{s} < 3$, $$\frac{1}{2}$$, \(x_{1}\), \$5", r"$\alpha_{s} < 3$, $$\frac{1}{2}$$, \(x_{1}\), $5"),
        (r"an \unknown{thing}", r"an \unknownthing"),
        ("Nothing in it", "Nothing in it"),
    ],
)  # fmt: skip
def test_plain_text(tex: str, text: str) -> None:
    assert plain_text(tex).replace("\u00a0", " ") == text
