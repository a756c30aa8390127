"""The examples in docstrings are executed, and print what they show."""

import doctest
from importlib import import_module

import pytest

from support.places import ROOT

PACKAGES = {
    "spiker_hdl": "spiker_hdl",
    "spiker_train": "spiker_train",
    "spiker_boards": "boards/spiker_boards",
    "spiker_cli": "spiker_cli",
}

EXAMPLES = sorted(
    ".".join([name, *file.relative_to(ROOT / folder).with_suffix("").parts])
    for name, folder in PACKAGES.items()
    for file in (ROOT / folder).rglob("*.py")
    if ">>> " in file.read_text()
)


def test_there_are_examples():
    assert "spiker_train.network.builder" in EXAMPLES


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_of_docstrings_print_what_they_show(module):
    result = doctest.testmod(import_module(module))
    assert result.attempted
    assert not result.failed
