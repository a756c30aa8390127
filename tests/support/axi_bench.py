"""What cocotb runs beside a simulator: AXI traffic with pauses, and what came back, as JSON.

``AXI_TASK`` of the environment names a JSON file with ``samples`` (by prefix, of lists of bytes in
hexadecimal), ``results``, the ``seed`` and the file for the answers. With ``anew``, these
packets by prefix are sent behind the others, each with a reset while it passes, and a whole sample
behind it.
"""

import itertools
import json
import os
from pathlib import Path
from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)


def pauses(seed):
    """Give at random whether a side waits in a cycle."""
    random = Random(seed)
    chance = random.choice([0.2, 0.5, 0.8])
    while True:
        yield random.random() < chance


async def anew(dut, task, packets, sources, sink, lite, n):
    """Reset while packets pass, and once they have; return the results of samples behind them."""
    for prefix, packet in packets.items():
        await sources[prefix].send(AxiStreamFrame(bytes.fromhex(packet)))
    for _ in range(3 + 7 * n):
        await RisingEdge(dut.aclk)
    await lite.write(0x10, b"\x01\x00\x00\x00")
    for source in sources.values():
        await source.wait()
    for _ in range(20):
        await RisingEdge(dut.aclk)
    await lite.write(0x10, b"\x01\x00\x00\x00")
    for _ in range(20):
        await RisingEdge(dut.aclk)
    while not sink.empty():  # what had come before a reset
        sink.recv_nowait()
    for _ in range(2):
        for prefix, source in sources.items():
            await source.send(AxiStreamFrame(bytes.fromhex(task["samples"][prefix][0])))
    return [bytes((await sink.recv()).tdata).hex() for _ in range(2)]


@cocotb.test()
async def traffic(dut):
    task = json.loads(Path(os.environ["AXI_TASK"]).read_text())
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    reset = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
    sources = {
        prefix: AxiStreamSource(AxiStreamBus.from_prefix(dut, prefix), **reset)
        for prefix in task["samples"]
    }
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), **reset)
    lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), **reset)
    for n, stream in enumerate([*sources.values(), sink]):
        stream.set_pause_generator(pauses(task["seed"] + n))
    for n, channel in enumerate((
        lite.write_if.aw_channel,
        lite.write_if.w_channel,
        lite.write_if.b_channel,
        lite.read_if.ar_channel,
        lite.read_if.r_channel,
    )):
        channel.set_pause_generator(itertools.cycle(Random(n).choices([0, 1], k=17)))
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1

    async def send(prefix):
        for sample in task["samples"][prefix]:
            await sources[prefix].send(AxiStreamFrame(bytes.fromhex(sample)))

    async def watch():
        # Registers are read while samples pass.
        for _ in range(5):
            measured["words"] = [await lite.read_dword(at) for at in range(0, task["bytes"], 4)]

    measured = {}
    sending = [cocotb.start_soon(send(prefix)) for prefix in sources]
    watching = cocotb.start_soon(watch())
    frames = [await sink.recv() for _ in range(task["results"])]
    await Combine(*sending, watching)
    measured["frames"] = [bytes(frame.tdata).hex() for frame in frames]
    measured["samples"] = await lite.read_dword(0x18)
    measured["results"] = await lite.read_dword(0x1C)
    measured["status"] = await lite.read_dword(0x14)
    measured["error"] = await lite.read_dword(0x60)
    measured["faults"] = await lite.read_dword(0x68)
    measured["interrupt"] = int(dut.irq.value)
    measured["anew"] = []
    for n, packets in enumerate(task.get("anew", ())):
        measured["anew"].append(await anew(dut, task, packets, sources, sink, lite, n))
    wrong = await lite.read(0x0C, 4)
    measured["nothing"] = int(wrong.resp)
    measured["written"] = int((await lite.write(0x10, b"\x01\x00\x00\x00")).resp)
    measured["after"] = await lite.read_dword(0x1C)
    await sources["s_axis" if "s_axis" in sources else min(sources)].wait()
    Path(task["answers"]).write_text(json.dumps(measured))
