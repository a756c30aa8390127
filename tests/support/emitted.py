"""A small network to emit, and runs of its test bench."""

import shutil
import subprocess
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import Decay, Input, Lif, Network, Population, Projection, Readout

from support.networks import random_spikes

__all__ = ["TOOLS", "fails", "simulate", "small", "spikes_for"]

TOOLS = {"verilog": ("make", "iverilog", "vvp"), "vhdl": ("make", "ghdl")}
"""Programs that must be installed, by language."""


def small(*, leak=2, name="small net"):
    """Make a network in which every weight matters."""
    draw = np.random.default_rng(7)
    return Network(
        [Input("picture", 12)],
        [
            Population("hidden", 9, Lif(width=8, decay=Decay.shift(leak), threshold=14)),
            Population("out", 4, Lif(width=8, decay=Decay.shift(2), threshold=9)),
        ],
        [
            Projection("picture", "hidden", draw.integers(-7, 8, (9, 12)), bits=4),
            Projection("hidden", "out", draw.integers(-7, 8, (4, 9)), bits=4),
        ],
        [Readout("out")],
        16,
        name,
    )


def spikes_for(network, samples=6, steps=8, seed=3):
    """Draw samples for a network."""
    return random_spikes(network, Random(seed), samples, steps)


def simulate(language, directory, *arguments):
    """Run the emitted test bench; return its exit status and its output."""
    for tool in TOOLS[language]:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")
    done = subprocess.run(
        ["make", "-s", "sim", f"ARGS={' '.join(arguments)}"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def fails(run, directory, *arguments):
    """Run a test bench that must fail; return its line FAIL."""
    status, text = run(directory, *arguments)
    assert status != 0
    assert "PASS" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("FAIL")]
    return line
