"""What the link lets through: bytes of a sample on the wire, and how many samples a second."""

from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spiker_hdl.link.protocol.frames import DATA, RESULT, Frame, Identity, encode
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads, value_payloads
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.model.stimulus import stimulus

from .target import Target

__all__ = ["LinkRate", "link_rate", "sample_bytes", "typical_rate"]

VERSION = "0.0.0"
"""Of the library: its digits take part in an identity, not in a sample."""

STEPS = 8
"""Time steps of a sample where neither network nor user says how many."""


@dataclass(frozen=True)
class LinkRate:
    """What a link lets through where no byte is lost.

    Members
    -------
    bytes_in : float
        Bytes of a sample's frames of data on the wire, in the mean.
    bytes_out : int
        Bytes of a sample's frames of results.
    samples_per_second : float or None
        At most, since polls and their answers take some more: both ways go on at once, and the
        slower one tells. None where the carrier's speed depends on a program, as of a mailbox.
    """

    bytes_in: float
    bytes_out: int
    samples_per_second: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the members by name."""
        return asdict(self)

    def __str__(self) -> str:
        """Say it in words."""
        text = f"{self.bytes_in:,.0f} bytes there and {self.bytes_out:,} back a sample"
        if self.samples_per_second is None:
            return text
        return f"{text}, at most {self.samples_per_second:,.0f} samples a second"


def _wire(code: int, payload: bytes) -> int:
    return len(encode(Frame(code, 0, 1, payload)))


def sample_bytes(
    network: Network, mapping: Mapping, sample: Table[str, np.ndarray]
) -> tuple[int, int]:
    """Return bytes on the wire of a sample's frames of data, and of its frames of results.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    sample : mapping of str to array of int, shape (steps, size)
        By the names of the inputs.
    """
    identity = Identity.of(network, mapping, VERSION)
    ports = [Port.of(node, number, identity) for number, node in enumerate(network.inputs)]
    sent = sum(_wire(DATA.code, payload) for payload in data_payloads(ports, dict(sample)))
    return sent, _result_bytes(network, mapping)


def _result_bytes(network: Network, mapping: Mapping) -> int:
    layout = ResultLayout(with_worst_case_bounds(network, mapping.writable))
    whole, overhead = layout.size, _wire(RESULT.code, b"")
    return whole + layout.frames * overhead


def link_rate(
    target: Target,
    network: Network,
    mapping: Mapping,
    spikes: Any,
    encoding: Encoding | None = None,
) -> LinkRate:
    """Return what a board's link lets through of samples like these.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping
    spikes : array of int, list of arrays, or a mapping from input names to such
        As :func:`spiker_hdl.run` takes them.
    encoding : Encoding, optional
        That of an encoder on the board, which takes a value of each channel: of each sample, or
        for ``"delta"`` of each step.
    """
    given = stimulus(network, spikes)
    if encoding is None:
        samples = (given.sample(n) for n in range(len(given)))
        sizes = [sample_bytes(network, mapping, sample)[0] for sample in samples]
        bytes_in = float(np.mean(sizes))
    else:
        sample = given.sample(0)
        steps = len(sample[network.inputs[0].name]) if encoding.steps is None else 1
        channels = network.inputs[0].size // encoding.fan
        values = np.zeros((steps, channels), dtype=np.int64)
        payloads = value_payloads(encoding.bits, values)
        bytes_in = float(sum(_wire(DATA.code, payload) for payload in payloads))
    bytes_out = _result_bytes(network, mapping)
    carried = target.bytes_per_second
    most = None if carried is None else carried / max(bytes_in, bytes_out)
    return LinkRate(bytes_in, bytes_out, most)


def typical_rate(target: Target, network: Network, mapping: Mapping) -> LinkRate:
    """Return what a board's link lets through of samples as long as the network's notes say.

    As spike vectors, silent samples have as many bytes as others; as events, this is the most that
    the link can let through at all.
    """
    given = network.note.get("steps", "")
    steps = int(given) if given.isdecimal() else STEPS
    steps = max(1, min(steps, network.max_steps))
    spikes = {node.name: np.zeros((1, steps, node.size), np.int64) for node in network.inputs}
    return link_rate(target, network, mapping, spikes)
