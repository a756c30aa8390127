"""Runs of a network with many draws of the devices that hold its weights."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiker_hdl.base import FileError
from spiker_hdl.base.checks import check_int, check_kind, shown
from spiker_hdl.model import Network
from spiker_hdl.model.scores import class_count
from spiker_train.devices.checks import check_number, generator
from spiker_train.network.description import described, network_described
from spiker_train.network.drawn import check_devices, draw_weights, with_weights
from spiker_train.network.integers.quantization import Quantization, with_step
from spiker_train.network.network import SpikingNetwork
from spiker_train.training.batches import checked_labels, checked_spikes
from spiker_train.training.progress import progress_bar
from spiker_train.training.run_times import RunTimes

from .bit_faults import BitFaults
from .integers import as_tensors
from .neurons import NeuronSpread, draw_neurons, with_neurons
from .result import Draws, load_draws

__all__ = ["MonteCarlo"]

UPDATES = 6_000_000
"""Neuron updates of all draws that run at once, where no number of draws is given."""

LARGE = 1_000_000
"""Neuron updates of a draw above which it runs alone, as it gains nothing from further draws."""

MOST_STACKED = 16

BITS = 3
"""What random numbers are for, as part of their path; 0 to 2 are those of the other parts."""


class MonteCarlo:
    """Draws of the devices that hold a network's weights.

    Draw ``k`` depends on the network, the devices, ``seed`` and ``k`` alone: neither on how many
    draws run at once, nor on which machine. Each draw is programmed once, and read once at each
    time for all samples.

    Parameters
    ----------
    network : SpikingNetwork or Network
        In floating point; or the integers of the hardware, whose devices hold the nominal integers.
    devices : Device or array of devices, or mapping of str to such
        What holds the weights, for all connections or by name of the connection. A bare device
        stands for a :class:`~spiker_train.DifferentialPair`.
    draws : int
    seed : int
    integers : Quantization, optional
        Round the weights of each draw as the nominal network's; of a SpikingNetwork alone.
    times : sequence of float
        Seconds after programming at which each draw is read and runs, which increase.
    neurons : NeuronSpread, optional
        Spread of the neurons of each draw.
    bit_faults : BitFaults, optional
        Faults of the memories that hold integer weights.
    batch : int
        Samples that run at a time.
    stack : int, optional
        Draws that run at a time; as many as are fast and fit the memory where none are given.
    memory : int, optional
        Bytes that a run may need; half of the machine's memory where none are given.
    dt, plan
        Steps of the runs, as for :func:`~spiker_train.train`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or draws do not fit the memory.
    """

    def __init__(
        self,
        network: SpikingNetwork | Network,
        devices: Any,
        draws: int,
        seed: int,
        *,
        integers: Quantization | None = None,
        times: Sequence[float] = (0.0,),
        neurons: NeuronSpread | None = None,
        bit_faults: BitFaults | None = None,
        batch: int = 128,
        stack: int | None = None,
        memory: int | None = None,
        dt: float | None = None,
        plan: Sequence[tuple[float, int]] | None = None,
    ):
        if isinstance(network, Network):
            if integers is not None:
                raise ValueError("Quantization must be None for a network that has integers")
            if dt is not None or plan is not None:
                raise ValueError("Both dt and plan must be None for a network that has integers")
            self.net, self.integers = as_tensors(network)
        elif isinstance(network, SpikingNetwork):
            self.net = network
            self.integers = None if integers is None else with_step(integers, dt, plan).fit(network)
        else:
            raise TypeError(f"Network must be a SpikingNetwork or Network, not {shown(network)}")
        self.run_times = RunTimes(dt, plan)
        self.run_times.check("samples", 1, None)
        check_devices(self.net, devices)
        self.devices = devices
        self.draws = check_int("Draws", draws, 1)
        self.seed = check_int("Seed", seed, 0)
        if isinstance(times, int | float | str):
            raise TypeError(
                f"Times after programming must be a sequence of seconds, not {shown(times)}"
            )
        self.times = tuple(check_number("Time after programming", time, 0) for time in times)
        if not self.times or any(a >= b for a, b in zip(self.times, self.times[1:], strict=False)):
            raise ValueError(
                f"Times after programming must increase, with one at least, not {self.times}"
            )
        if neurons is not None and not isinstance(neurons, NeuronSpread):
            raise TypeError(f"Neurons must be a NeuronSpread or None, not {shown(neurons)}")
        if bit_faults is not None:
            check_kind("Bit faults", bit_faults, BitFaults)
            if self.integers is None:
                raise ValueError("Bit faults must be None where weights are no integers")
            if any(
                self.integers.bits(connection) == "ternary" for connection in self.net.connections
            ):
                raise ValueError("Bit faults must be None for ternary weights")
        self.neurons, self.bit_faults = neurons, bit_faults
        self.batch = check_int("Samples of a batch", batch, 1)
        self.stack = None if stack is None else check_int("Draws at once", stack, 1)
        self.memory = _half_of_memory() if memory is None else check_int("Memory", memory, 1)

    def run(
        self,
        spikes: Any,
        labels: Any,
        *,
        file: str | Path | None = None,
        progress: bool = True,
        client: Any = None,
    ) -> Draws:
        """Run all draws, and return how many samples of each class they classify as labels say.

        Parameters
        ----------
        spikes : array of int, shape (samples, steps, size), or mapping from input names to such
        labels : array of int, shape (samples,)
        file : str or Path, optional
            JSON file that keeps the draws that have run. Where there is one, they are not run
            again.
        progress : bool
            Whether to show progress: a bar on a terminal, else a line now and then.
        client : optional
            A client of a cluster, such as ``dask.distributed.Client``: anything with ``submit``,
            which returns a future with ``result``.

        Raises
        ------
        FileError
            If the file is of another study.
        FileNotFoundError
            If the folder of the file is not there.
        ValueError
            If spikes or labels do not suit the network, or draws do not fit the memory.
        """
        x = checked_spikes(self.net, spikes)
        y = checked_labels(self.net, labels, len(next(iter(x.values()))))
        self.run_times.check("samples", len(y), next(iter(x.values())).shape[1])
        if file is not None and not Path(file).absolute().parent.is_dir():
            raise FileNotFoundError(f"Folder of the file must be there, not {Path(file).parent}")
        stack = self._stack(x)
        # A digest is for studies that go on: it takes as long as a short run.
        key = "" if file is None else self._key(x, y)
        done = Draws(key, len(y), self.times, classes=self._classes(y))
        if file is not None and Path(file).exists():
            done = self._resumed(file, done)
        left = [draw for draw in range(self.draws) if draw not in done.right]
        chunks = [left[n : n + stack] for n in range(0, len(left), stack)]
        with progress_bar(progress, "draws", self.draws) as advance:
            for _ in range(self.draws - len(left)):
                advance()
            for chunk, counts in zip(chunks, self._answers(chunks, x, y, client), strict=True):
                for draw, hits, answers, clipped in zip(chunk, *counts, strict=True):
                    done.hits[draw] = tuple(map(tuple, hits))
                    done.answers[draw] = tuple(map(tuple, answers))
                    done.right[draw], done.clipped[draw] = tuple(map(sum, hits)), tuple(clipped)
                    advance()
                if file is not None:
                    done.save(file)
        inside = range(self.draws)
        for name in ("right", "clipped", "hits", "answers"):
            rows = getattr(done, name)
            setattr(done, name, {draw: row for draw, row in rows.items() if draw in inside})
        return done

    def weights(self, draw: int, seconds: float = 0.0) -> dict[str, torch.Tensor]:
        """Return the weights of a draw by connection, in integers where the network has such.

        Returns
        -------
        dict of str to tensor of float64
            Integers are times two to the power of their connection's shift, and of its scale.
        """
        return self.drawn(check_int("Draw", draw, 0), check_number("Time", seconds, 0))[0]

    def drawn(self, draw: int, seconds: float) -> tuple[dict[str, torch.Tensor], int]:
        """Return the weights of a draw as for :meth:`weights`, and how many were clipped."""
        weights = draw_weights(self.net, self.devices, self.seed, draw, seconds)
        clipped = 0
        if self.integers is not None:
            for connection in self.net.connections:
                own = connection.weights.detach().double()
                if connection.name not in weights:
                    if self.bit_faults is None:
                        continue
                    weights[connection.name] = own
                layer = self.net.layer[connection.target]
                scale = self.integers.weight_scale(layer, connection)
                low, high = self.integers.range(connection)
                values = (weights[connection.name] / scale).round()
                inside = values.clamp(low, high)
                if connection.mask is not None:
                    inside, values = inside * connection.mask, values * connection.mask
                clipped += int((inside != values).sum())
                if self.bit_faults is not None:
                    width = self.integers.bits(connection)
                    rng = generator(self.seed, draw, self.net.connections.index(connection), BITS)
                    inside = self.bit_faults.apply(inside, int(width), rng)
                weights[connection.name] = inside * scale
        return weights, clipped

    def _answers(self, chunks: list[list[int]], x: dict, y: np.ndarray, client: Any) -> Any:
        """Yield the counts of each chunk of draws, in order."""
        if client is None:
            for chunk in chunks:
                yield self.count(chunk, x, y)
            return
        if not hasattr(client, "submit"):
            raise TypeError(f"Client must have a method 'submit', not {shown(client)}")
        data: Any = (x, y)
        if hasattr(client, "scatter"):
            data = client.scatter(data, broadcast=True)
            yield from (
                future.result()
                for future in [client.submit(_count, self, chunk, data) for chunk in chunks]
            )
            return
        for future in [client.submit(_count, self, chunk, data) for chunk in chunks]:
            yield future.result()

    def count(
        self, draws: Sequence[int], x: dict[str, np.ndarray], y: np.ndarray
    ) -> tuple[list[list[list[int]]], list[list[list[int]]], list[list[int]]]:
        """Run some draws at once.

        Parameters
        ----------
        draws : sequence of int
        x : dict of str to array
            Spikes by input.
        y : array of int64
            Labels.

        Returns
        -------
        hits, answers : list of list of list of int
            By draw, time and class: the samples of the class that were classified as their labels
            say, and all samples that were classified as the class.
        clipped : list of list of int
            By draw and time.
        """
        classes = len(self._classes(y))
        counts = np.zeros((2, len(draws), len(self.times), classes), dtype=np.int64)
        clipped = np.zeros((len(draws), len(self.times)), dtype=np.int64)
        for n, seconds in enumerate(self.times):
            drawn = [self.drawn(draw, seconds) for draw in draws]
            clipped[:, n] = [count for _, count in drawn]
            stacked = {}
            for connection in self.net.connections:  # those without devices are the same in all
                own = connection.weights.detach()
                stacked[connection.name] = own.new_empty(len(draws), *own.shape)
                for target, (weights, _) in zip(stacked[connection.name], drawn, strict=True):
                    target.copy_(weights.get(connection.name, own))
            spread = []
            if self.neurons is not None:
                spread = [draw_neurons(self.net, self.neurons, self.seed, draw) for draw in draws]
            with torch.no_grad(), with_weights(self.net, stacked):
                for start in range(0, len(y), self.batch):
                    part = slice(start, start + self.batch)
                    inputs = {name: array[part] for name, array in x.items()}
                    answers = self._classified(inputs, len(y[part]), len(draws), spread)
                    for draw, row in enumerate(answers):
                        right = row[row == y[part]]
                        counts[0, draw, n] += np.bincount(right, minlength=classes)
                        counts[1, draw, n] += np.bincount(row, minlength=classes)
        return counts[0].tolist(), counts[1].tolist(), clipped.tolist()

    def _classes(self, labels: np.ndarray) -> tuple[int, ...]:
        """Return how many samples there are of each class that the network can answer."""
        counts = np.bincount(labels, minlength=class_count(self.net.graph, self.net.readouts[0]))
        return tuple(counts.tolist())

    def _classified(
        self, inputs: dict[str, np.ndarray], samples: int, draws: int, spread: list[dict]
    ) -> np.ndarray:
        """Return the classes that draws answer to a batch, shape (draws, samples)."""
        parameters: dict = {}
        if spread and draws > 1:
            parameters = {
                key: torch.stack([values[key] for values in spread]).repeat_interleave(samples, 0)
                for key in spread[0]
            }
        elif spread:
            parameters = spread[0]
        with with_neurons(self.net, parameters):
            times = self.run_times
            scores = self.net(inputs, self.integers, dt=times.dt, plan=times.plan).scores
        return scores.cpu().numpy().reshape(draws, samples, -1).argmax(axis=2)

    def _stack(self, x: dict[str, np.ndarray]) -> int:
        """Return how many draws run at a time."""
        samples, steps = next(iter(x.values())).shape[:2]
        if self.net.sweeps and (self.stack not in {None, 1} or self.batch < samples):
            raise ValueError(
                f"Draws at once must be 1, and the batch at least all {samples} samples, where "
                f"parameters are those of single samples, not {self.stack} and {self.batch}"
            )
        rows = min(self.batch, samples)
        if self.neurons is not None and (self.integers is not None or self.net.has_seconds):
            if self.stack not in {None, 1}:
                raise ValueError(
                    f"Draws at once must be 1 where neurons spread in integers or in seconds, "
                    f"not {self.stack}"
                )
            stack = 1
        elif self.net.sweeps:
            stack = 1
        else:
            updates = rows * steps * sum(layer.size for layer in self.net.layers)
            most = 1 if updates > LARGE else min(MOST_STACKED, self.draws, UPDATES // updates)
            stack = self.stack or most
        each = self._bytes(rows, steps)
        while self.stack is None and stack > 1 and stack * each > self.memory:
            stack -= 1
        if stack * each > self.memory:
            raise ValueError(
                f"{stack} draws at once of {rows} samples must need at most {self.memory} bytes of "
                f"memory, not {stack * each}: run fewer draws (stack) or samples (batch) at once"
            )
        return stack

    def _bytes(self, rows: int, steps: int) -> int:
        """Return about how many bytes a draw needs: weights, currents, spikes and states."""
        size = 8 if self.integers is not None else self.net.like().element_size()
        weights = sum(connection.weights.numel() for connection in self.net.connections)
        trains = rows * steps * sum(3 * layer.size for layer in self.net.layers)
        return 24 * weights + size * trains

    def _key(self, x: dict[str, np.ndarray], y: np.ndarray) -> str:
        """Return a digest of everything that the answer of a draw depends on."""
        settings = {
            "devices": described(self.devices),
            "neurons": repr(self.neurons),
            "bit_faults": repr(self.bit_faults),
            "seed": self.seed,
            "times": self.times,
            "integers": None if self.integers is None else asdict(self.integers),
            "network": network_described(self.net),
        }
        if self.run_times.given:
            settings["run_times"] = described(self.run_times)
        total = hashlib.sha256(json.dumps(settings, sort_keys=True, default=repr).encode())
        state = {name: value.cpu().numpy() for name, value in self.net.state_dict().items()}
        for name, array in sorted({**state, **x, "labels": y}.items()):
            total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def _resumed(self, file: str | Path, new: Draws) -> Draws:
        if " at 0x" in repr(self.devices):
            raise ValueError(
                "Devices must have no functions of one's own to go on with a study, since "
                "functions cannot be compared"
            )
        done = load_draws(file)
        if done.key != new.key or done.times != new.times or done.samples != new.samples:
            raise FileError(
                "must be of the same network, devices, seed, times and samples, not of another "
                "study",
                file,
            )
        # Earlier versions did not count by class: their draws run again.
        return done if done.classes else new


def _count(study: MonteCarlo, draws: list[int], data: Any) -> Any:
    """Run some draws; a function of its own for the workers of a cluster."""
    return study.count(draws, *data)


def _half_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 2**32
