"""What stands before papers and is none: covers, a thesis' first pages, slides; and papers without an abstract."""

import random

from bench.papers.document import Put
from bench.papers.layouts import NAMED, UNNAMED, Layout, Pages, first_section, head_of
from bench.papers.typeset import Sheet, body, prose, title

_COVERS = (
    (
        "See discussions, stats, and author profiles for this publication at: https://www.example.net/publication/1",
        "Article in Journal of Examples, March 1994",
        "2 authors, including: Ada Lovelace, University of Nowhere, 17 publications, 170 citations",
        "All content following this page was uploaded by Ada Lovelace on 02 October 2014.",
        "The user has requested enhancement of the downloaded file.",
    ),
    (
        "Source: Journal of Examples, Vol. 1, No. 1 (Apr., 1986), pp. 13-22",
        "Stable URL: http://www.example.org/stable/1",
        "JSTOR is a not-for-profit service that helps scholars, researchers, and students discover, "
        "use, and build upon "
        "a wide range of content in a trusted digital archive. We use information technology and tools to increase "
        "productivity and facilitate new forms of scholarship.",
        "Your use of the JSTOR archive indicates your acceptance of the Terms and Conditions of Use.",
    ),
    (
        "This article was downloaded by: [University of Nowhere] On: 17 May 2012, At: 03:14",
        "To cite this article: Ada Lovelace (1986): On water, Journal of Examples, 1:1, 13-22",
        "Full terms and conditions of use: http://www.example.com/page/terms-and-conditions",
        "The publisher does not give any warranty express or implied or make any representation that the contents will "
        "be complete or accurate or up to date. The publisher shall not be liable for any loss.",
    ),
    (
        "HAL is a multi-disciplinary open access archive for the deposit and dissemination of scientific research "
        "documents, whether they are published or not. The documents may come from teaching and research institutions.",
        "L'archive ouverte pluridisciplinaire HAL, est destin\u00e9e au d\u00e9p\u00f4t et \u00e0 la "
        "diffusion de documents "
        "scientifiques de niveau recherche, publi\u00e9s ou non, \u00e9manant des \u00e9tablissements d'enseignement.",
    ),
    (
        "This is a repository copy of a paper on water and health.",
        "General rights. Copyright and moral rights for the publications made accessible in the public portal are "
        "retained by the authors. Users may download and print one copy for the purpose of private study.",
        "Take down policy. If you believe that this document breaches copyright please contact us providing details.",
    ),
)
_PROSE_OF_THEIRS = {
    "fr": (
        ("R\u00e9sum\u00e9", "RESUME"),
        "Nous proposons une m\u00e9thode pour r\u00e9sumer les fichiers de requ\u00eates et pour les "
        "interroger. Le cadre est "
        "compos\u00e9 d'une alg\u00e8bre simple et d'une mesure de la qualit\u00e9 du r\u00e9sum\u00e9 "
        "qui est obtenu. Des tests ont "
        "montr\u00e9 l'int\u00e9r\u00eat de notre approche pour les utilisateurs et pour la recherche "
        "dans les grandes bases.",
    ),
    "es": (
        ("Resumen", "RESUMEN"),
        "La memoria asociativa es un modelo inspirado en la cognici\u00f3n humana que combina el "
        "reconocimiento con una "
        "arquitectura eficiente. Este trabajo ampl\u00eda los estudios anteriores en dos direcciones y "
        "muestra resultados "
        "prometedores en la clasificaci\u00f3n de las im\u00e1genes que se obtienen con los nuevos sensores.",
    ),
    "de": (
        ("Zusammenfassung", "Kurzfassung"),
        "Die Arbeit untersucht, wie sich der Anteil der Pflanzen in einem See \u00fcber die Jahre "
        "ver\u00e4ndert und welche "
        "Rolle das Wetter dabei spielt. Es wird gezeigt, dass die Messungen mit einem einfachen Modell "
        "erkl\u00e4rt werden "
        "k\u00f6nnen, das nur wenige Parameter hat und f\u00fcr andere Seen verwendet werden kann.",
    ),
    "it": (
        ("Riassunto", "RIASSUNTO"),
        "In questo lavoro si studia la crescita delle piante in un lago e il ruolo che il clima ha in "
        "questo processo. I "
        "risultati sono confrontati con un modello semplice, e mostrano che la quantit\u00e0 di luce "
        "\u00e8 pi\u00f9 importante della "
        "temperatura per tutte le specie che sono state osservate nel corso degli anni.",
    ),
    "pt": (
        ("Resumo", "RESUMO"),
        "Este trabalho apresenta um estudo da qualidade da \u00e1gua em uma cidade do norte e das suas "
        "causas. Os dados foram "
        "obtidos durante dois anos e mostram que a chuva n\u00e3o \u00e9 a causa mais importante das "
        "mudan\u00e7as que foram "
        "observadas, o que est\u00e1 de acordo com os modelos mais simples.",
    ),
}


def behind_a_cover(rng: random.Random) -> tuple[Pages, str | None]:
    """Any paper behind an archive's sheet."""
    pages, abstract = rng.choice((*NAMED, *UNNAMED))(rng)
    return [_cover(rng), *pages], abstract


def _cover(rng: random.Random) -> list[Put]:
    sheet = Sheet()
    sheet.par(title(rng), size=14, bold=True)
    sheet.put("Author(s): Ada Lovelace and Charles Babbage", 72, 11, gap=6)
    for text in rng.choice(_COVERS):
        sheet.par(text, size=9, gap=14)
    return sheet.puts


def thesis(rng: random.Random) -> tuple[Pages, str | None]:
    """A title page, declarations, thanks, contents; the abstract somewhere among them."""
    text = prose(rng, rng.randint(5, 12))
    front = [
        _title_page(rng),
        _front(rng, "Declaration", "This thesis is my own work and has not been submitted before."),
    ]
    thanks = "I would like to thank my supervisor and my family for their help. " + prose(rng, rng.randint(1, 12))
    front.append(_front(rng, rng.choice(("Acknowledgements", "Acknowledgments")), thanks))
    if rng.random() < 0.5:
        front.append(_contents())
    front.insert(rng.randint(1, len(front)), _front(rng, rng.choice(("Abstract", "ABSTRACT", "Summary")), text))
    return [*front, first_section(rng, Sheet(), "Chapter 1: Introduction")], text


def _title_page(rng: random.Random) -> list[Put]:
    sheet = Sheet(y=160)
    sheet.par(title(rng), size=22, bold=True)
    sheet.par(
        "A thesis submitted in partial fulfilment of the requirements for the degree of Doctor of Philosophy", gap=40
    )
    sheet.put("University of Nowhere, 2012", 72, 12, gap=30)
    return sheet.puts


def _front(rng: random.Random, heading: str, text: str) -> list[Put]:
    sheet = Sheet()
    sheet.put(heading, rng.choice((72, 240)), 16, bold=True)
    sheet.par(text, size=11, gap=16)
    return sheet.puts


def _contents() -> list[Put]:
    sheet = Sheet()
    sheet.put("Contents", 72, 16, bold=True)
    for i, name in enumerate(("Abstract", "Introduction", "Methods", "Results", "Summary", "Conclusions")):
        sheet.put(f"{i} {name} " + ". " * 40 + str(7 * i), 72, 10, gap=4)
    return sheet.puts


def in_another_language(rng: random.Random) -> tuple[Pages, str | None]:
    """A paper in one of the other languages; sometimes with an English abstract, which is preferred, below."""
    headings, text = rng.choice(tuple(_PROSE_OF_THEIRS.values()))
    sheet, english = head_of(rng), prose(rng, 5)
    sheet.put(rng.choice(headings), 72, 11, bold=True, gap=14)
    sheet.par(text)
    both = rng.random() < 0.5
    if both:
        sheet.put("Abstract", 72, 11, bold=True, gap=14)
        sheet.par(english)
    sheet.put("1. Introduction", 72, 12, bold=True, gap=14)
    sheet.par(text)
    return [sheet.puts], english if both else text


def slides(rng: random.Random) -> tuple[Pages, None]:
    first = Sheet(y=200)
    first.par(title(rng), size=24, bold=True)
    first.put("Ada Lovelace", 72, 14, gap=20)
    first.par(
        "Disclaimer: the views expressed here are those of the author and do not represent those of others.",
        size=8,
        gap=40,
    )
    pages = [first.puts]
    for heading in ("Outline", "Summary", "Thank you"):
        sheet = Sheet()
        sheet.put(heading, 72, 28, bold=True)
        for _ in range(4):
            sheet.par("\u2022 " + prose(rng, 1), size=18, gap=12)
        pages.append(sheet.puts)
    return pages, None


def without_abstract(rng: random.Random) -> tuple[Pages, None]:
    """A letter or an essay, whose text begins at once, a figure's caption above it or below."""
    sheet = head_of(rng, place=rng.random() < 0.5)
    caption = "Figure 1: " + prose(rng, 2)
    if rng.random() < 0.5:
        sheet.par(caption, size=8, gap=80)
    if rng.random() < 0.4:
        return [first_section(rng, sheet)], None
    sheet.par(body(rng, 9), gap=20)
    sheet.par(body(rng, 9), gap=0)
    return [sheet.puts, first_section(rng, Sheet(), "2. Methods")], None


def thesis_without_abstract(rng: random.Random) -> tuple[Pages, None]:
    thanks = "I would like to thank my supervisor and my family for their help. " + prose(rng, rng.randint(1, 9))
    pages = [_title_page(rng), _front(rng, "Acknowledgements", thanks), _contents()]
    return [*pages, first_section(rng, Sheet(), "Chapter 1: Introduction")], None


def cover_alone(rng: random.Random) -> tuple[Pages, None]:
    """A sheet before an essay without an abstract."""
    sheet = Sheet()
    sheet.put(title(rng), 72, 12, bold=True)
    sheet.par(body(rng, 20), gap=20)
    return [_cover(rng), sheet.puts], None


def erratum(rng: random.Random) -> tuple[Pages, None]:
    sheet = Sheet()
    sheet.put(rng.choice(("Erratum", "Corrigendum", "Correction")), 72, 14, bold=True)
    sheet.par(title(rng), size=16, bold=True)
    sheet.put("Ada Lovelace, University of Nowhere, 12345 Nowhere", 72, 9)
    sheet.par(
        f"In the original version of this article, which was published last year, a line was lost. {prose(rng, 2)}",
        gap=14,
    )
    return [sheet.puts], None


def magazine(rng: random.Random) -> tuple[Pages, None]:
    """An article without an abstract: a bold line or two below the title, the text in columns."""
    sheet = head_of(rng, 22, place=False)
    if rng.random() < 0.6:
        sheet.par(prose(rng, rng.randint(1, 2)), 72, 460, rng.choice((11, 13)), bold=rng.random() < 0.5, gap=12)
    sheet.par(prose(rng, rng.randint(3, 6)), rng.choice((72, 90)), rng.choice((225, 400)), 10, gap=16)
    sheet.y += 10
    sheet.columns(prose(rng, 30))
    return [sheet.puts], None


def lecture(rng: random.Random) -> tuple[Pages, None]:
    """Notes for students: a first paragraph, then sections, lists and exercises."""
    sheet = head_of(rng, 16, place=rng.random() < 0.5)
    sheet.put("Spring 2011", 72, 10, gap=6)
    sheet.par(
        prose(rng, rng.randint(2, 6)), rng.choice((72, 100)), rng.choice((400, 460)), rng.choice((10, 11)), gap=14
    )
    if rng.random() < 0.5:
        for i in range(3):
            sheet.par(f"{i + 1}. {prose(rng, 1)}", 90, 420, 10, gap=8)
    return [first_section(rng, sheet, rng.choice(("1 Models", "Exercise 1", "Overview of the course", "2 Data")))], None


def letter_to_the_editor(rng: random.Random) -> tuple[Pages, None]:
    """A reply or a note: text from the title on, references below it."""
    sheet = head_of(rng, 13, place=rng.random() < 0.6)
    sheet.par(f"To the Editor: {body(rng, 5)}" if rng.random() < 0.5 else prose(rng, 6), 72, 300, 9, gap=14)
    sheet.par(prose(rng, 5), 72, 300, 9, gap=rng.choice((0, 8)))
    sheet.put("REFERENCES", 72, 9, gap=12)
    sheet.par("1. Lovelace A. On water. J Ex 1986;73:13-22. 2. Babbage C. On health. J Ex 1987;74:1-9.", 72, 300, 8)
    return [sheet.puts], None


BEHIND: tuple[Layout, ...] = (behind_a_cover, thesis, in_another_language)
NONE: tuple[Layout, ...] = (
    *(slides, without_abstract, thesis_without_abstract, cover_alone, erratum),
    *(magazine, lecture, letter_to_the_editor),
)
