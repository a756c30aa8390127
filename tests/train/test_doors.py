"""Tests of public functions on numbers in all forms that users have them in."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Input, Lif, Readout
from spiker_train import Cell, Connection, Layer, Quantization, SpikingNetwork, compare, quantize

WEIGHTS = np.array([[0.5, -0.25, 0.0, 1.0], [0.75, 0.0, -0.5, 0.25], [0.0, 1.5, 0.25, -1.0]])
SPIKES = np.random.default_rng(0).integers(0, 2, (6, 5, 4))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "array": np.array,
    "fortran order": np.asfortranarray,
    "negative strides": lambda array: array[..., ::-1].copy()[..., ::-1],
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "read-only": read_only,
    "unmasked": np.ma.array,
    "lists": lambda array: array.tolist(),
    "object array": lambda array: array.astype(object),
    "tensor": torch.tensor,
    "parameter": lambda array: torch.nn.Parameter(
        torch.tensor(array), requires_grad=array.dtype.kind == "f"
    ),
}


def network(form, integer, kind="sparse"):
    """Make a network whose numbers come in some form."""
    put = FORMS[form]
    return SpikingNetwork(
        [Input("in", integer(4))],
        [
            Layer(
                "own",
                integer(3),
                Cell(Lif, threshold=put(np.array([1.0, 1.5, 0.75])), decay=0.75),
                put(np.array([0.25, 0.0, -0.25])),
            )
        ],
        [
            Connection(
                "in",
                "own",
                put(WEIGHTS),
                delay=integer(1),
                kind=kind,
                **({"mask": put(WEIGHTS != 0)} if kind == "sparse" else {}),
            )
        ],
        [Readout("own", "count")],
    )


@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("form", FORMS)
def test_numbers_of_any_form_make_the_same_network(form, kind):
    expected = quantize(network("array", int, kind), 4, 8)
    net = network(form, np.int64, kind)
    quantized = quantize(net, np.int8(4), np.array(8), max_steps=np.int16(256))
    assert quantized == expected
    assert quantized.digest == expected.digest
    assert net.layers[0].shape == 3
    assert type(net.connections[0].delay) is int
    spikes = FORMS[form](SPIKES)
    plain = net(SPIKES)
    assert torch.equal(net(spikes).scores, plain.scores)
    assert net.run(SPIKES).differences(net.run(spikes)) == []
    assert net.run(SPIKES).scores.sum() > 0
    labels = FORMS[form](np.arange(6) % 3)
    assert compare(net, quantized, spikes, labels).to_json() == (
        compare(net, quantized, SPIKES, np.arange(6) % 3).to_json()
    )


MASKED = np.ma.array(WEIGHTS, mask=WEIGHTS == 0)
DOORS = {
    "weights": lambda value: Connection("in", "own", value),
    "mask": lambda value: Connection("in", "own", WEIGHTS, kind="sparse", mask=value),
    "bias": lambda value: Layer("own", 3, Cell(Lif, threshold=1.0, decay=0.5), value),
    "threshold": lambda value: Cell(Lif, threshold=value, decay=0.5),
    "decay": lambda value: Cell(Lif, threshold=1.0, decay=value),
    "spikes": lambda value: network("array", int)(value),
    "run": lambda value: network("array", int).run(value),
    "weight bits": Quantization,
    "potential bits": lambda value: Quantization(4, value),
    "decay bits": lambda value: Quantization(decay_bits=value),
    "sizes": SpikingNetwork.chain,
}
WRONG = {
    "masked": MASKED,
    "strings": ["1", "2"],
    "complex": np.array([1j]),
    "none": [None],
    "long strings": ["x" * 1000] * 1000,
    "ragged": [[1.0], [1.0, 2.0]],
    "mapping of nothing": object(),
    "texts of NumPy": [np.str_("1"), np.str_("2")],
    "complex scalars": [np.complex128(1j)],
    "beyond floats": 10**400,
    "list beyond floats": [10**400, 1],
    "list in itself": (endless := []),
}
endless.append(endless)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("door", DOORS)
def test_arguments_that_are_no_numbers_are_refused_in_one_short_line(door, wrong):
    with pytest.raises((TypeError, ValueError)) as caught:
        DOORS[door](WRONG[wrong])
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    assert " must " in message
