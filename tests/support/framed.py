"""Packets that are no samples, and what samples they are taken for: a model for the tests."""

import numpy as np
from amaranth import Value

__all__ = ["broken_packet", "fit", "sample_of"]


def sample_of(dut, name, packet):
    """Return the sample that a packet is taken for, and the causes for which it is none.

    Parameters
    ----------
    dut : AxiAccelerator
    name : str
        Of the input.
    packet : list of (int, int)
        ``tdata`` and ``tlast`` of each beat.
    """
    inner = dut.accelerator
    network, form = inner.network, inner.mapping.form
    (node,) = [source for source in network.inputs if source.name == name]
    steps, causes = (_words if form == "words" else _events)(inner, node, packet)
    if len(steps) > network.max_steps:
        # What comes behind the end is not even looked at.
        steps, result = (_words if form == "words" else _events)(
            inner, node, packet, network.max_steps
        )
        causes = {*result, "long"}
    return np.array(steps), causes


def fit(node, steps, length):
    """Cut or lengthen a sample of an input, without events where it was shorter."""
    added = np.zeros((max(0, length - len(steps)), node.size), dtype=int)
    if node.static:
        added[:] = steps[0]
    return np.concatenate([steps[:length], added])


def _words(inner, node, packet, max_steps=None):
    layout = inner.input_ports[node.name].i.p.shape()
    width = inner.input_ports[node.name].width
    bits = layout["values"].width // width
    words = -(-node.size // width)
    steps, causes, values, index = [], set(), np.zeros(node.size, dtype=int), 0
    for tdata, _ in packet:
        if max_steps and len(steps) == max_steps:
            break
        if node.static and steps:
            steps.append(steps[0])
            continue
        for n in range(min(width, node.size - index * width)):
            value = number(tdata >> n * bits, bits, node.low < 0)
            if node.low <= value <= node.high:
                values[index * width + n] = value
            else:
                causes.add("invalid")
        index += 1
        if index == words:
            steps.append(values)
            values, index = np.zeros(node.size, dtype=int), 0
    if index:
        steps.append(values)
        causes.add("partial")
    return steps, causes


def _events(inner, node, packet, max_steps=None):
    layout = inner.input_ports[node.name].i.p.shape()
    steps, causes, values, min_address, open_ = [], set(), np.zeros(node.size, dtype=int), 0, False
    for tdata, _ in packet:
        if max_steps and len(steps) == max_steps:
            break
        open_ = True
        if tdata >> layout["end"].offset & 1:
            steps.append(steps[0] if node.static and steps else values)
            values, min_address, open_ = np.zeros(node.size, dtype=int), 0, False
            continue
        address = tdata & (1 << layout["address"].width) - 1
        value = 1
        if layout["value"].width:
            value = number(tdata >> layout["value"].offset, layout["value"].width, node.low < 0)
        right = min_address <= address < node.size and node.low <= value <= node.high
        if right and not (node.static and steps):
            values[address] = value
            min_address = address + 1
        else:
            causes.add("invalid")
    if open_:
        steps.append(steps[0] if node.static and steps else values)
        causes.add("partial")
    return steps, causes


def number(bits, width, signed):
    """Return the value of some of the lowest bits."""
    value = bits & (1 << width) - 1
    return value - (1 << width) if signed and value >> width - 1 else value


def broken_packet(dut, node, whole, random):
    """Return a packet that is made from a whole one: shorter, longer, empty, or of noise."""
    width = len(Value.cast(dut.accelerator.input_ports[node.name].i.p)) - 1
    kind = random.choice(["cut", "more", "twice", "empty", "noise", "holes"])
    packet = [tdata for tdata, _ in whole]
    if kind == "cut":
        packet = packet[: random.randint(1, len(packet))]
    elif kind == "more":
        packet += [random.getrandbits(width) for _ in range(random.randint(1, 12))]
    elif kind == "twice":
        packet *= random.randint(2, 5)
    elif kind == "empty":
        packet = [random.choice([0, packet[0]])]
    elif kind == "noise":
        packet = [random.getrandbits(width) for _ in range(random.randint(1, 20))]
    else:
        packet = [word for word in packet if random.random() < 0.7] or packet
    return [(tdata, int(n == len(packet) - 1)) for n, tdata in enumerate(packet)]
