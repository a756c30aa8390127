"""Models of block RAMs against what vendors document, bit by bit, under Icarus Verilog."""

import shutil
from random import Random

import pytest

from support.block_rams import Memory, Port, accesses, contents, number, simulate

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="iverilog must be installed"
)

# -- ECP5 ----------------------------------------------------------------------------------------

MODES = {"NORMAL": "hold", "WRITETHROUGH": "new", "READBEFOREWRITE": "old"}


def ecp5_instance(parameters, init=None):
    """Return a DP16KD with the contents of an array of words of 18 bits."""
    values = [f".{name}({value})" for name, value in parameters.items()]
    for n in range(64) if init else []:
        word = sum(init[16 * n + k] << 20 * k for k in range(16))
        values.append(f".INITVAL_{n:02X}(320'h{word:080x})")
    pins = []
    for port in "AB":
        low = port.lower()
        for name, width in (("DI", 18), ("AD", 14), ("DO", 18), ("CS", 3)):
            pins += [f".{name}{port}{n}({name.lower()}_{low}[{n}])" for n in range(width)]
        pins += [f".{name}{port}({name.lower()}_{low})" for name in ("CE", "OCE", "WE", "RST")]
        pins.append(f".CLK{port}(clk)")
    return f"  DP16KD #({', '.join(values)}) dut ({', '.join(pins)});\n"


INPUTS = {
    f"{name}_{port}": width
    for port in "ab"
    for name, width in (
        *(("di", 18), ("ad", 14), ("cs", 3)),
        *(("ce", 1), ("oce", 1), ("we", 1), ("rst", 1)),
    )
}


def ecp5_pins(port, width, access):
    """Return what the pins of a port are: byte enables are the lowest address pins."""
    address, write = access.address, int(access.bytes != 0)
    if width >= 18:
        enables = access.bytes or 3
        address = address // (16 if width == 18 else 32) * (16 if width == 18 else 32) | enables
    results = {f"ad_{port}": address, f"we_{port}": write}
    results |= {f"ce_{port}": access.enable, f"rst_{port}": access.reset, f"oce_{port}": 1}
    if width <= 18:
        results[f"di_{port}"] = access.data
    else:
        results |= {"di_a": access.data & 0x3FFFF, "di_b": access.data >> 18}
    return results


def drive_ecp5(directory, widths, modes, *, reset="SYNC", cycles=300, seed=0):
    """Compare a DP16KD with the documents at every clock edge."""
    draw = Random(str((widths, modes, reset, seed)))
    # A port of 36 bits is a whole direction.
    directions = [(w, w) for w in widths]
    if 36 in widths:
        directions = [(0, widths[0]), (widths[1], 0)]
    ports = [Port(r, w, MODES[m]) for (r, w), m in zip(directions, modes, strict=True)]
    memory = Memory(1 << 14, ports, partial=False, shared=False)
    memory.data, memory.parity = contents(draw, 1 << 14)
    words = [
        number(memory.data[16 * n : 16 * n + 8])
        | memory.parity[2 * n] << 8
        | number(memory.data[16 * n + 8 : 16 * n + 16]) << 9
        | memory.parity[2 * n + 1] << 17
        for n in range(1024)
    ]
    vectors, expected = [], [[memory.out(0), memory.out(1)]]
    for _ in range(cycles):
        both = accesses(draw, memory, 1 << 14, writing_resets=False)
        pins = {}
        for name, width, access in zip("ab", widths, both, strict=True):
            # The data pins of both ports are those of the wide one.
            result = ecp5_pins(name, width, access)
            pins |= {key: value for key, value in result.items() if pins.get(key, 0) == 0}
        vectors.append(pins)
        memory.clock(both)
        expected.append([memory.out(0), memory.out(1)])
    parameters = {
        "DATA_WIDTH_A": widths[0],
        "DATA_WIDTH_B": widths[1],
        "WRITEMODE_A": f'"{modes[0]}"',
        "WRITEMODE_B": f'"{modes[1]}"',
        "RESETMODE": f'"{reset}"',
        "ASYNC_RESET_RELEASE": f'"{reset}"',
        "GSR": '"DISABLED"',
    }
    result = simulate(
        directory,
        "ecp5",
        inputs=INPUTS,
        outputs={"do_a": 18, "do_b": 18},
        instance=ecp5_instance(parameters, words),
        vectors=vectors,
    )
    for cycle, (line, row) in enumerate(zip(result, expected, strict=True)):
        out_a, out_b = line
        if widths[1] == 36:
            assert out_b + out_a == row[1], f"cycle {cycle}"
        else:
            if ports[0].read:
                assert out_a[18 - ports[0].read :] == row[0], f"cycle {cycle}, A"
            assert out_b[18 - ports[1].read :] == row[1], f"cycle {cycle}, B"
    return expected


ECP5 = [
    ((18, 18), ("READBEFOREWRITE", "NORMAL"), "SYNC"),
    ((9, 4), ("WRITETHROUGH", "NORMAL"), "ASYNC"),
    ((36, 36), ("NORMAL", "NORMAL"), "SYNC"),
    ((18, 9), ("WRITETHROUGH", "READBEFOREWRITE"), "SYNC"),
    ((1, 2), ("NORMAL", "WRITETHROUGH"), "SYNC"),
    ((4, 18), ("NORMAL", "NORMAL"), "ASYNC"),
    ((2, 9), ("WRITETHROUGH", "WRITETHROUGH"), "SYNC"),
    ((9, 36), ("NORMAL", "NORMAL"), "SYNC"),
    ((36, 4), ("NORMAL", "NORMAL"), "ASYNC"),
    ((9, 9), ("READBEFOREWRITE", "READBEFOREWRITE"), "SYNC"),
]


@needs_icarus
@pytest.mark.parametrize("widths, modes, reset", ECP5[:3])
def test_ecp5(widths, modes, reset, tmp_path):
    expected = drive_ecp5(tmp_path, widths, modes, reset=reset)
    text = "".join(word for line in expected for word in line)
    assert "x" in text  # both ports met
    assert text.count("x") < len(text) / 4


@needs_icarus
@pytest.mark.slow
@pytest.mark.parametrize("widths, modes, reset", ECP5[3:])
def test_ecp5_more(widths, modes, reset, tmp_path):
    drive_ecp5(tmp_path, widths, modes, reset=reset, cycles=1500)


@needs_icarus
def test_ecp5_reset_between_clock_edges(tmp_path):
    # An asynchronous reset that is over before the clock: gone until the next read.
    parameters = {"RESETMODE": '"ASYNC"', "ASYNC_RESET_RELEASE": '"ASYNC"', "DATA_WIDTH_B": 18}
    instance = ecp5_instance(parameters, [0x2A5A5] * 1024)
    instance += "  initial begin #37 force rst_a = 1; #1 force rst_a = 0; end\n"
    result = simulate(
        tmp_path,
        "ecp5",
        inputs=INPUTS,
        outputs={"do_a": 18, "do_b": 18},
        instance=instance,
        # Edges at 6, 16, 26, 36, 46; what is seen 4 later.
        vectors=[{"ce_a": on, "ce_b": 1} for on in (1, 1, 0, 0, 0, 1)],
    )
    value, zero = f"{0x2A5A5:018b}", "0" * 18
    assert [line[0] for line in result] == [zero, value, value, value, zero, zero, value]
    assert [line[1] for line in result[1:]] == [value] * 6


@needs_icarus
@pytest.mark.parametrize(
    "parameters, vector, message",
    [
        ({"DATA_WIDTH_A": 3}, {}, "DATA_WIDTH_A must be 1, 2, 4, 9, 18 or 36"),
        ({"REGMODE_B": '"OUTREG"'}, {}, "REGMODE must be NOREG"),
        (
            {"WRITEMODE_A": '"ODD"'},
            {},
            "WRITEMODE_A must be NORMAL, WRITETHROUGH or READBEFOREWRITE",
        ),
        ({"CLKAMUX": '"INV"'}, {}, "Clocks must not be inverted"),
        ({"CSDECODE_A": '"0b001"'}, {}, "CSDECODE must be 0b000"),
        ({}, {"ce_a": 1, "cs_a": 1}, "CS must be 0"),
        ({}, {"ce_a": 1, "we_a": 1, "rst_a": 1, "ad_a": 3}, "Writes must wait for a reset"),
        (
            {"DATA_WIDTH_A": 4, "WRITEMODE_A": '"READBEFOREWRITE"'},
            {"ce_a": 1, "we_a": 1},
            "READBEFOREWRITE must be of 9 or 18 bits",
        ),
        (
            {"DATA_WIDTH_B": 36},
            {"ce_b": 1, "we_b": 1},
            "B must not write where a port has 36 bits",
        ),
        (
            {"RESETMODE": '"ASYNC"'},
            {"rst_b": 1},
            "ASYNC_RESET_RELEASE must be ASYNC where an asynchronous reset is used",
        ),
        (
            {},
            {"ce_a": 1, "we_a": 1, "ad_a": 3, "ce_b": 1, "we_b": 1, "ad_b": 3},
            "ports must not write the same place at once",
        ),
    ],
)
def test_ecp5_stops(parameters, vector, message, tmp_path):
    with pytest.raises(RuntimeError, match=message):
        simulate(
            tmp_path,
            "ecp5",
            inputs=INPUTS,
            outputs={"do_a": 18, "do_b": 18},
            instance=ecp5_instance(parameters),
            vectors=[vector],
        )


# -- series 7 ------------------------------------------------------------------------------------

WRITE_MODES = {"NO_CHANGE": "hold", "WRITE_FIRST": "new", "READ_FIRST": "old"}


def xilinx_inputs(full):
    """Return the widths of what drives a RAMB18E1 or a RAMB36E1."""
    wide = 2 if full else 1
    results = {}
    for port in "ab":
        results |= {
            f"{port}_address": 16 if full else 14,
            f"{port}_data": 16 * wide,
            f"{port}_parity": 2 * wide,
            f"{port}_we": 4 if full and port == "a" else 2 if port == "a" else 4 * wide,
        }
        results |= {f"{port}_{name}": 1 for name in ("enable", "reset", "load", "clear")}
    return results


PINS = {
    "a": "ADDRARDADDR DIADI DIPADIP WEA ENARDEN RSTRAMARSTRAM REGCEAREGCE RSTREGARSTREG",
    "b": "ADDRBWRADDR DIBDI DIPBDIP WEBWE ENBWREN RSTRAMB REGCEB RSTREGB",
}


def xilinx_instance(full, parameters, memory=None, clocks="clk clk"):
    """Return a cell with the contents of a memory."""
    values = [f".{name}({value})" for name, value in parameters.items()]
    if memory:
        for name, stored in (("INIT", memory.data), ("INITP", memory.parity)):
            for n in range(len(stored) // 256):
                word = number(stored[256 * n : 256 * (n + 1)])
                values.append(f".{name}_{n:02X}(256'h{word:064x})")
    names = ("address", "data", "parity", "we", "enable", "reset", "load", "clear")
    pins = []
    for port, text in PINS.items():
        pins += [f".{p}({port}_{n})" for p, n in zip(text.split(), names, strict=True)]
    pins += [".DOADO(do_a)", ".DOPADOP(dop_a)", ".DOBDO(do_b)", ".DOPBDOP(dop_b)"]
    pins += [f".{p}({c})" for p, c in zip(("CLKARDCLK", "CLKBWRCLK"), clocks.split(), strict=True)]
    return f"  RAMB{36 if full else 18}E1 #({', '.join(values)}) dut ({', '.join(pins)});\n"


def split(value, count):
    """Take bytes with parity apart: into bytes, and parity."""
    data = parity = 0
    for n in range(count):
        data |= (value >> 9 * n & 255) << 8 * n
        parity |= (value >> 9 * n + 8 & 1) << n
    return data, parity


def joined(data, parity):
    """Put bytes and parity together, in binary, the highest first."""
    count = len(parity)
    return "".join(parity[n] + data[8 * n : 8 * n + 8] for n in range(count))


def drive_xilinx(directory, full, reads, writes, modes, *, simple=False, cycles=300, **options):
    """Compare a RAMB18E1 or RAMB36E1 with the documents at every clock edge.

    ``options`` are ``registers``, and ``priority`` of their reset.
    """
    draw = Random(str((full, reads, writes, modes, simple, options)))
    registers = options.get("registers", False)
    half = 36 if full else 18
    size = 1 << (15 if full else 14)
    initial = [draw.getrandbits(width) for width in reads]
    reset = [draw.getrandbits(width) for width in reads]
    ports = [
        Port(reads[n], writes[n], WRITE_MODES[modes[n]], initial[n], reset[n], registers)
        for n in (0, 1)
    ]
    memory = Memory(size, ports, partial=True, shared=True)
    memory.data, memory.parity = contents(draw, size)
    parameters = {
        "RAM_MODE": '"SDP"' if simple else '"TDP"',
        "SIM_DEVICE": '"7SERIES"',
        "DOA_REG": int(registers),
        "DOB_REG": int(registers),
    }
    mask = (1 << half) - 1
    for n, name in enumerate("AB"):
        parameters[f"READ_WIDTH_{name}"] = reads[n]
        parameters[f"WRITE_WIDTH_{name}"] = writes[n]
        parameters[f"WRITE_MODE_{name}"] = f'"{modes[n]}"'
        parameters[f"RSTREG_PRIORITY_{name}"] = f'"{options.get("priority", "RSTREG")}"'
        low, high = initial[n] & mask, reset[n] & mask
        if simple and name == "B":
            low, high = initial[0] >> half, reset[0] >> half
        parameters[f"INIT_{name}"] = f"{half}'h{low:x}"
        parameters[f"SRVAL_{name}"] = f"{half}'h{high:x}"
    instance = xilinx_instance(full, parameters, memory)
    vectors, expected = [], [[memory.out(0), memory.out(1)]]
    inputs = xilinx_inputs(full)
    for _ in range(cycles):
        both = accesses(draw, memory, size, registers=registers)
        pins = {}
        for port, access, width in zip("ab", both, writes, strict=True):
            count = half // 9
            pins |= {
                f"{port}_address": access.address | (1 << 15 if full else 0),
                f"{port}_we": access.bytes & (1 << inputs[f"{port}_we"]) - 1,
                f"{port}_enable": access.enable,
                f"{port}_reset": access.reset,
                f"{port}_load": access.load,
                f"{port}_clear": access.clear,
            }
            if simple and port == "b":
                # The lower half enters at A.
                for name, value in (("a", access.data & mask), ("b", access.data >> half)):
                    pins[f"{name}_data"], pins[f"{name}_parity"] = split(value, count)
            elif not simple:
                value = access.data
                if width < 9:
                    pins[f"{port}_data"], pins[f"{port}_parity"] = value, 0
                else:
                    pins[f"{port}_data"], pins[f"{port}_parity"] = split(value, count)
            # Latches are reset only where the port is enabled; registers by their priority.
            access.reset &= access.enable
            if options.get("priority") == "REGCE":
                access.clear &= access.load
        vectors.append(pins)
        memory.clock(both)
        expected.append([memory.out(0), memory.out(1)])
    result = simulate(
        directory,
        "xc7",
        inputs=inputs,
        outputs={
            "do_a": half // 9 * 8,
            "dop_a": half // 9,
            "do_b": half // 9 * 8,
            "dop_b": half // 9,
        },
        instance=instance,
        vectors=vectors,
    )
    for cycle, (line, row) in enumerate(zip(result, expected, strict=True)):
        out = [joined(*line[:2]), joined(*line[2:])]
        if simple:
            out[0] = out[1] + out[0]
        for n, name in enumerate("AB"):
            width = reads[n]
            if width:
                shown = out[n][len(out[n]) - width :]
                assert shown == row[n], f"cycle {cycle}, {name}"
    return expected


RF, WF, NC = "READ_FIRST", "WRITE_FIRST", "NO_CHANGE"
XILINX = [
    (False, (18, 18), (18, 18), (RF, WF), {}),
    (False, (36, 0), (0, 36), (RF, RF), {"simple": True}),
    (True, (9, 36), (36, 4), (NC, WF), {}),
    (False, (0, 9), (9, 0), (RF, RF), {}),
    (False, (4, 18), (18, 2), (WF, NC), {"registers": True}),
    (False, (1, 2), (2, 1), (RF, WF), {}),
    (False, (36, 0), (0, 36), (WF, WF), {"simple": True, "registers": True}),
    (False, (9, 0), (0, 36), (RF, RF), {"simple": True}),
    (True, (72, 0), (0, 72), (RF, RF), {"simple": True, "registers": True, "priority": "REGCE"}),
    (True, (72, 0), (0, 72), (WF, WF), {"simple": True}),
    (True, (36, 36), (36, 36), (RF, RF), {"registers": True, "priority": "REGCE"}),
    (True, (1, 18), (9, 18), (WF, RF), {}),
    (True, (4, 0), (0, 0), (RF, RF), {}),
]


@needs_icarus
@pytest.mark.parametrize("full, reads, writes, modes, options", XILINX[:3])
def test_xilinx(full, reads, writes, modes, options, tmp_path):
    drive_xilinx(tmp_path, full, reads, writes, modes, **options)


@needs_icarus
@pytest.mark.slow
@pytest.mark.parametrize("full, reads, writes, modes, options", XILINX[3:])
def test_xilinx_more(full, reads, writes, modes, options, tmp_path):
    drive_xilinx(tmp_path, full, reads, writes, modes, cycles=1500, **options)


@needs_icarus
@pytest.mark.parametrize(
    "full, parameters, message",
    [
        (False, {"RAM_MODE": '"ODD"'}, "RAM_MODE must be TDP or SDP"),
        (False, {"READ_WIDTH_A": 36}, "READ_WIDTH_A must be a width of the block"),
        (True, {"WRITE_WIDTH_A": 72}, "WRITE_WIDTH_A must be a width of the block"),
        (False, {"WRITE_MODE_B": '"ODD"'}, "WRITE_MODE must be WRITE_FIRST, READ_FIRST or"),
        (False, {"IS_CLKARDCLK_INVERTED": 1}, "Clocks must not be inverted"),
        (True, {"EN_ECC_READ": '"TRUE"'}, "EN_ECC must be FALSE"),
        (True, {"RAM_EXTENSION_A": '"LOWER"'}, "RAM_EXTENSION must be NONE"),
        (True, {"INIT_FILE": '"some.mem"'}, "INIT_FILE must be NONE"),
        (
            True,
            {"RAM_MODE": '"SDP"', "READ_WIDTH_A": 72, "WRITE_WIDTH_B": 36},
            "WRITE_WIDTH_B must be 72 in SDP",
        ),
        (
            False,
            {"RAM_MODE": '"SDP"', "READ_WIDTH_A": 9, "READ_WIDTH_B": 9},
            "SDP must read A and write B",
        ),
    ],
)
def test_xilinx_stops(full, parameters, message, tmp_path):
    stops(tmp_path, full, parameters, [{}], message)


@needs_icarus
def test_xilinx_stops_where_both_ports_write_one_place(tmp_path):
    both = {f"{port}_{name}": 1 for port in "ab" for name in ("we", "enable")}
    widths = {f"{name}_WIDTH_{port}": 9 for port in "AB" for name in ("READ", "WRITE")}
    stops(tmp_path, False, widths, [both], "ports must not write the same place at once")


@needs_icarus
def test_xilinx_stops_where_clocks_differ(tmp_path):
    widths = {f"{name}_WIDTH_{port}": 9 for port in "AB" for name in ("READ", "WRITE")}
    vector = {"a_enable": 1, "b_enable": 1}
    stops(tmp_path, False, widths, [vector], "Clocks must be one", clocks="clk !clk")


def stops(directory, full, parameters, vectors, message, **options):
    wide = 2 if full else 1
    with pytest.raises(RuntimeError, match=message):
        simulate(
            directory,
            "xc7",
            inputs=xilinx_inputs(full),
            outputs={"do_a": 16 * wide, "dop_a": 2 * wide, "do_b": 16 * wide, "dop_b": 2 * wide},
            instance=xilinx_instance(full, parameters, **options),
            vectors=vectors,
        )
