"""Throughput of the link: bytes of a sample on the wire, and samples a second."""

from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spiker_hdl.link.protocol.frames import DATA, RESULT, Frame, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads, value_payloads
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.model.stimulus import stimulus

from .target import Target

__all__ = ["LinkRate", "link_rate", "sample_bytes", "typical_rate"]

VERSION = "0.0.0"
"""Version of the library in an identity; samples do not depend on it."""

STEPS = 8
"""Time steps of a sample where neither network nor user gives their number."""


@dataclass(frozen=True)
class LinkRate:
    """Throughput of a link that loses no byte.

    Members
    -------
    bytes_in : float
        Mean number of bytes of a sample's frames of data on the wire.
    bytes_out : int
        Bytes of a sample's frames of results.
    samples_per_second : float or None
        Upper bound, since polls and their answers are not counted. Both directions work at once,
        and the slower one decides. None where a program decides, as with a mailbox.
    """

    bytes_in: float
    bytes_out: int
    samples_per_second: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the members by name."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it in words."""
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
    transmitted = sum(_wire(DATA.code, payload) for payload in data_payloads(ports, dict(sample)))
    return transmitted, _result_bytes(network, mapping)


def _result_bytes(network: Network, mapping: Mapping) -> int:
    layout = ResultLayout(with_worst_case_bounds(network, mapping.writable))
    overhead = _wire(RESULT.code, b"")
    return layout.size + layout.frames * overhead


def link_rate(
    target: Target,
    network: Network,
    mapping: Mapping,
    spikes: Any,
    encoding: Encoding | None = None,
) -> LinkRate:
    """Return the throughput of a board's link for samples like these.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping
    spikes : array of int, list of arrays, or a mapping from input names to such
        As :func:`spiker_hdl.run` takes them.
    encoding : Encoding, optional
        Encoding of an encoder on the board, which takes a value of each channel for each sample,
        or, for ``"delta"``, for each step.
    """
    samples = stimulus(network, spikes)
    if encoding is None:
        numbers = range(len(samples))
        sizes = [sample_bytes(network, mapping, samples.sample(n))[0] for n in numbers]
        bytes_in = float(np.mean(sizes))
    else:
        sample = samples.sample(0)
        steps = len(sample[network.inputs[0].name]) if encoding.steps is None else 1
        channels = network.inputs[0].size // encoding.fan
        values = np.zeros((steps, channels), dtype=np.int64)
        payloads = value_payloads(encoding.bits, values)
        bytes_in = float(sum(_wire(DATA.code, payload) for payload in payloads))
    bytes_out = _result_bytes(network, mapping)
    speed = target.bytes_per_second
    rate = None if speed is None else speed / max(bytes_in, bytes_out)
    return LinkRate(bytes_in, bytes_out, rate)


def typical_rate(target: Target, network: Network, mapping: Mapping) -> LinkRate:
    """Return the throughput of a board's link for samples with as many steps as the notes say.

    The samples are silent. As spike vectors they have as many bytes as others; as events they have
    the fewest, which gives the highest throughput of the link.
    """
    noted = network.note.get("steps", "")
    steps = int(noted) if noted.isdecimal() else STEPS
    steps = max(1, min(steps, network.max_steps))
    spikes = {node.name: np.zeros((1, steps, node.size), np.int64) for node in network.inputs}
    return link_rate(target, network, mapping, spikes)
