"""Samples and what is expected of them, as files of hexadecimal words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from amaranth import Value

from spiker_hdl.model import Result, Stimulus
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.payloads.design import result_timeout
from spiker_hdl.payloads.fields import Field, pack, result_fields, values_of
from spiker_hdl.rtl import Accelerator

__all__ = ["Vectors", "make_vectors"]


@dataclass(frozen=True)
class Vectors:
    """What a test bench reads.

    Members
    -------
    samples : int
        How many there are.
    given : int
        Of these, how many are the user's, which come first; the others are made up.
    beats : mapping of str to list of int
        By input: the payload of each beat, with a bit above that marks the last of a sample.
    widths : mapping of str to int
        By input: bits of a payload, without that mark.
    expected : list of int
        The result of each sample.
    width : int
        Bits of a result.
    fields : mapping
        Those of a result that are compared: see :func:`~.fields.result_fields`.
    timed : int
        Of how many, from the first on, the cycles are known too.
    timeout : int
        Cycles without a result after which something must be wrong.
    """

    samples: int
    given: int
    beats: dict[str, list[int]]
    widths: dict[str, int]
    expected: list[int]
    width: int
    fields: dict[tuple[str, ...], Field]
    timed: int
    timeout: int

    def then(self, more: "Vectors") -> "Vectors":
        """Return these, and those that were made up behind them."""
        return replace(
            self,
            samples=self.samples + more.samples,
            beats={port: [*each, *more.beats[port]] for port, each in self.beats.items()},
            expected=[*self.expected, *more.expected],
            timeout=max(self.timeout, more.timeout),
        )

    def framed(self, fault: Field) -> "Vectors":
        """Return those for ports of AXI: with the field ``fault``, which is 0, and no cycles.

        What a sample takes depends on how long the accelerator has rested, and queues add to that.
        """
        fields = self.fields | {("fault",): fault}
        return replace(self, timed=0, width=self.width + 1, fields=fields)

    def files(self) -> dict[str, str]:
        """Return the text of each file, by name."""
        return {
            **{f"{port}.hex": _hex(self.beats[port], self.widths[port] + 1) for port in self.beats},
            "expected.hex": _hex(self.expected, self.width),
        }


def make_vectors(accelerator: Accelerator, given: Stimulus, expected: Result) -> Vectors:
    """Make vectors of samples.

    Parameters
    ----------
    accelerator : Accelerator
        Which takes them.
    given : Stimulus
        The samples.
    expected : Result
        What any engine answers to them; cycles are compared if it knows them.

    Raises
    ------
    ValueError
        If it holds a value that no result of the accelerator can.
    """
    beats, widths = {}, {}
    for node in accelerator.network.inputs:
        port = accelerator.ports[node.name]
        widths[port] = Value.cast(getattr(accelerator, port).p).shape().width
        beats[port] = []
        for sample in given.values[node.name]:
            found = payloads(accelerator, node, sample)
            beats[port] += [*found[:-1], found[-1] | 1 << widths[port]]
    fields = result_fields(accelerator)
    return Vectors(
        len(given),
        len(given),
        beats,
        widths,
        [pack(fields, values_of(expected, n)) for n in range(len(given))],
        accelerator.o.p.shape().size,
        fields,
        0 if expected.cycles is None else len(given),
        result_timeout(accelerator.network, accelerator.mapping, int(max(given.steps))),
    )


def _hex(words: Iterable[int], width: int) -> str:
    digits = -(-width // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)
