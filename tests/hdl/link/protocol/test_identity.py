"""Tests of the identity that a board reports."""

import pytest

from spiker_hdl.link.protocol.frames import PAGE
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.registers import mapping_digest
from spiker_hdl.model import Mapping
from spiker_hdl.model.mapping.reload import structure

from support.small import make_network


def test_identity_says_network_mapping_and_library():
    network = make_network()
    mapping = Mapping.folded(network, 3, form="events")
    identity = Identity.of(network, mapping, "1.22.3.dev4")
    assert identity == Identity(
        "1.22.3", network.digest, mapping_digest(mapping), "events", mapping.word
    )
    text = identity.to_bytes()
    assert len(text) == Identity.PAGES * PAGE
    assert text[:4] == b"SPKR"
    assert Identity.from_bytes(text) == identity
    with pytest.raises(ValueError, match="Identity must begin with SPKR, not b'SPKX'"):
        Identity.from_bytes(b"SPKX" + text[4:])
    with pytest.raises(ValueError, match="Board must speak version 2 of the link, not 9"):
        Identity.from_bytes(text[:4] + b"\x09" + text[5:])


def test_identity_says_what_can_be_loaded():
    network = make_network()
    mapping = Mapping.folded(network, 3).with_writable(network, ["output"])
    identity = Identity.of(network, mapping, "1.2.3")
    assert (identity.network, identity.writable) == (network.digest, {1})
    assert identity.structure == structure(network, mapping)
    assert Identity.from_bytes(identity.to_bytes()) == identity
    assert identity.to_bytes()[Identity.NETWORK :][:32].hex() == network.digest
    empty = Identity.of(network, mapping.with_writable(network, (), ["hidden"]), "1.2.3")
    assert (empty.network, empty.writable) == ("0" * 64, {0, 1})
    assert Identity.from_bytes(empty.to_bytes()) == empty
