import pytest

from model.text import normalise
from model.text.markup import resolve_markup

MATH = '<mml:math display="inline">\n <mml:msup><mml:mi>q</mml:mi> <mml:mn>2</mml:mn></mml:msup></mml:math>'
TEX = r"<jats:tex-math>\documentclass{minimal}\begin{document}$$q^2$$\end{document}</jats:tex-math>"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("H<sub>2</sub>O and x<SUP>2</SUP>", "H2O and x2"),
        ('<p class="abstract">One.</p><br/>Two.', "One. Two."),
        ("before<!-- a remark -->after", "before after"),
        ("<![CDATA[<p>One.</p>]]>", "One."),
        ('<?xml version="1.0"?><jats:p>One.</jats:p>', "One."),
        ("<script>alert(1)</script>One.", "One."),
        ("<jats:italic>in vivo</jats:italic>", "in vivo"),
        ('<AbstractText Label="AIM" NlmCategory="OBJECTIVE">One.</AbstractText>', "One."),
        ("<i>both</i> and <b>ends</b>", "both and ends"),
        ("<p>One.<p>Two.", "One. Two."),
        ('a<a href="x.html">link</a>', "alink"),
        (f"for {MATH}, large", "for q2, large"),
        ("<math><mi>a</mi><mo>&lt;</mo><mi>b</mi></math>", "a<b"),
        ("<math><mi>q</mi><annotation encoding='x'>\\q</annotation></math>", "q"),
        (f"<jats:alternatives>{TEX}{MATH}</jats:alternatives>", "q2"),
        (f"<jats:alternatives>{TEX}</jats:alternatives>", "$$q^2$$"),
        ("x &lt; y &amp; z", "x < y & z"),
        ("x &amp;lt; y &amp;amp; z", "x < y & z"),
        ("&lt;p&gt;One.&lt;/p&gt;", "One."),
        ("&amp;lt;p&amp;gt;One.&amp;lt;/p&amp;gt;", "One."),
        ("self&#x2010;similar &#945; &alpha;", "self-similar α α"),
    ],
)
def test_what_is_markup_is_resolved(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("a < b and c > d", "a<b and c>d", "p < 0.05", "the mean <x> of p<a", "$i<b>j$", "the mean <p> and <Q>_c"),
        *("a <- b -> c", "x<y", "R&D, AT&T and Q&A; and more", "&unknown; stays", "a tag <think> of a model", "<<b>b>"),
        *("if x<i and j>k=1", "<!-- without an end", "<m> of k"),
    ],
)
def test_what_is_not_markup_stays(text: str) -> None:
    assert resolve_markup(text) == text
