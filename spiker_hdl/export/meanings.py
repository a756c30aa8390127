"""What a manifest says of the meaning of an emission, so that nobody need guess."""

from typing import Any

from spiker_hdl.export.samples.generated import Coverage
from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.model import Readout
from spiker_hdl.rtl import Accelerator

__all__ = ["bench_json", "breaches", "packing", "result_meanings", "score_meaning"]

_SCORES = {
    "count": "spikes in all steps of the sample",
    "first": "steps from its first spike on, that step among them; 0 if it never fires",
    "last": "potential after the last step of the sample",
    "largest": "greatest potential after any step of the sample",
    "sum": "sum of the potentials after all steps of the sample",
}


def score_meaning(readout: Readout) -> str:
    """Return what a score of a readout is."""
    text = _SCORES[readout.kind]
    if not readout.groups:
        return f"score n is of neuron n: {text}"
    return (
        f"score n is of neurons n * s to n * s + s - 1, with s the neurons of the population by "
        f"{readout.groups}, summed up: {text}"
    )


def result_meanings(accelerator: Accelerator, axis: bool) -> dict[str, str]:
    """Return what each field of a result means, by the last part of its name."""
    found = {
        "winner": "the class with the greatest score; of several that share it, the lowest",
        "scores": "one for each class, the lowest class first; see the kind of the readout",
        "steps": "time steps that the sample had",
        "answer": "whether the scores are final: always 1 here, with one result a sample",
        "last": "whether the sample has ended: always 1 here, with one result a sample",
        "counts.*": "spikes of all neurons of a population in all steps of the sample",
        "cycles": "see timing; modulo 2**32, and no part of what the network answers",
    }
    if axis:
        found["fault"] = (
            "whether something was wrong with a packet of the sample, so that the result is not "
            "that of what was meant: see the breaches, and the register `error`"
        )
    return found


def packing(accelerator: Accelerator) -> dict[str, str]:
    """Return how values lie among bits, and among beats."""
    found = {
        "bits": (
            "a field has the bits offset to offset + width - 1 of the payload; bit 0 is the port's "
            "bit 0, and a field's lowest bit its least significant; signed fields are in two's "
            "complement; bits of no field are 0 in results and unread in samples"
        ),
        "arrays": (
            "of a field with a count, element n has the bits offset + n * width to "
            "offset + (n + 1) * width - 1"
        ),
        "channels": (
            "the channels of an input are numbered from 0; of one that has several axes, in C "
            "order, the last axis fastest, which the network file has as its shape"
        ),
    }
    if accelerator.mapping.form == "words":
        found["words"] = (
            "beat k of a time step, from 0 on, has channel k * count + n as element n of `values`"
        )
    else:
        found["events"] = (
            "a beat is one event: `address` is its channel, `value` its value (of width 0 where "
            "that is always 1); a beat with `end` ends the step, and has no event"
        )
    return found


def breaches(axis: bool) -> dict[str, str]:
    """Return what happens where what drives the inputs does not keep to the protocol."""
    if axis:
        return {
            "packet that ends inside a step": (
                "nothing fires in the rest of the step; `fault`, and `error.partial`"
            ),
            "packet of more than max_steps steps": (
                "the excess is dropped; `fault`, `error.long`; never does `steps` wrap"
            ),
            "packets of different steps at several inputs": (
                "the first input that ends a step decides whether the sample goes on; nothing "
                "fires in steps that one lacks, and what one has in excess is dropped; `fault`, "
                "`error.unequal`"
            ),
            "event or value that the input does not have, or events that do not ascend": (
                "left out, or 0; `fault`, `error.invalid`"
            ),
            "afterwards": "the next packet is the next sample, and its result is right",
        }
    return {
        "sample of more than max_steps steps": (
            "not noticed: `steps`, scores and counts of its result wrap; the next sample is right"
        ),
        "`last` in a beat that does not end a step": (
            "ignored: the sample goes on with the next beat, and what comes is framed otherwise "
            "than was meant until a reset"
        ),
        "samples of different steps at several inputs": (
            "not noticed: results from there on are undefined, or do not come, until a reset"
        ),
        "event or value that the input does not have, or events that do not ascend": (
            "not noticed: results are undefined, or do not come, until a reset"
        ),
        "valid or payload that changes before the beat is taken": (
            "the beat is taken as it is at the edge at which both valid and ready are 1, or not"
        ),
        "afterwards": "a reset makes all as it was at first",
    }


def bench_json(vectors: Vectors, coverage: Coverage | None) -> dict[str, Any]:
    """Return what the test bench holds, and what was measured of it."""
    found: dict[str, Any] = {
        "samples": vectors.samples,
        "given": vectors.given,
        "made up": vectors.samples - vectors.given,
        "cycles compared of the first": vectors.timed,
        "compares": [
            field.name
            for key, field in vectors.fields.items()
            if field.width and (vectors.timed or key != ("cycles",))
        ],
        "files": {
            **{
                f"vectors/{port}.hex": (
                    f"a line for each beat, in hexadecimal: {width} bits of payload, `last` the "
                    "highest, and above these a bit that is 1 in a sample's last beat"
                )
                for port, width in vectors.widths.items()
            },
            "vectors/expected.hex": (
                f"a line for each sample, in hexadecimal: {vectors.width} bits of the result, 0 "
                "where nothing is compared"
            ),
        },
    }
    found["flipped bits"] = None  # not measured
    if coverage is not None:
        share = coverage.caught / coverage.change if coverage.change else 1.0
        found["flipped bits"] = {
            "drawn": coverage.flips,
            "change an answer": coverage.change,
            "caught": coverage.caught,
            "share caught": round(share, 4),
            "meaning": (
                "single bits of weights, thresholds and biases, each as likely as any other, were "
                "turned over one at a time in the reference; some change an answer to a sample: "
                f"one of {coverage.given} given ones, or of a pool of {coverage.pool} that were "
                "made up; caught are those that change an answer to a sample of the test bench, "
                "and all of what it compares but cycles is an answer"
            ),
        }
    return found
