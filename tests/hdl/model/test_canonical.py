"""Tests of how a network is written out: digests stay what they are, whatever is renamed."""

import pytest

from spiker_hdl.model import load

from support.places import ROOT

DIGESTS = {
    path: digest
    for digest, path in map(str.split, (ROOT / "tests/golden/digests.txt").read_text().splitlines())
}
"""SHA-256 of what each network says, as format 1 spells it."""


def test_every_network_file_has_its_digest_pinned():
    files = [*ROOT.glob("networks/*.spiker"), *ROOT.glob("tests/golden/*.spiker")]
    assert {path.relative_to(ROOT).as_posix() for path in files} == set(DIGESTS)


@pytest.mark.parametrize("path", DIGESTS)
def test_digest_of_a_network_file_is_what_it_was(path):
    assert load(ROOT / path).digest == DIGESTS[path]
