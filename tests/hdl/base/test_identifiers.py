"""Tests of identifiers: by hand, and over names of all kinds."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiker_hdl.base.identifiers import KEYWORDS, identifiers

# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names, expected",
    [
        (["hidden", "out2"], ["hidden", "out2"]),
        (["a-b", "a b", "a.b"], ["a_b", "a_b_2", "a_b_3"]),
        (["x", "X"], ["x", "X_2"]),  # VHDL does not tell them apart
        (["signal", "Reg", "always"], ["signal_n", "Reg_n", "always_n"]),
        (["1st", "2"], ["n1st", "n2"]),
        (["é", "état", "--", "__"], ["n", "tat", "n_2", "n_3"]),
        (["_a__b_"], ["a_b"]),  # VHDL has neither double nor final underscores
        (["a b", "a_b_2", "a-b"], ["a_b", "a_b_2", "a_b_3"]),
        (["signal", "signal n", "signal_n"], ["signal_n", "signal_n_2", "signal_n_3"]),
        (["x" * 99, "x" * 61], ["x" * 60, "x" * 60 + "_2"]),
        (["a" * 59 + " b"], ["a" * 59]),
        (["con"], ["con"]),
        ([], []),
    ],
)
def test_identifiers_by_hand(names, expected):
    assert [*identifiers(names).items()] == [*zip(names, expected, strict=True)]


def test_taken_identifiers_are_avoided():
    assert identifiers(["clk", "RST", "a"], taken=["clk", "rst"]) == {
        "clk": "clk_2",
        "RST": "RST_2",
        "a": "a",
    }


@pytest.mark.parametrize(
    "word",
    """
    entity process reg logic always_ff wire default property string mailbox semaphore
    """.split(),
)
def test_keywords_of_both_languages(word):
    assert word in KEYWORDS


def test_keywords_are_lower_case():
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", word) for word in KEYWORDS)


# -- of all kinds --------------------------------------------------------------------------------

ODD = st.one_of(
    st.text(min_size=1, max_size=80),
    st.sampled_from(sorted(KEYWORDS)),
    st.from_regex(r"[aA][_ -]{0,2}[bB]?(_[23])?", fullmatch=True),
)


@settings(max_examples=50)
@given(names=st.lists(ODD, unique=True, max_size=20), taken=st.lists(ODD, max_size=3))
def test_identifiers_are_safe_and_distinct(names, taken):
    result = identifiers(names, taken=taken)
    assert [*result] == names
    for item in result.values():
        assert re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", item)
        assert item.lower() not in KEYWORDS
        assert len(item) <= 66
    plain = [item.lower() for item in result.values()]
    assert len({*plain, *(name.lower() for name in taken)}) == len(plain) + len({
        name.lower() for name in taken
    })
    assert identifiers(names, taken=taken) == result
