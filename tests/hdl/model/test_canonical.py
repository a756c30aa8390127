"""Tests of how a network is written out: digests stay what they are, whatever is renamed."""

import pytest

from spiker_hdl.link.protocol.registers import mapping_digest
from spiker_hdl.model import Mapping, load
from spiker_hdl.model.mapping.reload import structure

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


def test_digests_of_a_mapping_are_what_they_were():
    # Boards state them, so that a host loads only what fits the design that is on a board.
    network = load(ROOT / "networks/digits.spiker")
    mapping = Mapping.default(network).with_writable(network, ["hidden"], ["hidden"])
    assert mapping.cores["hidden"].weights == "uninitialized"
    assert structure(network, mapping) == (
        "23e82a278f44e8cb63baf7b7bd5e0994d97488a55203b187b4d7376802b83e9f"
    )
    assert mapping_digest(mapping) == (
        "028e20bd2b4655d806d17887df726f41eca85ffa80684c52d754bdaca9298fc5"
    )
