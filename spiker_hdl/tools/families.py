"""The families of devices: how each is synthesised, placed and counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["CELL_KINDS", "DEVICES", "FAMILIES", "MODELLED", "Device", "Family", "Models"]


@dataclass(frozen=True)
class Models:
    """Models of a family's cells, for simulations of netlists.

    Members
    -------
    files : tuple of str
        Files of Yosys with the vendor's cells, and those that they include.
    own : tuple of str
        Cells whose models there are empty: this library has its own.
    defines : tuple of str
        Macros with which the models are read.
    simulators : tuple of str
        Simulators that take the models, the preferred one first.
    """

    files: tuple[str, ...]
    simulators: tuple[str, ...]
    own: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """A family of devices.

    Members
    -------
    title : str
        Its maker's name for it.
    lut_inputs : int
        Inputs of a look-up table.
    link_luts, lane_luts : int
        Look-up tables of link and control, and of a lane with a step unit, for estimates: fitted to
        what place and route made of the digits and of MNIST, which they meet within a quarter.
    accumulator_luts, dynamics_luts, product_luts : float
        Look-up tables for a bit of an accumulator, for a bit of a state of synaptic dynamics, and
        for a bit of a value and a bit of its product with a weight; fitted to what synthesis made
        of cores with several receptors and graded events (``benchmarks/area_estimate.py``).
    block_ram_shapes : tuple of (int, int)
        Words and bits of a block RAM, in each way that it can be laid out.
    synthesis : str
        Command of Yosys for a whole device; empty where there is none that is tried.
    area_options : str
        Options of that command by which a part of a design is measured, without pads.
    nextpnr : str
        Program that places and routes.
    placed_cells : mapping of str to str
        What nextpnr calls ``luts``, ``flip_flops``, ``block_rams`` and ``sprams``.
    tools : tuple of str
        Programs that make a bitstream, in order; none where the vendor's alone can.
    bitstream : str
        Suffix of the bitstream's file.
    vendor : str
        The vendor's tool, where that is needed.
    block_ram_cost : int
        Cost of a block RAM, by which Yosys weighs it against registers, of cost 1 a bit, and
        look-up tables for fixed contents; 0 where look-up tables can be memories.
    startup : float
        Seconds from configuration until block RAMs can be read.
    models : Models, optional
        Where netlists can be simulated.
    """

    title: str
    lut_inputs: int
    link_luts: int
    lane_luts: int
    accumulator_luts: float
    dynamics_luts: float
    product_luts: float
    block_ram_shapes: tuple[tuple[int, int], ...]
    synthesis: str = ""
    area_options: str = ""
    nextpnr: str = ""
    placed_cells: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    bitstream: str = ""
    vendor: str = ""
    block_ram_cost: int = 0
    startup: float = 1e-6
    models: Models | None = None


_SHAPES_18K = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))

FAMILIES: Mapping[str, Family] = MappingProxyType({
    "ice40": Family(
        "Lattice iCE40",
        lut_inputs=4,
        link_luts=2900,
        lane_luts=225,
        accumulator_luts=3.1,
        dynamics_luts=7.0,
        product_luts=1.45,
        block_ram_shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        synthesis="synth_ice40",
        area_options="-dsp",
        nextpnr="nextpnr-ice40",
        placed_cells=MappingProxyType({
            "luts": "ICESTORM_LC",
            "block_rams": "ICESTORM_RAM",
            "sprams": "ICESTORM_SPRAM",
        }),
        tools=("yosys", "nextpnr-ice40", "icepack"),
        bitstream="bin",
        block_ram_cost=64,
        # Block RAMs read as zeros at first: for 3 us by observation, and five times that is safe.
        startup=15e-6,
        models=Models(
            ("ice40/cells_sim.v",),
            ("icarus", "verilator"),
            defines=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
        ),
    ),
    "ecp5": Family(
        "Lattice ECP5",
        lut_inputs=4,
        link_luts=2300,
        lane_luts=110,
        accumulator_luts=4.2,
        dynamics_luts=3.5,
        product_luts=1.5,
        block_ram_shapes=_SHAPES_18K,
        synthesis="synth_ecp5",
        nextpnr="nextpnr-ecp5",
        placed_cells=MappingProxyType({
            "luts": "TRELLIS_COMB",
            "flip_flops": "TRELLIS_FF",
            "block_rams": "DP16KD",
        }),
        tools=("yosys", "nextpnr-ecp5", "ecppack"),
        bitstream="bit",
        models=Models(
            (
                "ecp5/cells_sim.v",
                "ecp5/common_sim.vh",
                "ecp5/ccu2c_sim.vh",
                "ecp5/cells_ff.vh",
                "ecp5/cells_io.vh",
            ),
            # Icarus Verilog 11 rejects the models of flip-flops.
            ("verilator",),
            own=("DP16KD",),
        ),
    ),
    "gowin": Family(
        "Gowin",
        lut_inputs=4,
        link_luts=2300,
        lane_luts=110,
        accumulator_luts=4.2,
        dynamics_luts=3.5,
        product_luts=1.5,
        block_ram_shapes=_SHAPES_18K,
        nextpnr="nextpnr-himbaechel-gowin",
        placed_cells=MappingProxyType({
            "luts": "LUT4",
            "flip_flops": "DFF",
            "block_rams": "BSRAM",
        }),
        tools=("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
        bitstream="fs",
    ),
    "xc7": Family(
        "Xilinx 7 series",
        lut_inputs=6,
        link_luts=1400,
        lane_luts=60,
        accumulator_luts=2.4,
        dynamics_luts=3.5,
        product_luts=1.1,
        block_ram_shapes=_SHAPES_18K,
        synthesis="synth_xilinx -family xc7 -flatten",
        area_options="-noiopad -noclkbuf",
        vendor="Vivado",
        models=Models(
            ("xilinx/cells_sim.v",), ("icarus", "verilator"), own=("RAMB18E1", "RAMB36E1")
        ),
    ),
    "cyclonev": Family(
        "Intel Cyclone V",
        lut_inputs=6,
        link_luts=1100,
        lane_luts=50,
        accumulator_luts=2.4,
        dynamics_luts=3.5,
        product_luts=1.1,
        block_ram_shapes=((256, 40), (512, 20), (1024, 10), (2048, 5), (4096, 2), (8192, 1)),
        vendor="Quartus",
    ),
})
"""Families, by name. The logic of a Zynq is of the 7 series."""

MODELLED = tuple(name for name, family in FAMILIES.items() if family.models)
"""Families for which a netlist can be made and simulated."""

CELL_KINDS: tuple[tuple[str, str, int], ...] = (
    ("LUT[1-6]$|SB_LUT4$", "luts", 1),
    ("INV$", "inverters", 1),
    ("FD[RSCP]E|SB_DFF|TRELLIS_FF", "flip_flops", 1),
    ("CARRY4|CCU2C|SB_CARRY", "carries", 1),
    ("MUXF[78]|PFUMX|L6MUX21", "muxes", 1),
    ("RAMB36E1|FIFO36", "block_rams", 2),
    ("RAMB18E1|DP16KD|PDPW16KD|SB_RAM40_4K", "block_rams", 1),
    ("SB_SPRAM256KA", "sprams", 1),
    ("RAM(32M|64M)$", "memory_luts", 4),
    ("RAM(32X1D|64X1D)|RAM128X1S", "memory_luts", 2),
    ("RAM128X1D|RAM256X1S", "memory_luts", 4),
    ("RAM(32|64)X1S|SRL", "memory_luts", 1),
    ("TRELLIS_DPR16X4", "memory_luts", 4),
    ("DSP48E1|MULT18X18D|ALU54B|SB_MAC16", "dsps", 1),
)
"""What a cell of Yosys counts as, and for how many, by a pattern at the start of its name.

The first pattern that fits counts. No name is a cell of two families, so that one table serves all.
"""


@dataclass(frozen=True)
class Device:
    """A device, and the options that name it to its tools.

    Members
    -------
    title : str
        Its maker's name for it, with its speed grade.
    family : str
        One of :data:`FAMILIES`.
    synthesis : str
        Options of the family's command of Yosys.
    options : tuple of str
        Options of nextpnr.
    """

    title: str
    family: str
    synthesis: str
    options: tuple[str, ...]


def _ecp5(size: int) -> Device:
    options = (f"--{size}k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained")
    return Device(f"LFE5U-{size}F, speed 6", "ecp5", "", options)


DEVICES: Mapping[str, Device] = MappingProxyType({
    "ecp5-25f": _ecp5(25),
    "ecp5-45f": _ecp5(45),
    "ecp5-85f": _ecp5(85),
    "up5k": Device(
        "iCE40UP5K",
        "ice40",
        "-device u -dsp",
        ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
    ),
    # In the largest package, since each bit of each port of a netlist takes a pin.
    "hx8k": Device("iCE40HX8K", "ice40", "", ("--hx8k", "--package", "ct256")),
})
"""Devices by name."""
