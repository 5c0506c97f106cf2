import pytest

from model.text import cut_edges

TEXT = "We measure the mass of the top quark."


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "Abstract: ",
            "Abstract. ",
            "Abstract—",
            "ABSTRACT ",
            "Abstract ",
            "abstract: ",
            "A b s t r a c t ",
            "Summary: ",
        ),
        *("Abstract\n", "SUMMARY\n\n", "[Abstract] ", "**Abstract** ", "## Abstract\n", "Abstract.— ", "Abstract - "),
        *(
            "Summary: ",
            "Abstract-",
            "Abstract (English): ",
            "Abstract/Summary: ",
            "Abstract and Figures\n",
            "\\begin{abstract} ",
        ),
        *("Extended abstract: ", "Abstract: Abstract: ", "Executive Summary: "),
    ],
)
def test_a_heading_is_cut(heading: str) -> None:
    assert cut_edges(heading + TEXT) == TEXT


@pytest.mark.parametrize(
    "line",
    [
        "© 2020 Elsevier B.V. All rights reserved.",
        "(c) Elsevier",
        "(C) 2012 Acta Materialia Inc. Published by Elsevier Ltd. All rights reserved.",
        "r 1998 Wiley-Liss, Inc.",
        "q 2009 Elsevier",
        "VC 2011 Wiley Periodicals, Inc.",
        "Copyright 2010 Wiley Periodicals, Inc. J Comput Chem 31: 100-110, 2010",
        "Copyright (c) 2013 IEEE",
        "2009 Elsevier Ltd. All rights reserved.",
        "Crown Copyright © 2010 Published by Elsevier Ltd.",
        "© 2007 Optical Society of America OCIS codes: 060.2310",
        "© The Author(s) 2020. Published by Oxford University Press on behalf of the Royal Astronomical Society.",
        "© 2022, The Author(s), under exclusive licence to Springer Nature Limited.",
        "© 2020, Springer-Verlag GmbH Germany, part of Springer Nature.",
        "© 2020 Informa UK Limited, trading as Taylor & Francis Group",
        "Copyright (2010) American Institute of Physics",
        "Published 2020. This article is a U.S. Government work and is in the public domain in the USA.",
        "© Oxford University Press 2010. For permissions, please email: journals.permissions@oup.com",
        "Copyright 2011 by the American Physical Society. PACS numbers: 12.38.Gc, 11.15.Ha",
        "This article is protected by copyright. All rights reserved.",
        "Published by Elsevier B.V. This is an open access article under the CC BY license "
        "(http://creativecommons.org/licenses/by/4.0/).",
        "Copyright: © 2015 Smith et al. This is an open access article distributed under the terms of the Creative "
        "Commons Attribution License, which permits unrestricted use, distribution, and reproduction in any medium, "
        "provided the original author and source are credited.",
    ],
)
@pytest.mark.parametrize("between", [" ", "\n"])
def test_a_copyright_line_is_cut(line: str, between: str) -> None:
    assert cut_edges(TEXT + between + line) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Abstract interpretation is a theory of sound approximation.",
        "Abstract Meaning Representation (AMR) is a semantic formalism.",
        "ABSTRACT MEANING REPRESENTATION is a formalism.",
        "Abstract-level planning helps.",
        "Abstract- and concrete-level planning help.",
        "Summary statistics are not sufficient.",
        "Summary talk of the Lepton-Photon Symposium.",
        "We compare (a) the first, (b) the second and (c) the third.",
        "We show this for the algebra Mat_p(C).",
        "Legal questions center on copyright.",
        "A watermark protects copyright. Copyright holders may sue.",
        "It follows a book [Lipschitz algebras. Second edition. World Scientific Publishing Co. Pte. Ltd., 2018].",
        "As in Derivatives in Financial Markets. Cambridge University Press, 2000.",
        "It settles a question of Alon et al. (2024).",
        "The code runs on Intel© Xeon.",
        "© 2020 Elsevier. We also show that the bound is sharp.",
        "In 2009 Elsevier published most of them.",
        "We use Creative Commons pictures.",
    ],
)
def test_what_belongs_to_the_abstract_stays(text: str) -> None:
    assert cut_edges(text) is text
