"""What importing the library loads: no framework before it is needed."""

import subprocess
import sys

import pytest

FRAMEWORKS = {"amaranth", "torch", "snntorch", "matplotlib", "sklearn"}


def loaded(statement):
    """Run ``statement`` in a new interpreter; return which frameworks it loaded."""
    script = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split()) & FRAMEWORKS


@pytest.mark.parametrize(
    "statement, expected",
    [
        ("import spiker_hdl.model", set()),
        ("import spiker_hdl", set()),
        ("import spiker_hdl; spiker_hdl.Network; spiker_hdl.Mapping; spiker_hdl.load", set()),
        ("import spiker_hdl; dir(spiker_hdl)", set()),
        ("import spiker_hdl.rtl", {"amaranth"}),
    ],
)
def test_importing_loads_what_it_needs(statement, expected):
    assert loaded(statement) == expected


def test_network_runs_and_is_saved_without_a_framework(tmp_path):
    statement = f"""
import numpy as np
from spiker_hdl.model import *
network = Network([Input("in", 2)], [Population("p", 1, If(width=4, threshold=1))],
                  [Projection("in", "p", np.array([[1, 2]]))], [Readout("p")])
result = reference.run(network, np.ones((1, 3, 2), dtype=int))
assert result.scores.tolist() == [[3]], result
network.save({str(tmp_path / "net.spiker")!r})
assert load({str(tmp_path / "net.spiker")!r}) == network
"""
    assert loaded(statement) == set()


def test_unknown_name_is_no_attribute():
    import spiker_hdl

    with pytest.raises(AttributeError, match=r"^module 'spiker_hdl' has no attribute 'Netwrok'$"):
        _ = spiker_hdl.Netwrok
    assert {"Network", "Mapping", "Result", "load", "run"} <= set(dir(spiker_hdl))
