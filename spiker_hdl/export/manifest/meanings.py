"""The sentences of a manifest: what ports, fields and samples mean."""

from spiker_hdl.model import Input, Readout
from spiker_hdl.rtl import Accelerator

__all__ = [
    "beat_order",
    "beat_timing",
    "handshake",
    "idle_meaning",
    "packing",
    "port_fields",
    "protocol_violations",
    "result_meanings",
    "sample_meaning",
    "score_meaning",
]

_SCORES = {
    "count": "the number of its spikes in all steps of the sample",
    "first": (
        "the number of steps from its first spike to the end of the sample, the step of that spike "
        "included; 0 if it never fires"
    ),
    "last": "its membrane potential after the last step of the sample",
    "largest": "its greatest membrane potential after any step of the sample",
    "sum": "the sum of its membrane potentials after all steps of the sample",
}


def handshake(axis: bool) -> str:
    """Return how a beat is transferred."""
    standard = "Streams follow ARM IHI 0051A, registers follow ARM IHI 0022. " if axis else ""
    return standard + (
        "A beat is transferred at a rising edge at which both valid and ready are 1. Once valid is "
        "1, valid and the payload must stay until the beat is transferred. Valid must not wait for "
        "ready. Ready may rise and fall at any time."
    )


def idle_meaning(axis: bool) -> str:
    """Return when the port ``idle`` is 1."""
    if axis:
        return "1 while no sample is inside the accelerator and no result waits to be taken."
    return (
        "1 while no sample and no remainder of one is inside the accelerator. A result may still "
        "wait to be taken."
    )


def sample_meaning() -> str:
    """Return what a sample is."""
    return (
        "A sample has 1 to max_steps time steps, and the same number of steps at each input. Every "
        "sample starts with all neurons at rest. Where it is known how samples were made, the "
        "notes of the network name the encoder, the number of steps and the data set."
    )


def port_fields() -> dict[str, str]:
    """Return what the entries of each port mean."""
    return {
        "reset": "The value of an output after a reset; null for an input.",
        "latency": (
            "The number of cycles from a rising edge to the first cycle in which an output can "
            "show an effect of that edge; null for an input. Every output depends on registers "
            "alone, and on no input in the same cycle."
        ),
    }


# -- inputs --------------------------------------------------------------------------------------


def beat_order(accelerator: Accelerator, node: Input, axis: bool) -> str:
    """Return in which order the beats of an input come."""
    if accelerator.mapping.form == "words":
        entry = accelerator.input_ports[node.name]
        order = (
            f"Each time step has {entry.words} beats, with {entry.width} channels each, in "
            "ascending order. A channel without an event is 0, and so are places beyond the last "
            "channel. `last` is 1 in the final beat of the sample's last step."
        )
        if node.static:
            order += (
                " After a sample's first step, each step has one beat, whose values are unread."
            )
    else:
        order = (
            "Each time step has one beat for each event, with addresses in ascending order and "
            "each at most once, and then a beat with `end`. `last` is 1 in the beat that ends the "
            "sample's last step."
        )
        if node.static:
            order += " After a sample's first step, each step has one beat, with `end`."
    return order.replace("`last`", "`tlast`") if axis else order


def beat_timing(form: str) -> str:
    """Return how often a beat of an input is transferred."""
    if form == "words":
        timing = (
            "A beat is transferred every max(1, number of its events) cycles, and the end of a "
            "step takes one more cycle."
        )
    else:
        timing = "A beat is transferred in every cycle while the queues behind it are not full."
    return timing + " The first beat of a sample waits until the result queue has a free place."


def packing(accelerator: Accelerator) -> dict[str, str]:
    """Return where values lie among bits and beats."""
    meanings = {
        "bits": (
            "A field has the bits offset to offset + width - 1 of the payload. Bit 0 of the "
            "payload is bit 0 of the port, and the lowest bit of a field is its least significant "
            "bit. Signed fields are in two's complement. Bits outside all fields are 0 in results "
            "and are not read in samples."
        ),
        "arrays": (
            "In a field with a count, element n has the bits offset + n * width to "
            "offset + (n + 1) * width - 1."
        ),
        "channels": (
            "The channels of an input are numbered from 0. The channels of an input with several "
            "axes are numbered in C order, with the last axis fastest; the network file has its "
            "shape."
        ),
    }
    if accelerator.mapping.form == "words":
        meanings["words"] = (
            "Beat k of a time step, counted from 0, has channel k * count + n as element n of "
            "`values`."
        )
    else:
        meanings["events"] = (
            "A beat is one event: `address` is its channel and `value` its value, which has width "
            "0 where it is always 1. A beat with `end` ends the step and is no event."
        )
    return meanings


# -- results -------------------------------------------------------------------------------------


def score_meaning(readout: Readout) -> str:
    """Return what a score of a readout is."""
    score = _SCORES[readout.kind]
    if not readout.groups:
        return f"Score n belongs to neuron n and is {score}."
    return (
        "Score n is the sum over the neurons n * s to n * s + s - 1, where s is the number of "
        f"neurons in the population divided by {readout.groups}; each neuron adds {score}."
    )


def result_meanings(axis: bool, values: bool = False) -> dict[str, str]:
    """Return what each field of a result means, by the last part of its name.

    Parameters
    ----------
    axis : bool
        Whether results leave by AXI.
    values : bool
        Whether there are populations whose output is a value.
    """
    counted = "spikes, or of outputs other than 0," if values else "spikes"
    meanings = {
        "winner": (
            "The class with the greatest score; of several classes with that score, the lowest."
        ),
        "scores": (
            "One score for each class, the lowest class first; the kind of the readout says what "
            "a score is."
        ),
        "steps": "The number of time steps of the sample.",
        "answer": "Whether the scores are final: always 1 here, where a sample has one result.",
        "last": "Whether the sample has ended: always 1 here, where a sample has one result.",
        "counts.*": f"The number of {counted} of all neurons of a population in all steps.",
        "cycles": (
            "The latency in clock cycles, modulo 2**32: see timing. It is no part of the network's "
            "answer."
        ),
    }
    if axis:
        meanings["fault"] = (
            "Whether a packet of the sample violated the protocol, so that the result is not that "
            "of the intended sample: see protocol_violations and the register `error`."
        )
    return meanings


# -- violations ----------------------------------------------------------------------------------


def protocol_violations(axis: bool) -> dict[str, str]:
    """Return what happens where the source of samples violates the protocol."""
    return _AXI_VIOLATIONS if axis else _STREAM_VIOLATIONS


_AXI_VIOLATIONS = {
    "a packet ends inside a step": (
        "No further event counts in that step. `fault` and `error.partial` are set."
    ),
    "a packet has more than max_steps steps": (
        "The steps beyond max_steps are dropped, and `steps` does not wrap. `fault` and "
        "`error.long` are set."
    ),
    "the packets of a sample have different numbers of steps at several inputs": (
        "The first input that ends a step decides whether the sample continues. An input that has "
        "fewer steps gives no events in the missing ones, and steps in excess are dropped. `fault` "
        "and `error.unequal` are set."
    ),
    "an event or a value is out of the input's range, or events do not ascend": (
        "The event is dropped, or the value is taken as 0. `fault` and `error.invalid` are set."
    ),
    "recovery": "The next packet is the next sample, and its result is right.",
}

_STREAM_VIOLATIONS = {
    "a sample has more than max_steps steps": (
        "It is not detected. `steps`, scores and counts of its result wrap. The next sample is "
        "right."
    ),
    "`last` is 1 in a beat that does not end a step": (
        "`last` is ignored: the sample continues with the next beat, and sample boundaries are not "
        "the intended ones until a reset."
    ),
    "a sample has different numbers of steps at several inputs": (
        "It is not detected. From there on, results are undefined or do not come until a reset."
    ),
    "an event or a value is out of the input's range, or events do not ascend": (
        "It is not detected. Results are undefined or do not come until a reset."
    ),
    "valid or the payload changes before the beat is transferred": (
        "The beat has the payload of the edge at which both valid and ready are 1, if there is one."
    ),
    "recovery": "A reset restores the initial state.",
}
