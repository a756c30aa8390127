"""Tests of names that are imported when they are first used."""

import pytest

from spiker_hdl.base.lazy import lazy_names


def test_names_are_those_of_their_modules():
    get, listed = lazy_names("spiker_hdl.base", ["sqrt", "FileError"], {
        "FileError": ".errors",
        "sqrt": "math",
    })  # fmt: skip
    assert get("sqrt")(16) == 4
    assert get("FileError").__module__ == "spiker_hdl.base.errors"
    assert listed() == ["FileError", "sqrt"]
    with pytest.raises(
        AttributeError, match=r"^module 'spiker_hdl.base' has no attribute 'other'$"
    ):
        get("other")
