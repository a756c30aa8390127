"""Notes on where a network comes from: kept, but no part of it."""

from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import (
    Decay,
    FileError,
    Input,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
    load,
)

NOTES = {"steps": "4", "encoder": "rate", "command": "spiker train digits -o a.spiker"}


def network(notes=()):
    return Network(
        (Input("in", 2),),
        (Population("out", 2, Lif(threshold=3, decay=Decay.shift(1), width=6)),),
        (Projection("in", "out", np.array([[1, 2], [3, -4]])),),
        (Readout("out"),),
        notes=notes,
    )


def test_notes_are_sorted_and_found_by_name():
    net = network(NOTES)
    assert net.notes == tuple(sorted(NOTES.items()))
    assert net.note == NOTES
    assert network(tuple(NOTES.items())).notes == net.notes
    assert network().note == {}


def test_equal_networks_may_differ_in_notes():
    assert network(NOTES) == network()
    assert network(NOTES).digest == network().digest
    assert hash(network(NOTES)) == hash(network())


def test_a_file_keeps_notes_and_a_replaced_network_too(tmp_path):
    path = tmp_path / "a.spiker"
    network(NOTES).save(path)
    assert load(path).note == NOTES
    assert replace(network(NOTES), max_steps=5).note == NOTES
    again = tmp_path / "b.spiker"
    network(dict(reversed(NOTES.items()))).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_a_file_without_notes_is_as_ever(tmp_path):
    path = tmp_path / "a.spiker"
    network().save(path)
    assert b'"notes"' not in path.read_bytes()
    assert load(path).notes == ()


@pytest.mark.parametrize(
    "notes, error, message",
    [
        ("rate", TypeError, "Network notes must be a mapping of strings, not 'rate'"),
        (7, TypeError, "Network notes must be a mapping of strings, not 7"),
        (("rate",), TypeError, "Each note must be a name and a text, not 'rate'"),
        ({"steps": 4}, TypeError, "Note 'steps' must be a string, not 4"),
        ({4: "steps"}, TypeError, "Name of a note must be a string, not 4"),
        (
            {"a": "b\nc"},
            ValueError,
            "Note 'a' must be at most 2000 printable characters, not 'b\\nc'",
        ),
        (
            (("a", "b"), ("a", "c")),
            ValueError,
            "Names of notes must be distinct, not ['a', 'a']",
        ),
    ],
)
def test_bad_notes(notes, error, message):
    with pytest.raises(error) as caught:
        network(notes)
    assert str(caught.value) == message


def test_bad_notes_in_a_file(tmp_path):
    path = tmp_path / "a.spiker"
    net = network(NOTES)
    object.__setattr__(net, "notes", (("steps", 4),))
    net.save(path)
    with pytest.raises(FileError, match="Note 'steps' must be a string, not 4"):
        load(path)
