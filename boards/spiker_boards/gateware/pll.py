"""Clocks: dividers of PLLs, by the families' data sheets, and the cells of these PLLs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Out

from spiker_hdl.base.checks import check_choice, check_int
from spiker_hdl.tools.families import FAMILIES

__all__ = ["Clock", "Dividers", "find_dividers"]

NEAR = 0.01
"""Relative error of a PLL's frequency that is accepted."""


@dataclass(frozen=True)
class Dividers:
    """Settings of a PLL.

    Members
    -------
    source, frequency : float
        Frequencies at the input and at the output, in Hz.
    divide, multiply, out : int
        Dividers of the input, in the feedback, and of the PLL's oscillator.
    """

    source: float
    frequency: float
    divide: int
    multiply: int
    out: int


@dataclass(frozen=True)
class _Range:
    """Limits of a PLL: its dividers, and the MHz of its phase detector and its oscillator.

    With ``inside``, the output divider is part of the feedback: the output, and not the oscillator,
    has ``multiply`` times the frequency of the phase detector.
    """

    divide: range
    multiply: range
    out: tuple[int, ...]
    detector: tuple[float, float]
    oscillator: tuple[float, float]
    inside: bool


# From Lattice's iCE40 sysCLOCK guide (FPGA-TN-02052) and ECP5 sysCLOCK guide (FPGA-TN-02200),
# Gowin's UG286, and Xilinx' DS181 for speed grade -1. Gowin's limits are the narrower ones of its
# two families.
_RANGES = {
    "ice40": _Range(
        range(1, 17), range(1, 65), tuple(2**n for n in range(1, 7)), (10, 133), (533, 1066), False
    ),
    "ecp5": _Range(
        range(1, 129), range(1, 81), tuple(range(1, 129)), (3.125, 400), (400, 800), True
    ),
    "gowin": _Range(
        range(1, 65),
        range(1, 65),
        (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128),
        (3, 400),
        (500, 1200),
        True,
    ),
    "xc7": _Range(range(1, 57), range(2, 65), tuple(range(1, 129)), (19, 450), (800, 1600), False),
    "cyclonev": _Range(
        range(1, 33), range(1, 65), tuple(range(1, 65)), (5, 325), (600, 1300), False
    ),
}


def _settings(limits: _Range, source: float) -> Iterator[Dividers]:
    for divide in limits.divide:
        detector = source / divide
        if not limits.detector[0] * 1e6 <= detector <= limits.detector[1] * 1e6:
            continue
        # The oscillator must be in its range; where the output divider is part of the feedback, it
        # makes the oscillator faster by as much.
        for multiply in limits.multiply:
            for out in limits.out:
                oscillator = detector * multiply * (out if limits.inside else 1)
                if limits.oscillator[0] * 1e6 <= oscillator <= limits.oscillator[1] * 1e6:
                    yield Dividers(source, oscillator / out, divide, multiply, out)


def find_dividers(family: str, source: int, frequency: int) -> Dividers:
    """Return the settings of a family's PLL that come nearest to a frequency.

    Parameters
    ----------
    family : str
    source, frequency : int
        Frequencies of oscillator and output in Hz.

    Raises
    ------
    ValueError
        If none is within 1 %.
    """
    check_choice("Family", family, sorted(FAMILIES))
    source = check_int("Source", source, 1)
    frequency = check_int("Frequency", frequency, 1)
    best = min(
        _settings(_RANGES[family], source),
        # Among equals, the fastest phase detector is best: it has the least jitter.
        key=lambda settings: (
            round(abs(settings.frequency - frequency)),
            settings.divide,
            settings.out,
        ),
        default=None,
    )
    if best is None or abs(best.frequency / frequency - 1) > NEAR:
        near = "none" if best is None else f"{best.frequency / 1e6:g} MHz at best"
        raise ValueError(
            f"Clock must be one that a PLL of {FAMILIES[family].title} makes of "
            f"{source / 1e6:g} MHz, not {frequency / 1e6:g} MHz: {near}"
        )
    return best


def _ice40(port: Any, dividers: Dividers, clk: Signal, locked: Signal) -> Instance:
    # The loop filter is chosen by the MHz of the phase detector.
    detector = dividers.source / dividers.divide / 1e6
    bounds = (17, 26, 44, 66, 101)
    # This PLL has the pad as its input: the pin goes through no input buffer.
    return Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=C(dividers.divide - 1, 4),
        p_DIVF=C(dividers.multiply - 1, 7),
        p_DIVQ=C(dividers.out.bit_length() - 1, 3),  # an exponent of two
        p_FILTER_RANGE=C(1 + sum(detector >= bound for bound in bounds), 3),
        io_PACKAGEPIN=port.io,
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clk,
        o_LOCK=locked,
    )


def _ecp5(source: Any, dividers: Dividers, clk: Signal, locked: Signal) -> Instance:
    return Instance(
        "EHXPLLL",
        p_CLKI_DIV=dividers.divide,
        p_CLKFB_DIV=dividers.multiply,
        p_CLKOP_DIV=dividers.out,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_CPHASE=dividers.out - 1,  # no phase shift
        p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        i_CLKI=source,
        i_CLKFB=clk,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=0,
        i_PHASESTEP=0,
        i_PHASELOADREG=0,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=1,
        o_CLKOP=clk,
        o_LOCK=locked,
    )


def _gowin(source: Any, dividers: Dividers, clk: Signal, locked: Signal, device: str) -> Instance:
    return Instance(
        "rPLL",
        p_FCLKIN=f"{dividers.source / 1e6:g}",
        p_DEVICE=device,
        p_IDIV_SEL=dividers.divide - 1,
        p_FBDIV_SEL=dividers.multiply - 1,
        p_ODIV_SEL=dividers.out,
        p_DYN_IDIV_SEL="false",
        p_DYN_FBDIV_SEL="false",
        p_DYN_ODIV_SEL="false",
        p_DYN_DA_EN="false",
        p_PSDA_SEL="0000",
        p_DUTYDA_SEL="1000",
        p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false",
        p_CLKOUTP_BYPASS="false",
        p_CLKOUTD_BYPASS="false",
        i_CLKIN=source,
        i_CLKFB=0,
        i_RESET=0,
        i_RESET_P=0,
        i_FBDSEL=C(0, 6),
        i_IDSEL=C(0, 6),
        i_ODSEL=C(0, 6),
        i_PSDA=C(0, 4),
        i_DUTYDA=C(0, 4),
        i_FDLY=C(0, 4),
        o_CLKOUT=clk,
        o_LOCK=locked,
    )


def _xc7(m: Module, source: Any, dividers: Dividers, clk: Signal, locked: Signal) -> Instance:
    # The feedback does not leave the PLL: no edge has to match that of the pin.
    feedback, output = Signal(), Signal()
    m.submodules.global_clock = Instance("BUFG", i_I=output, o_O=clk)
    return Instance(
        "PLLE2_BASE",
        p_CLKIN1_PERIOD=1e9 / dividers.source,
        p_DIVCLK_DIVIDE=dividers.divide,
        p_CLKFBOUT_MULT=dividers.multiply,
        p_CLKOUT0_DIVIDE=dividers.out,
        i_CLKIN1=source,
        i_CLKFBIN=feedback,
        i_RST=0,
        i_PWRDWN=0,
        o_CLKFBOUT=feedback,
        o_CLKOUT0=output,
        o_LOCKED=locked,
    )


def _cyclonev(source: Any, dividers: Dividers, clk: Signal, locked: Signal) -> Instance:
    # Quartus finds the dividers itself.
    return Instance(
        "altera_pll",
        p_fractional_vco_multiplier="false",
        p_reference_clock_frequency=f"{dividers.source / 1e6:.6f} MHz",
        p_operation_mode="direct",
        p_number_of_clocks=1,
        p_output_clock_frequency0=f"{dividers.frequency / 1e6:.6f} MHz",
        p_phase_shift0="0 ps",
        p_duty_cycle0=50,
        i_refclk=source,
        i_rst=0,
        o_outclk=clk,
        o_locked=locked,
    )


class Clock(wiring.Component):
    """The clock of an accelerator, made from the pin of the board's oscillator.

    Parameters
    ----------
    port : io.PortLike
    family, device : str
    source, frequency : int
        Frequencies of oscillator and accelerator in Hz; a PLL makes the second from the first
        unless they are equal.

    Attributes
    ----------
    frequency : float
        The frequency that the PLL reaches, in Hz.

    Members
    -------
    clk : Out(1)
        The clock.
    locked : Out(1)
        High once the clock is steady; always, where there is no PLL.
    source : Out(1)
        The oscillator itself; constant with a PLL of iCE40, to which the pin is wired directly.
    """

    clk: Signal
    locked: Signal
    source: Signal

    def __init__(self, port: Any, family: str, device: str, source: int, frequency: int):
        self.port = port
        self.family = family
        self.device = device
        self.dividers = None if source == frequency else find_dividers(family, source, frequency)
        self.frequency = float(frequency) if self.dividers is None else self.dividers.frequency
        super().__init__({"clk": Out(1), "locked": Out(1), "source": Out(1)})

    def elaborate(self, platform):
        m = Module()

        dividers = self.dividers
        if dividers is not None and self.family == "ice40":
            m.submodules.pll = _ice40(self.port, dividers, self.clk, self.locked)
        else:
            m.submodules.pin = pin = io.Buffer(io.Direction.Input, self.port)
            m.d.comb += self.source.eq(pin.i)
            if dividers is None:
                m.d.comb += [self.clk.eq(pin.i), self.locked.eq(1)]
            elif self.family == "gowin":
                m.submodules.pll = _gowin(pin.i, dividers, self.clk, self.locked, self.device)
            elif self.family == "xc7":
                m.submodules.pll = _xc7(m, pin.i, dividers, self.clk, self.locked)
            else:
                make = {"ecp5": _ecp5, "cyclonev": _cyclonev}[self.family]
                m.submodules.pll = make(pin.i, dividers, self.clk, self.locked)
        # The other tools derive the constraint of a PLL's output from the constraint of the pin.
        if dividers is not None and self.family == "cyclonev":
            platform.add_clock_constraint(self.clk, self.frequency)

        return m
