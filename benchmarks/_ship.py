"""The network of benchmarks/emulation.py in SHIP, where SHIP can be imported."""

import hashlib
import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

WHERE = (
    "SHIP (E. Gemo, S. Spiga and S. Brivio, Front. Neurosci. 2023; GPL-3) is in no package index. "
    "Its authors publish it at https://github.com/EmanueleGemo/SHIP: let PYTHONPATH name the "
    "folder that has its folder SHIP, and it takes part."
)
STEP = 1e-3


def installed() -> bool:
    """Tell whether SHIP can be imported."""
    return find_spec("SHIP") is not None


def version() -> str:
    """Return its version with a digest of its files, since its number seldom changes."""
    if not installed():
        return "not installed"
    import SHIP

    files = sorted(Path(SHIP.__file__).parent.glob("*.py"))
    total = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"{SHIP.__version__}, files of SHA-256 {total[:16]}"


def make(
    x: torch.Tensor, sizes: Sequence[int], leak: float, factor: float | None = None
) -> tuple[Any, Callable[[], torch.Tensor]]:
    """Make a network of LIF neurons that counts its output spikes, as everywhere in the benchmark.

    SHIP's trainer gives neurons their surrogate gradients.

    Parameters
    ----------
    x : tensor, shape (samples, steps, inputs)
    sizes : sequence of int
    leak : float
        Factor of potentials in a step.
    factor : float, optional
        Factor of the currents of first-order synapses, which have a state for each pair; where
        none is given, synapses have no state.

    Returns
    -------
    (optimizer, function)
        What clears the gradients, and what runs the network.
    """
    import SHIP

    net = SHIP.network()
    last = len(sizes) - 1
    net.add(SHIP.inputN, "layer 0", N=sizes[0])
    for n, size in enumerate(sizes[1:], 1):
        tau = -STEP / math.log(leak)
        net.add(SHIP.lifN, f"layer {n}", N=size, tau_beta=tau, is_output=n == last)
    for n in range(last):
        bound = sizes[n] ** -0.5
        options: dict[str, Any] = {"w": torch.empty(sizes[n], sizes[n + 1]).uniform_(-bound, bound)}
        kind = SHIP.wireS
        if factor is not None:
            kind, options["tau_alpha"] = SHIP.lS_1o, -STEP / math.log(factor)
        net.add(kind, f"synapses {n}", source=f"layer {n}", target=f"layer {n + 1}", **options)
    net.init(dt=STEP, nts=x.shape[1], batch_size=len(x))
    trainer = SHIP.SurrGradTrainer(net)
    trainer.init()

    def run() -> torch.Tensor:
        net.run(x)
        return net.output.sum(dim=1).float()

    return trainer.optimizer, run
