# amaranth: UnusedElaboratable=no

"""VHDL of random expressions and statements against Amaranth's simulator."""

import itertools
import random

import pytest
from amaranth import *

from support.ghdl import Design, cosimulate, needs_ghdl

WIDTHS = [0, 1, 2, 3, 5, 8]


def shapes(max_width=8):
    return [unsigned(width) for width in WIDTHS if width <= max_width] + [
        signed(width) for width in WIDTHS if 0 < width <= max_width
    ]


class Operators(Elaboratable):
    """Each operator on operands of two shapes, and one narrower and one wider than its result."""

    def __init__(self, first, second):
        self.a = Signal(first, name="a")
        self.b = Signal(second, name="b")
        a, b = self.a, self.b
        shift = b.as_unsigned()[:4]
        results = {
            "add": a + b,
            "sub": a - b,
            "mul": a * b,
            "div": a // b,
            "mod": a % b,
            "both": a & b,
            "either": a | b,
            "xor": a ^ b,
            "shl": a << shift,
            "shr": a >> shift,
            "eq": a == b,
            "ne": a != b,
            "lt": a < b,
            "le": a <= b,
            "gt": a > b,
            "ge": a >= b,
            "mux": Mux(a, b, a),
            "neg": -a,
            "inv": ~a,
            "abs": abs(a),
            "any": a.any(),
            "all": a.all(),
            "parity": a.xor(),
            "bool": a.bool(),
            "bits": a.bit_select(shift, 3),
            "bit": a.bit_select(shift, 1),
            "words": a.word_select(shift, 2),
            "cat": Cat(a, b, a),
            "repeated": a.replicate(3),
            "left": a.rotate_left(2) if len(a) else a,
            "fixed": a.shift_left(2),
            "down": a.shift_right(1),
            "five": a + 5,
            "less": a - 3,
            "from_seven": 7 - a,
            "times": a * 6,
            "divided": a // 3,
            "rest": a % 5,
            "over": 100 // b,
            "under": -100 // b,
            "under_rest": -100 % b,
            "minus_two": a * -2,
            "below": a // -3,
            "above_two": a > 2,
            "below_zero": a < 0,
            "near": (a >= -2) & (a <= 2),
        }
        self.outputs = []
        self.pairs = []
        for name, value in results.items():
            width = len(Value.cast(value))
            for label, shape in {"": width, "short": (width + 1) // 2, "long": width + 3}.items():
                target = Signal(Shape(max(shape, 1), label == "long"), name=f"{name}_{label}")
                self.outputs.append(target)
                self.pairs.append((target, value))

    def elaborate(self, platform):
        m = Module()
        for target, value in self.pairs:
            m.d.comb += target.eq(value)
        return m


class Drawn(Elaboratable):
    """Random registers, wires and outputs, driven by random statements."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.inputs = [self.signal(f"i{k}") for k in range(rng.randint(2, 4))]
        self.registers = [self.signal(f"r{k}", init=True) for k in range(rng.randint(1, 4))]
        self.wires = [self.signal(f"w{k}", init=True) for k in range(rng.randint(1, 4))]
        self.outputs = [self.signal(f"o{k}", least=1) for k in range(3)]

    def signal(self, name, *, init=False, least=0):
        rng = self.rng
        shape = rng.choice([shape for shape in shapes() if shape.width >= least])
        if rng.random() < 0.05:
            shape = Shape(40, rng.random() < 0.5)
        if not init:
            return Signal(shape, name=name)
        low = -(1 << shape.width - 1) if shape.signed else 0
        start = rng.randint(low, low + (1 << shape.width) - 1)
        return Signal(shape, name=name, init=start, reset_less=rng.random() < 0.2)

    def value(self, known, depth):
        """Draw an expression of ``known`` signals."""
        rng = self.rng
        if depth == 0 or rng.random() < 0.15:
            if rng.random() < 0.75:
                return rng.choice(known)
            width = rng.choice(WIDTHS[1:])
            return Const(rng.getrandbits(width), Shape(width, rng.random() < 0.4))
        a = self.value(known, depth - 1)
        b = self.value(known, depth - 1)
        if len(a) > 40 or len(b) > 40:
            a, b = a[:40], b[:40]
        kind = rng.randrange(25)
        if kind < 12:
            operations = [
                lambda: a + b,
                lambda: a - b,
                lambda: a & b,
                lambda: a | b,
                lambda: a ^ b,
                lambda: a[:16] * b[:16],
                lambda: a == b,
                lambda: a < b,
                lambda: a >= b,
                lambda: a[:20] // b,
                lambda: a[:20] % b,
                lambda: a.as_signed()[:12] // b.as_signed() if len(a) and len(b) else a,
            ]
            return operations[kind]()
        match kind:
            case 12 | 13 | 14:
                return Mux(self.value(known, 1), a, b)
            case 15:
                return Cat(a, b)
            case 16:
                return a[: len(a) // 2] if rng.random() < 0.5 else a[len(a) // 2 :]
            case 17:
                return a.as_signed() if len(a) else a
            case 18:
                return ~a if rng.random() < 0.5 else -a
            case 19:
                return a << b.as_unsigned()[:3]
            case 20:
                return a >> b.as_unsigned()
            case 21:
                # Past the end of a cast sign, Amaranth's simulator and its RTLIL differ.
                return Cat(a).bit_select(b.as_unsigned()[:4], rng.randrange(4))
            case 22:
                return rng.choice([a.any, a.all, a.xor, a.bool])()
            case 23:
                return a.replicate(rng.randrange(3))
        return a.matches(*self.patterns(len(a))) if len(a) else a

    def patterns(self, width):
        rng = self.rng
        count = rng.randint(1, 3)
        return ["".join(rng.choice("01-") for _ in range(width)) for _ in range(count)]

    def statements(self, m, domain, targets, known, depth):
        """Draw statements that drive ``targets``."""
        rng = self.rng
        for _ in range(rng.randint(1, 3)):
            choice = rng.random()
            if depth == 0 or choice < 0.4:
                target = rng.choice(targets)
                value = self.value(known, 2)
                shape = rng.random()
                if shape < 0.15 and len(target) > 1:
                    low = rng.randrange(len(target))
                    domain += target[low : rng.randint(low, len(target))].eq(value)
                elif shape < 0.25 and len(target) > 1:
                    index = rng.choice(known).as_unsigned()[:3]
                    domain += target.bit_select(index, 2).eq(value)
                elif shape < 0.3 and len(targets) > 1:
                    domain += Array(targets)[rng.choice(known).as_unsigned()[:2]].eq(value)
                else:
                    domain += target.eq(value)
            elif choice < 0.7:
                with m.If(self.value(known, 2).bool()):
                    self.statements(m, domain, targets, known, depth - 1)
                if rng.random() < 0.5:
                    with m.Elif(self.value(known, 2).bool()):
                        self.statements(m, domain, targets, known, depth - 1)
                if rng.random() < 0.5:
                    with m.Else():
                        self.statements(m, domain, targets, known, depth - 1)
            else:
                subject = self.value(known, 1)[:6]
                with m.Switch(subject):
                    for _ in range(rng.randint(1, 4)):
                        patterns = self.patterns(len(subject))
                        if rng.random() < 0.5:
                            patterns = [text.replace("-", "0") for text in patterns]
                        with m.Case(*patterns):
                            self.statements(m, domain, targets, known, depth - 1)
                    if rng.random() < 0.6:
                        with m.Default():
                            self.statements(m, domain, targets, known, depth - 1)

    def elaborate(self, platform):
        m = Module()
        known = [*self.inputs, *self.registers]
        for wire in self.wires:
            self.statements(m, m.d.comb, [wire], known, 1)
            known.append(wire)
        for output in self.outputs:
            m.d.comb += output.eq(self.value(known, 3))
        self.statements(m, m.d.sync, self.registers, known, 2)
        return m


def drawn(seed):
    # Elaborated more than once, so everything is drawn anew from the seed each time.
    dut = Drawn(seed)
    state = dut.rng.getstate()
    elaborate = dut.elaborate

    def again(platform):
        dut.rng.setstate(state)
        return elaborate(platform)

    dut.elaborate = again
    return Design(f"drawn_{seed}", dut, [*dut.inputs, *dut.outputs], len(dut.inputs))


def operators(pairs):
    for first, second in pairs:
        dut = Operators(first, second)
        name = (
            f"ops_{first!r}_{second!r}".replace("(", "").replace(")", "").replace("unsigned", "u")
        )
        name = name.replace("signed", "s")
        yield Design(name, dut, [dut.a, dut.b, *dut.outputs], 2)


@needs_ghdl
def test_operators(tmp_path):
    pairs = [
        (unsigned(0), unsigned(2)),
        (unsigned(2), unsigned(0)),
        (unsigned(1), signed(1)),
        (unsigned(3), unsigned(2)),
        (signed(3), signed(2)),
        (signed(2), unsigned(5)),
        (unsigned(5), signed(3)),
        (signed(1), signed(5)),
        (unsigned(34), signed(33)),
    ]
    cosimulate(tmp_path, operators(pairs), cycles=150, apart=False)


@needs_ghdl
@pytest.mark.slow
def test_operators_of_all_shapes(tmp_path):
    pairs = list(itertools.product(shapes(5), shapes(5)))
    cosimulate(tmp_path, operators(pairs), cycles=300, apart=False)


@needs_ghdl
def test_random_designs(tmp_path):
    cosimulate(tmp_path, map(drawn, range(100)), cycles=40, apart=False)


@needs_ghdl
@pytest.mark.slow
@pytest.mark.parametrize("batch", range(10))
def test_more_random_designs(batch, tmp_path):
    first = 1000 + 100 * batch
    cosimulate(tmp_path, map(drawn, range(first, first + 100)), cycles=60, apart=False)
