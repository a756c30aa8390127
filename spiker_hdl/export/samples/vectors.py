"""Samples and expected results, as files of hexadecimal words."""

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
    """The samples that a test bench reads, and the results that it expects.

    Members
    -------
    samples : int
        Number of samples.
    user_samples : int
        Number of samples, from the first on, that are the user's; the others are generated.
    beats : mapping of str to list of int
        By input: the payload of each beat, with a bit above it that is 1 in a sample's last beat.
    widths : mapping of str to int
        By input: bits of a payload, without that bit.
    expected : list of int
        The result of each sample.
    width : int
        Bits of a result.
    fields : mapping
        The fields of a result that are compared: see :func:`~.fields.result_fields`.
    timed : int
        Number of samples, from the first on, whose cycles are known too.
    timeout : int
        Cycles without a result after which something must be wrong.
    """

    samples: int
    user_samples: int
    beats: dict[str, list[int]]
    widths: dict[str, int]
    expected: list[int]
    width: int
    fields: dict[tuple[str, ...], Field]
    timed: int
    timeout: int

    def followed_by(self, generated: "Vectors") -> "Vectors":
        """Return these vectors with generated ones behind them."""
        return replace(
            self,
            samples=self.samples + generated.samples,
            beats={port: [*beats, *generated.beats[port]] for port, beats in self.beats.items()},
            expected=[*self.expected, *generated.expected],
            timeout=max(self.timeout, generated.timeout),
        )

    def for_axis(self, fault: Field) -> "Vectors":
        """Return the vectors for ports of AXI: with the field ``fault``, which is 0, and no cycles.

        Queues around the accelerator add cycles to a sample, and how many depends on how long the
        accelerator has rested.
        """
        fields = self.fields | {("fault",): fault}
        return replace(self, timed=0, width=self.width + 1, fields=fields)

    def files(self) -> dict[str, str]:
        """Return the text of each file, by name."""
        return {
            **{f"{port}.hex": _hex(self.beats[port], self.widths[port] + 1) for port in self.beats},
            "expected.hex": _hex(self.expected, self.width),
        }


def make_vectors(accelerator: Accelerator, stimuli: Stimulus, expected: Result) -> Vectors:
    """Make vectors from samples of the user.

    Parameters
    ----------
    accelerator : Accelerator
    stimuli : Stimulus
        The samples.
    expected : Result
        Their result, from any engine; cycles are compared if the engine counts them.

    Raises
    ------
    ValueError
        If the result has a value that does not fit the accelerator's fields.
    """
    beats, widths = {}, {}
    for node in accelerator.network.inputs:
        port = accelerator.ports[node.name]
        widths[port] = Value.cast(getattr(accelerator, port).p).shape().width
        beats[port] = []
        for sample in stimuli.values[node.name]:
            *others, last = payloads(accelerator, node, sample)
            beats[port] += [*others, last | 1 << widths[port]]
    fields = result_fields(accelerator)
    return Vectors(
        samples=len(stimuli),
        user_samples=len(stimuli),
        beats=beats,
        widths=widths,
        expected=[pack(fields, values_of(expected, n)) for n in range(len(stimuli))],
        width=accelerator.o.p.shape().size,
        fields=fields,
        timed=0 if expected.cycles is None else len(stimuli),
        timeout=result_timeout(accelerator.network, accelerator.mapping, int(max(stimuli.steps))),
    )


def _hex(words: Iterable[int], width: int) -> str:
    digits = -(-width // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)
