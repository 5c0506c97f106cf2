"""What an operator is told to do about a model that cannot answer."""

import pytest

from service.listings import remedy


@pytest.mark.parametrize(
    ("name", "state", "need", "expected"),
    [
        ("scibert-single", "not installed", 0, "model install scibert-single --data FILE"),
        ("mine", "not installed", 0, "name another in ABSTRACTS_DEFAULT_MODEL"),
        ("mine", "untrained", 0, "model train --from DIR --data FILE --out mine"),
        ("mine", "damaged", 0, "build or install it again"),
        ("mine", "replaced", 0, "abstracts model reload"),
        ("mine", "too large", (5 << 20) + 1, "ABSTRACTS_MODEL_MEMORY_LIMIT to 6 or more"),
    ],
)
def test_every_state_has_its_remedy(name: str, state: str, need: int, expected: str) -> None:
    assert expected in remedy(name, state, need)
