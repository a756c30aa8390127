"""Files that Norse, sinabs and Rockpool wrote: they load, and compute what their writers do.

``tests/nir_files/make.py`` made them.
"""

import json

import numpy as np
import pytest
import torch

from spiker_train import from_nir, to_nir

from support.places import ROOT

FILES = ROOT / "tests" / "nir_files"
HELD = json.loads((FILES / "answers.json").read_text())
READ = {
    "norse_lif_box": {"writer": "norse"},
    "norse_lif": {"writer": "norse"},
    "norse_iaf": {"writer": "norse"},
    "norse_ties": {"writer": "norse"},
    "sinabs_ties": {"writer": "sinabs"},
    "rockpool_ties": {"writer": "rockpool", "dt": 1e-3},
    "sinabs_lif": {"writer": "sinabs"},
    "sinabs_conv": {"writer": "sinabs"},
    "rockpool_lif": {"writer": "rockpool", "dt": 1e-3},
    "rockpool_neuron": {"writer": "rockpool", "dt": 1e-3},
}
BESIDE = 1e-5  # of potentials in single precision


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def differences(name, **options):
    """Read a file, and return slots compared, their activity, and by how much answers differ.

    Of spikes, how many samples differ, by what distance from the threshold the first of each; of
    potentials, the greatest distance.
    """
    x = np.array(HELD[name]["events"])
    net = from_nir(FILES / f"{name}.nir", dtype=torch.float64, **options)
    labels = {answer: answer.replace(".", "_") for answer in HELD[name]["answers"]}
    spiking = [label for label in labels.values() if net.layer[label].cell.spiking]
    with torch.no_grad():
        actual = net(x, record=spiking + [f"{label}.v" for label in labels.values()])
    result = {}
    for node, label in labels.items():
        theirs = np.array(HELD[name]["answers"][node])
        mine = (actual.spikes if label in spiking else actual.states)[
            label if label in spiking else f"{label}.v"
        ].numpy()
        result[node] = float(np.abs(theirs - mine).max()), float(theirs.mean())
    return net, result


@pytest.mark.parametrize("name", READ)
def test_file_computes_the_same_as_its_writer(name):
    net, result = differences(name, **READ[name])
    for node, (off, mean) in result.items():
        label = node.replace(".", "_")
        print(f"\n{name} {node}: {off:.1e} apart, mean {mean:.3f}")
        # In single precision there; spikes are all equal, and so nothing is near the threshold.
        if net.layer[label].cell.spiking:
            assert 0.02 < mean < 0.7
            assert off == 0
        else:
            assert abs(mean) > 0.1
            assert off < BESIDE


@pytest.mark.parametrize("name", READ)
def test_file_read_without_its_writer_computes_something_else(name):
    # What writers mean and do not write is no trifle.
    if "rockpool" in name:  # its graphs take batches of one
        with pytest.raises(ValueError, match=r"must have the shape \(8,\), not \(1, 8\)"):
            from_nir(FILES / f"{name}.nir", dt=1e-3)
        return
    _, result = differences(name, dt=READ[name].get("dt", 1.0 if "sinabs" in name else 1e-6))
    assert max(off for off, _ in result.values()) > 0.1


@pytest.mark.parametrize("name", [name for name in READ if "ties" in name])
def test_potentials_that_meet_the_threshold(name):
    other = {"norse": ">="}.get(READ[name]["writer"], ">")
    _, result = differences(name, **READ[name], fire=other)
    assert max(off for off, _ in result.values()) == 1


@pytest.mark.parametrize("name", READ)
def test_a_file_comes_back(name):
    options = READ[name]
    net = from_nir(FILES / f"{name}.nir", **options)
    report = net.import_report
    rules = report.rules
    exported = to_nir(net, dt=rules.dt, rule=rules.rule, start=rules.start, exact=False)
    back = from_nir(exported, dt=rules.dt, rule=rules.rule, start=rules.start, reset=rules.reset,
                    fire=rules.fire)  # fmt: skip
    x = np.array(HELD[name]["events"])
    names = [layer.name for layer in net.layers]
    record = [f"{key}.v" for key in names]
    with torch.no_grad():
        first, second = (network.double()(x, record=record) for network in (net, back))
    for key in record:
        torch.testing.assert_close(first.states[key], second.states[key], rtol=0, atol=1e-6)
