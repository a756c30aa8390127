# amaranth: UnusedElaboratable=no

"""Tests of emitted VHDL under GHDL: against the reference, with faults planted, as text."""

import json
import re
import shutil
from functools import partial
from random import Random
from time import process_time

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.model import encoders, load

from support.emitted import fails, simulate, small, spikes_for
from support.networks import (
    ODD_NAMES,
    describe,
    liveness,
    random_mapping,
    random_network,
    random_spikes,
)
from support.places import ROOT

NETWORKS = ROOT / "networks"


@pytest.fixture
def ghdl():
    """Compile what was emitted, run its test bench; return the exit status and what it printed."""
    return partial(simulate, "vhdl")


# -- right, and wrong on purpose -----------------------------------------------------------------


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    directory = tmp_path_factory.mktemp("original")
    network, stimulus = small(), spikes_for(small())
    expected = spiker_hdl.run(network, stimulus, engine="amaranth")
    emit(network, directory, language="vhdl", samples=stimulus, expected=expected, generated=0)
    return directory


@pytest.fixture
def emitted(original, tmp_path):
    return shutil.copytree(original, tmp_path / "emitted")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-gstalls=1",),
        ("-gstalls=77", "-gback_to_back=true"),
        ("-gback_to_back=true",),
        ("-gsamples=2",),
    ],
)
def test_test_bench_passes(emitted, ghdl, arguments):
    count = 2 if "-gsamples=2" in arguments else 6
    assert ghdl(emitted, *arguments) == (0, f"PASS {count} samples\n")


@pytest.mark.parametrize("name", ["work", "ieee", "rising_edge", "Entity"])
def test_any_name_of_a_network_is_taken(tmp_path, ghdl, name):
    network = small(name=name)
    emit(network, tmp_path, language="vhdl", samples=spikes_for(network, 1, 2), generated=0)
    assert ghdl(tmp_path) == (0, "PASS 1 samples\n")


def test_flipped_weight_bit_in_the_vhdl_fails(emitted, ghdl):
    path = emitted / "small_net.vhd"
    text = path.read_text()
    # The row of weights of channel 0, from which hidden neuron 0 takes the lowest bits.
    row = re.search(
        r"entity small_net_population_hidden_synapses is.*?\b0 => x\"(\w+)\"", text, re.S
    )
    start, end = row.span(1)
    changed = f"{int(row[1], 16) ^ 1 << 2:0{end - start}X}"
    path.write_text(text[:start] + changed + text[end:])
    assert re.fullmatch(
        r"FAIL sample \d+: (score \d of readout out|class of readout out|spikes of (hidden|out)): "
        r"expected \d+, found \d+",
        fails(ghdl, emitted, "-gstalls=9"),
    )


def test_changed_expected_class_fails(emitted, ghdl):
    before = int((emitted / "vectors" / "expected.hex").read_text().splitlines()[4], 16) & 3
    change = 1 if before % 2 == 0 else -1
    expect(emitted, 4, 0, change)
    assert fails(ghdl, emitted) == (
        f"FAIL sample 4: class of readout out: expected {before + change}, found {before}"
    )


def test_changed_spike_of_a_sample_fails(emitted, ghdl):
    path = emitted / "vectors" / "i.hex"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{int(line, 16) ^ 0x0FF:04x}" for line in lines) + "\n")
    assert fails(ghdl, emitted).startswith("FAIL sample 0: ")


def field_of(directory, name):
    manifest = json.loads((directory / "manifest.json").read_text())
    (field,) = [field for field in manifest["streams"]["o"]["fields"] if field["name"] == name]
    return field


def expect(directory, sample, offset, change):
    """Change a field of what is expected."""
    path = directory / "vectors" / "expected.hex"
    lines = path.read_text().splitlines()
    lines[sample] = f"{int(lines[sample], 16) + (change << offset):0{len(lines[sample])}x}"
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("arguments, passes", [((), False), (("-gstalls=1",), True)])
def test_cycles_are_compared_without_stalls(emitted, ghdl, arguments, passes):
    expect(emitted, 3, field_of(emitted, "cycles")["offset"], 1)
    if passes:
        assert ghdl(emitted, *arguments)[0] == 0
    else:
        line = fails(ghdl, emitted, *arguments)
        actual = int(line.rpartition(" ")[2])
        assert line == f"FAIL sample 3: cycles: expected {actual + 1}, found {actual}"


def replaced(path, changes):
    """Change what stands once in a file."""
    text = path.read_text()
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text)


def test_design_that_hangs_fails(emitted, ghdl):
    replaced(
        emitted / "small_net_bench.vhd",
        {
            "o_valid => o_valid,": "o_valid => open,",
            "o_valid : std_logic;": "o_valid : std_logic := '0';",
        },
    )
    assert re.fullmatch(r"FAIL sample 0: no result in \d+ cycles", fails(ghdl, emitted))


def test_result_that_does_not_stay_fails(emitted, ghdl):
    replaced(
        emitted / "small_net_bench.vhd",
        {
            "o_valid => o_valid,": "o_valid => inner,",
            "o_ready => o_ready,": "o_ready => o_ready and odd,",
            "signal o_valid : std_logic;": "signal o_valid, inner, odd : std_logic := '0';",
            "  clk <= not clk": "  odd <= not odd when rising_edge(clk);\n"
            "  o_valid <= inner and odd;\n  clk <= not clk",
        },
    )
    assert fails(ghdl, emitted, "-gstalls=5").endswith("result must stay until it is taken")


def test_extra_result_fails(emitted, ghdl):
    replaced(
        emitted / "small_net_bench.vhd",
        {
            "o_valid => o_valid,": "o_valid => open,",
            "o_payload => o_payload,": "o_payload => open,",
            "signal o_valid : std_logic;": "signal o_valid : std_logic := '0';",
            "  clk <= not clk": "  process\n  begin\n    while running loop\n"
            "      wait for 490 ns;\n      o_valid <= '1';\n"
            "      wait for 10 ns;\n      o_valid <= '0';\n"
            "    end loop;\n    wait;\n  end process;\n"
            "  o_payload <= (others => '0');\n  clk <= not clk",
        },
    )
    path = emitted / "vectors" / "expected.hex"
    digits = len(path.read_text().splitlines()[0])
    path.write_text(("0" * digits + "\n") * 6)
    assert fails(ghdl, emitted, "-gback_to_back=true") == "FAIL: more than 6 results"


def test_negative_number_is_printed_with_its_sign(tmp_path, ghdl):
    network = load(NETWORKS / "digits.spiker")
    stimulus = random_spikes(network, Random(1), 1, 4)
    emit(network, tmp_path, language="vhdl", samples=stimulus, generated=0)
    scores = [
        int(score)
        for score in next(iter(spiker_hdl.run(network, stimulus).answers.values())).scores[0]
    ]
    index = next(n for n, score in enumerate(scores) if score < -1)
    field = field_of(tmp_path, "answers.output_n.scores")
    expect(tmp_path, 0, field["offset"] + index * field["width"], 1)
    assert fails(ghdl, tmp_path) == (
        f"FAIL sample 0: score {index} of readout output: "
        f"expected {scores[index] + 1}, found {scores[index]}"
    )


# -- against the reference -----------------------------------------------------------------------


def compare(seed, directory, ghdl, samples=3):
    """Compare a small random network with the reference; say how alive it was."""
    random = Random(seed)
    names = ODD_NAMES if random.random() < 0.4 else None
    network = random_network(
        random, populations=(1, 3), neurons=(1, 12), channels=(1, 12), names=names
    )
    stimulus = random_spikes(network, random, samples, (1, 10))
    mapping = random_mapping(network, random)
    expected = spiker_hdl.run(network, stimulus)
    emit(network, directory, language="vhdl", mapping=mapping, samples=stimulus, generated=0)
    for arguments in [(), (f"-gstalls={seed + 1}", "-gback_to_back=true")]:
        assert ghdl(directory, *arguments) == (0, f"PASS {samples} samples\n"), seed
    return liveness(network, expected, stimulus)


@pytest.mark.parametrize("seed", [1, 201, 221])  # the last two of shifts and groups
def test_random_network_passes(seed, tmp_path, ghdl):
    compare(seed, tmp_path, ghdl)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_many_random_networks_pass(part, tmp_path, ghdl):
    first = 200 + 10 * part
    drawn = [compare(seed, tmp_path / str(seed), ghdl) for seed in range(first, first + 10)]
    print(describe(drawn))
    alive = [ok for case in drawn for ok in case.alive.values()]
    assert sum(alive) >= 0.7 * len(alive) >= 7
    options = {option for case in drawn for option in case.options}
    assert {"several inputs", "graded", "recurrent", "delay"} <= options


# -- the shipped network -------------------------------------------------------------------------


@pytest.mark.slow
def test_mnist_is_emitted_in_time_and_classifies_images(data_file, tmp_path, ghdl):
    network = load(NETWORKS / "mnist.spiker")
    with np.load(data_file("mnist.npz")) as archive:
        images = archive["x_test"][:3]
    steps = int(network.note["steps"])
    spikes = encoders.ENCODERS[network.note["encoder"]](images, steps)
    expected = spiker_hdl.run(network, spikes)
    start = process_time()
    emit(
        network, tmp_path / "first", language="vhdl", samples=spikes, expected=expected, generated=0
    )
    assert process_time() - start <= 5
    emit(
        network,
        tmp_path / "second",
        language="vhdl",
        samples=spikes,
        expected=expected,
        generated=0,
    )
    actual = [
        {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        for place in (tmp_path / "first", tmp_path / "second")
    ]
    assert actual[0] == actual[1]
    assert ghdl(tmp_path / "first") == (0, "PASS 3 samples\n")


# -- as text -------------------------------------------------------------------------------------


def test_text_is_reproducible_and_names_no_directory(original, tmp_path):
    network, stimulus = small(), spikes_for(small())
    expected = spiker_hdl.run(network, stimulus, engine="amaranth")
    emit(
        network,
        tmp_path / "again",
        language="vhdl",
        samples=stimulus,
        expected=expected,
        generated=0,
    )
    for path in (tmp_path / "again").rglob("*"):
        if path.is_file():
            actual = path.read_bytes()
            assert actual == (original / path.relative_to(tmp_path / "again")).read_bytes()
            assert str(tmp_path).encode() not in actual
    for name in ("small_net.vhd", "small_net_bench.vhd"):
        text = (original / name).read_text()
        assert max(map(len, text.splitlines())) <= 100
        assert not re.search(r"/\w+\.py", text)


def test_names_are_plain_and_distinct(tmp_path):
    network = random_network(Random(5), populations=(4, 4), inputs=(2, 2), names=ODD_NAMES)
    stimulus = random_spikes(network, Random(5), 2, 3)
    emit(network, tmp_path, language="vhdl", samples=stimulus, name="odd", generated=0)
    text = (tmp_path / "odd.vhd").read_text()
    assert "\\" not in text
    entities = re.findall(r"^entity (\w+) is", text, re.M)
    assert len({entity.lower() for entity in entities}) == len(entities) > 10
    assert entities[-1] == "odd"
    assert all(entity.startswith("odd_") for entity in entities[:-1])
    for body in re.findall(r"^architecture .*?^begin", text, re.M | re.S):
        names = re.findall(r"^  signal (\w+)", body, re.M)
        assert len({name.lower() for name in names}) == len(names)


def test_manifest_has_the_ports_of_the_entity(original):
    manifest = json.loads((original / "manifest.json").read_text())
    assert manifest["language"] == "vhdl"
    assert manifest["generator"]["tool"] == f"spiker-hdl {spiker_hdl.__version__}"
    text = (original / "small_net.vhd").read_text()
    (ports,) = re.findall(r"^entity small_net is.*?^end entity", text, re.M | re.S)
    actual = re.findall(
        r"^    (\w+) : (in|out) (?:std_logic_vector\((\d+) downto 0\)|std_logic)(?!\w)", ports, re.M
    )
    assert {(name, way, int(high or 0) + 1) for name, way, high in actual} == {
        (port["name"], port["direction"], port["width"]) for port in manifest["ports"]
    }
    assert len(actual) == len(manifest["ports"])
