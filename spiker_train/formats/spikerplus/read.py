"""Import of Spiker networks: ``net_dict``, trained weights and bit widths."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiker_hdl.base import shown
from spiker_hdl.base.checks import check_int
from spiker_hdl.model import READOUTS, CurrentLif, If, Input, Lif, Readout
from spiker_train.formats.checkpoints import read_state
from spiker_train.linear.sparse import float_array
from spiker_train.network.cell import Cell
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.plausibility import implausible, warn_of

from .differences import SpikerReport, compare_all, compare_layer, compare_widths
from .widths import spiker_quantizations

__all__ = ["from_spiker"]

MODELS = ("if", "lif", "syn", "rif", "rlif", "rsyn")
RESETS = ("subtract", "zero", "none")
DEFAULTS: dict[str, Any] = {
    "neuron_model": "lif",
    "n_neurons": 128,
    "alpha": 0.9,
    "learn_alpha": False,
    "beta": 0.9375,
    "learn_beta": False,
    "threshold": 1.0,
    "learn_threshold": False,
    "reset_mechanism": "subtract",
    "bias": False,
}
STEPS, INPUTS = 73, 40
MOST = 1e30
WEIGHTS = 2**28  # greatest number of weights of a projection
ANSWERS = {
    "spk": "count",
    "spk_count": "count",
    "mem": "sum",
    "mem_avg": "sum",
    "mem_max": "sum",
    "mem_softmax": "sum",
}


def from_spiker(
    net_dict: Mapping[str, Any],
    state_dict: Mapping[str, Any] | str | Path | None = None,
    optim_config: Mapping[str, Any] | None = None,
    *,
    readout: str = "mem",
    seed: int = 0,
    name: str = "network",
) -> SpikingNetwork:
    """Import the network that a configuration of Spiker describes.

    The network computes what Spiker's software trains with snnTorch: resets in the step after the
    spike, decays without rounding, second-order neurons, and recurrence from the step before. The
    import report lists what Spiker's hardware would have computed differently.

    Parameters
    ----------
    net_dict : mapping
        ``n_cycles``, ``n_inputs`` and ``layer_0``, ``layer_1`` and so on, each with
        ``neuron_model``, ``n_neurons``, ``alpha``, ``beta``, ``threshold``, ``learn_alpha``,
        ``learn_beta``, ``learn_threshold``, ``reset_mechanism`` and ``bias``; the defaults are
        those of Spiker.
    state_dict : mapping of str to tensor, or path, optional
        Trained weights: ``snn.state_dict()``, or the file that its trainer stores. Where none are
        given, weights are drawn at random.
    optim_config : mapping, optional
        ``weights_bw``, ``neurons_bw`` and ``fp_dec``, each a number or a range with ``min`` and
        ``max``: the report then has the quantizations that these are, as
        :func:`spiker_quantizations` makes them, and what differs with such widths.
    readout : str
        Kind of the readout, by its name in Spiker's trainer (``"mem"``, ``"spk_count"``, ...), or
        one of :data:`~spiker_hdl.model.READOUTS`.
    seed : int
        Seed of the weights that are drawn at random.
    name : str

    Returns
    -------
    SpikingNetwork
        Layers have their names of ``net_dict``. Its ``import_report`` is a
        :class:`~spiker_train.SpikerReport`. What the report warns of is also given as
        :class:`~spiker_train.ImplausibleWarning`.

    Raises
    ------
    TypeError
        If something is of another type.
    ValueError
        If a key is unknown or missing, or a value out of range.
    """
    steps, inputs, layers = _checked(net_dict)
    report = SpikerReport(steps)
    trained = None if state_dict is None else _Trained(state_dict)
    parts, links, before, size = [], [], "input", inputs
    for label, described in layers.items():
        for key in DEFAULTS:
            if (
                key not in described
                and _used(key, described)
                and key in {"neuron_model", "n_neurons"}
            ):
                report.notes.append(f"{label}: {key} is not given: {DEFAULTS[key]!r} as in Spiker")
        settings = DEFAULTS | described
        layer, connections = _layer(label, settings, before, size, trained)
        parts.append(layer)
        links += connections
        report.layers[label] = f"{settings['neuron_model']}, {settings['n_neurons']} neurons"
        compare_layer(label, settings, layer, trained is not None, report)
        before, size = label, settings["n_neurons"]
    for key, value, default in (("n_cycles", steps, STEPS), ("n_inputs", inputs, INPUTS)):
        if key not in net_dict:
            report.notes.append(f"{key} is not given: {value} as in Spiker")
            assert value == default
    if trained is not None:
        trained.check_all_read()
    compare_all(
        {name: DEFAULTS | described for name, described in layers.items()}, inputs, steps, report
    )
    kinds = tuple(READOUTS)
    if readout not in ANSWERS and readout not in kinds:
        listed = ", ".join(repr(choice) for choice in (*ANSWERS, *kinds))
        raise ValueError(f"Readout must be one of {listed}, not {readout!r}")
    answer = ANSWERS.get(readout, readout)
    net = SpikingNetwork(
        [Input("input", inputs)], parts, links, [Readout(before, answer)], seed=seed, name=name
    )
    if optim_config is not None:
        report.quantizations = spiker_quantizations(net, optim_config)
        compare_widths(net, optim_config, report)
    report.warnings += implausible(net)
    net.import_report = report
    warn_of(report.warnings)
    return net


# -- checks --


def _checked(net_dict: Any) -> tuple[int, int, dict[str, dict[str, Any]]]:
    if not isinstance(net_dict, Mapping):
        raise TypeError(f"net_dict must be a mapping, not {net_dict!r}")
    layers = {}
    for key, described in net_dict.items():
        if key == "learning":
            raise ValueError("net_dict must be without 'learning', which has no place here")
        if key in {"n_cycles", "n_inputs"}:
            continue
        if not isinstance(key, str) or not re.fullmatch(r"layer_\d+", key):
            raise ValueError(
                f"Keys of net_dict must be 'n_cycles', 'n_inputs' or 'layer_0' and so on, "
                f"not {key!r}"
            )
        if not isinstance(described, Mapping):
            raise TypeError(f"{key} must be a mapping, not {described!r}")
        layers[key] = _checked_layer(key, described)
    if not layers:
        raise ValueError("net_dict must have at least 'layer_0'")
    expected = [f"layer_{n}" for n in range(len(layers))]
    if list(layers) != expected:
        raise ValueError(
            f"Layers must be {', '.join(expected)} in this order, not {', '.join(layers)}"
        )
    counts = []
    for key, default in (("n_cycles", STEPS), ("n_inputs", INPUTS)):
        value = net_dict.get(key, default)
        counts.append(check_int(key, value, 1))
    return counts[0], counts[1], layers


def _used(key: str, described: Mapping[str, Any]) -> bool:
    model = described.get("neuron_model", DEFAULTS["neuron_model"])
    if key.endswith("alpha"):
        return model in {"syn", "rsyn"}
    if key.endswith("beta"):
        return model not in {"if", "rif"}
    return True


def _checked_layer(label: str, described: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(described)
    for key in described:
        if key not in DEFAULTS:
            raise ValueError(f"Keys of {label} must be {', '.join(DEFAULTS)}, not {key!r}")
    for key, choices in (("neuron_model", MODELS), ("reset_mechanism", RESETS)):
        if key in described and described[key] not in choices:
            listed = ", ".join(repr(choice) for choice in choices)
            raise ValueError(f"{label}: {key} must be one of {listed}, not {described[key]!r}")
    for key, value in described.items():
        what = f"{label}: {key}"
        if key in {"alpha", "beta", "threshold"}:
            if value is None and key != "threshold" and not _used(key, described):
                del settings[key]
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{what} must be a number, not {value!r}")
            if not abs(value) < MOST:  # nor an integer beyond the range of a float
                raise ValueError(f"{what} must be finite, not {shown(value)}")
            if key != "threshold" and not 0 <= value <= 1:
                raise ValueError(f"{what} must be in 0..1, not {value}")
        elif key == "n_neurons":
            settings[key] = check_int(what, value, 1)
        elif key == "bias" or key.startswith("learn_"):
            if not isinstance(value, bool):
                raise TypeError(f"{what} must be a bool, not {value!r}")
    if described.get("reset_mechanism", "subtract") != "none" and settings.get("threshold", 1) < 0:
        raise ValueError(
            f"{label}: threshold must be at least 0 to be reset, not {settings['threshold']}"
        )
    return settings


class _Trained:
    """The values of a trained network, by name."""

    def __init__(self, source: Any):
        if isinstance(source, str | Path):
            source = read_state(source)
        if not isinstance(source, Mapping):
            raise TypeError(f"state_dict must be a mapping, not {source!r}")
        self.values = {str(key): value for key, value in source.items()}
        self.read: set[str] = set()

    def take(self, key: str, *shape: int, optional: bool = False) -> np.ndarray | None:
        """Return the value of a name, of a shape or, if it is optional, a single number."""
        if key not in self.values:
            if optional:
                return None
            raise ValueError(f"state_dict must have {key!r}, which it does not")
        self.read.add(key)
        value = self.values[key]
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        values = float_array(f"state_dict {key!r}", value)
        if optional and values.size == 1:
            return values.reshape(())
        if values.shape != shape:
            raise ValueError(f"state_dict {key!r} must have the shape {shape}, not {values.shape}")
        return values

    def check_all_read(self) -> None:
        """Refuse values that were not read."""
        more = [key for key in self.values if key not in self.read]
        if more:
            raise ValueError(f"Keys of state_dict must be of net_dict's layers, not {more[0]!r}")


# -- layers --


def _layer(
    label: str, settings: dict[str, Any], before: str, size: int, trained: _Trained | None
) -> tuple[Layer, list[Connection]]:
    model, count = settings["neuron_model"], settings["n_neurons"]
    reset = settings["reset_mechanism"]
    number = int(label.removeprefix("layer_")) + 1
    own, through = f"layers.{model}{number}", f"layers.fc{number}"
    values = {"threshold": settings["threshold"]}
    if model in {"if", "rif"}:
        # Spiker trains them as leaky neurons with beta = 0.
        values["beta"] = 0.0
    else:
        values["beta"] = settings["beta"]
    if model in {"syn", "rsyn"}:
        values["alpha"] = settings["alpha"]
    weights, bias, back = None, settings["bias"], None
    if trained is not None:
        weights = trained.take(f"{through}.weight", count, size)
        if settings["bias"]:
            bias = trained.take(f"{through}.bias", count)
        for key in values:
            stored = trained.take(f"{own}.{key}", count, optional=True)
            values[key] = values[key] if stored is None else stored
        graded = trained.take(f"{own}.graded_spikes_factor", optional=True)
        if graded is not None and graded != 1:
            raise ValueError(f"{label}: graded_spikes_factor must be 1, not {float(graded)}")
        stored = trained.take(f"{own}.reset_mechanism_val", optional=True)
        if stored is not None and RESETS[int(stored)] != reset:
            raise ValueError(
                f"{label}: reset_mechanism must be as trained, {RESETS[int(stored)]!r}, "
                f"not {reset!r}"
            )
    for ends in ((before, size), *([(label, count)] if model.startswith("r") else [])):
        if ends[1] * count > WEIGHTS:
            raise ValueError(
                f"{label}: n_neurons must make at most {WEIGHTS} weights from {ends[0]!r}, "
                f"not {shown(ends[1] * count)}"
            )
    links = [Connection(before, label, weights)]
    if model.startswith("r"):
        if trained is not None:
            back = trained.take(f"{own}.recurrent.weight", count, count)
            more = trained.take(f"{own}.recurrent.bias", count, optional=True)
            if more is not None:
                bias = more if bias is False else bias + more
        links.append(Connection(label, label, back, delay=1))
    return Layer(
        label, count, _cell(model, settings, reset, values, trained is not None), bias
    ), links


def _cell(model: str, settings: dict, reset: str, values: dict, trained: bool) -> Cell:
    learn = [
        ours
        for ours, key, its in (
            ("threshold", "learn_threshold", "threshold"),
            ("decay", "learn_beta", "beta"),
            ("current_decay", "learn_alpha", "alpha"),
        )
        if settings[key] and its in values and not (its == "beta" and model in {"if", "rif"})
    ]
    timing = "immediate" if reset == "none" else "next_step"
    if model in {"if", "lif"} and reset == "zero":
        # Of these models, Leaky alone keeps the input of the step after a spike.
        timing = "next_step_keep_input"
    options = {
        "reset": reset,
        "reset_timing": timing,
        "threshold": values["threshold"],
        "learn": learn,
    }
    if model in {"if", "rif"} and not trained:
        return Cell(If, **options)
    decay = np.clip(values["beta"], 0, 1)
    if "alpha" in values:
        alpha = np.clip(values["alpha"], 0, 1)
        return Cell(CurrentLif, decay=decay, current_decay=alpha, **options)
    return Cell(Lif, decay=decay, **options)
