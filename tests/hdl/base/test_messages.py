"""Texts of messages."""

import pytest

from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.messages import with_article

Outcome = type("Outcome", (), {})
Unit = type("Unit", (), {})


def test_nouns_have_their_article():
    nouns = ("Outcome", "Events", "If", "UniformLevels", "Layer", "array")
    assert [with_article(noun) for noun in nouns] == [
        "an Outcome",
        "an Events",
        "an If",
        "a UniformLevels",
        "a Layer",
        "an array",
    ]


@pytest.mark.parametrize(
    "kind, article", [(Outcome, "an Outcome"), (Unit, "a Unit")], ids=["vowel", "consonant"]
)
def test_wrong_kind_is_refused_with_the_article_of_its_name(kind, article):
    with pytest.raises(TypeError, match=f"^Part must be {article}, not 3$"):
        check_kind("Part", 3, kind)
    check_kind("Part", kind(), kind)
