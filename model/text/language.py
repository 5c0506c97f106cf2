"""The language of a text."""

from functools import cache
from typing import Any, Final

LEAST_CERTAIN: Final = 0.5
"""Probability below which no language is named."""


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the language that the text is in, by py3langid; None if that is not certain."""
    language, probability = _identifier().classify(text)
    return str(language) if probability >= LEAST_CERTAIN else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
