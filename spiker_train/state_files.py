"""Files of the state of a network between two runs, in the safetensors format."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as pack_tensors

from spiker_hdl.base import FileError, reader, shown, strict_json
from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_train.formats.tensor_files import read_safetensors
from spiker_train.network.runs.delays import DelayLine
from spiker_train.network.runs.state import NetworkState

__all__ = ["STATE_FORMAT", "load_network_state", "save_network_state"]

STATE_FORMAT = "spiker-network-state"
VERSION = 1


def save_network_state(state: NetworkState, path: str | Path) -> None:
    """Write the state of a network to one file, whole or not at all.

    Parameters
    ----------
    state : NetworkState
        Such as ``after`` of an outcome. It is written without gradients.
    path : str or Path

    Raises
    ------
    TypeError
        If it is no :class:`~spiker_train.NetworkState`.
    OSError
        If the file cannot be written.
    """
    check_kind("State", state, NetworkState)
    tensors = {
        f"{part}/{owner}/{name}": value
        for part in ("neurons", "synapses", "couplings")
        for owner, states in getattr(state, part).items()
        for name, value in states.items()
    }
    tensors |= {f"delays/{name}": line.events for name, line in state.delays.items()}
    content = {
        "version": VERSION,
        "clock": state.clock,
        "seconds": state.seconds,
        "scales": None if state.scales is None else dict(state.scales),
        "neurons": {owner: list(states) for owner, states in state.neurons.items()},
        "synapses": {owner: list(states) for owner, states in state.synapses.items()},
        "delays": {name: line.due for name, line in state.delays.items()},
    }
    if state.couplings:
        content["couplings"] = {owner: list(states) for owner, states in state.couplings.items()}
    plain = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    data = pack_tensors(plain, metadata={STATE_FORMAT: json.dumps(content)})
    with write_whole(path) as file:
        file.write(data)


@reader("a .safetensors file of the state of a network", "safetensors")
def load_network_state(path: str | Path) -> NetworkState:
    """Read the state of a network; a run that starts from it checks that it suits the network.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FileError
        If the file is of another kind, is truncated, or describes no state.
    OSError
        If it cannot be read.
    """
    metadata, tensors = read_safetensors(path)
    if STATE_FORMAT not in metadata:
        raise FileError(f"must say of itself {STATE_FORMAT!r}, not {shown(sorted(metadata))}")
    content = strict_json.parse_object(metadata[STATE_FORMAT], 2**26)
    if content["version"] != VERSION:
        raise FileError(f"must be of version {VERSION}, not {shown(content['version'])}")
    clock, scales = content["clock"], content["scales"]
    if type(clock) is not int or clock < 0 or type(content["seconds"]) is not bool:
        raise FileError(f"must have a clock of whole steps or picoseconds, not {shown(clock)}")
    if scales is not None and not all(isinstance(scale, float) for scale in scales.values()):
        raise FileError(f"must have scales that are numbers, not {shown(scales)}")
    state = NetworkState(
        clock,
        content["seconds"],
        scales,
        _states("neurons", content, tensors),
        _states("synapses", content, tensors),
        {
            name: _line(due, tensors.pop(f"delays/{name}"))
            for name, due in content["delays"].items()
        },
        _states("couplings", {"couplings": {}} | content, tensors),
    )
    if tensors:
        raise FileError(f"must have no tensor of its own, not {shown(sorted(tensors), 160)}")
    return state


def _states(
    part: str, content: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> dict[str, dict[str, torch.Tensor]]:
    return {
        owner: {name: tensors.pop(f"{part}/{owner}/{name}") for name in names}
        for owner, names in content[part].items()
    }


def _line(due: list[int], events: torch.Tensor) -> DelayLine:
    if not all(type(time) is int and time >= 0 for time in due) or due != sorted(due):
        raise FileError(f"must have times of delayed events in order, not {shown(due)}")
    if events.ndim != 3 or events.shape[1] != len(due):
        raise FileError(
            f"must have delayed events of shape (samples, {len(due)}, size), not "
            f"{tuple(events.shape)}"
        )
    return DelayLine(tuple(due), events)
