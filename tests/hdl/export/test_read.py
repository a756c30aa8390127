"""Tests of emitted directories read back: as they are, altered, and damaged at random."""

import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spiker_hdl
from spiker_hdl.base import FileError
from spiker_hdl.export import emit, read_emission
from spiker_hdl.export.read.samples import read_samples
from spiker_hdl.model.files.load import unpack
from spiker_hdl.simulate.shared_library import BuildError

from support.networks import ODD_NAMES, random_mapping, random_network, random_spikes
from support.small import make_network


def spikes(samples=3):
    return np.random.Generator(np.random.PCG64(5)).integers(0, 2, (samples, 3, 64))


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    """Directories of the same network with either kind of ports, and one in VHDL."""
    place = tmp_path_factory.mktemp("emitted")
    for ports in ("streams", "axis"):
        emit(make_network(), place / ports, ports=ports, samples=spikes(), generated=0)
    emit(make_network(), place / "vhdl", language="vhdl", generated=0)
    return place


@pytest.fixture
def whole(emitted, tmp_path):
    shutil.copytree(emitted / "streams", tmp_path / "whole")
    return tmp_path / "whole"


def sealed(directory):
    """Write a manifest that says that all files are as they should be."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((directory / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


def message(directory):
    """Return why a directory, or its samples, are refused; None if they are not."""
    try:
        read_samples(read_emission(directory))
    except FileError as error:
        actual = str(error)
    else:
        return None
    assert "\n" not in actual
    assert actual.startswith(str(directory))
    assert " must " in actual
    return actual


# -- what is there -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1))
def test_emitted_directory_is_read(seed, tmp_path):
    random = Random(seed)
    network = random_network(random, names=ODD_NAMES, neurons=(1, 9))
    stimulus = random_spikes(network, random, 3, (1, 6))
    mapping = random_mapping(network, random)
    ports = random.choice(["streams", "axis"])
    emit(network, tmp_path, mapping=mapping, samples=stimulus, ports=ports, generated=0)
    actual = read_emission(tmp_path)
    assert (actual.network, actual.mapping, actual.samples) == (network, mapping, 3)
    assert actual.top == "random"
    samples = read_samples(actual)
    for name, values in stimulus.items():
        for sample, other in zip(samples[name], values, strict=True):
            assert sample.tolist() == np.asarray(other).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("ports", ["streams", "axis"])
def test_design_in_the_directory_is_simulated(emitted, ports):
    where = emitted / ports
    expected = spiker_hdl.run(make_network(), spikes(20))
    assert not expected.differences(spiker_hdl.run(str(where), spikes(20)))
    result = spiker_hdl.run(where, spikes(20), engine="compiled")
    assert result.engine == "compiled"
    assert not expected.differences(result)
    plain = spiker_hdl.run(make_network(), spikes(20), engine="compiled")
    assert result.cycles.tolist() == plain.cycles.tolist()


@pytest.mark.slow
def test_random_networks_are_simulated_from_their_directories(tmp_path):
    for seed in range(6):
        random = Random(seed)
        network = random_network(random, names=ODD_NAMES, neurons=(1, 16))
        stimulus = random_spikes(network, random, 3, (1, 8))
        mapping = random_mapping(network, random)
        emit(
            network,
            tmp_path / str(seed),
            mapping=mapping,
            ports=("streams", "axis")[seed % 2],
            generated=0,
        )
        result = spiker_hdl.run(tmp_path / str(seed), stimulus, engine="compiled")
        assert not spiker_hdl.run(network, stimulus).differences(result)
        if seed % 2:
            continue  # with AXI, samples wait in queues, where cycles are not counted
        plain = spiker_hdl.run(network, stimulus, engine="compiled", mapping=mapping)
        assert result.cycles.tolist() == plain.cycles.tolist()


# -- what was altered ----------------------------------------------------------------------------


def flip_a_weight(directory):
    path = directory / "little.v"
    text = path.read_text()
    places = list(re.finditer(r"(    \w+\[\d+\] = \d+'h)([0-9a-f]+);", text))
    place = max(places, key=lambda entry: len(entry[2]) * (entry[2].strip("0") != ""))
    changed = f"{int(place[2], 16) ^ 0b1111:0{len(place[2])}x}"
    path.write_text(text[: place.start(2)] + changed + text[place.end(2) :])


def test_altered_weight_is_refused(whole):
    flip_a_weight(whole)
    with pytest.raises(FileError, match=r"little\.v: must have the SHA-256 .*: it was altered"):
        spiker_hdl.run(whole, spikes(), engine="compiled")


@pytest.mark.slow
def test_altered_weight_with_a_forged_manifest_changes_answers(whole):
    flip_a_weight(whole)
    sealed(whole)
    expected = spiker_hdl.run(whole, spikes(50))
    assert expected.differences(spiker_hdl.run(whole, spikes(50), engine="compiled"))


def test_other_network_in_the_directory_is_refused(whole):
    make_network(notes={}).save(whole / "network.spiker")
    assert "network.spiker: must have the SHA-256" in message(whole)
    other = random_network(Random(1))
    other.save(whole / "network.spiker")
    sealed(whole)
    assert f"network sha256 must be {other.digest}" in message(whole)


@pytest.mark.parametrize("name", ["little.v", "network.spiker", "vectors/i.hex"])
def test_missing_file_is_refused(whole, name):
    (whole / name).unlink()
    assert message(whole).startswith(f"{whole / name}: must be a file in the directory")


@pytest.mark.parametrize("name", ["/etc/passwd", "../whole/little.v", "a//b", ".", "", "a b", "é"])
def test_path_outside_the_directory_is_refused(whole, name):
    path = whole / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert "files must be paths within the directory, not " in message(whole)


def test_link_out_of_the_directory_is_refused(whole, tmp_path):
    (tmp_path / "elsewhere").write_bytes((whole / "little.v").read_bytes())
    (whole / "little.v").unlink()
    os.symlink(tmp_path / "elsewhere", whole / "little.v")
    assert message(whole).endswith("not outside")


@pytest.mark.parametrize(
    "text",
    [
        'initial $system("true");',
        '`include "/etc/passwd"',
        'import "DPI-C" function void f();',
        "/*verilator public*/",
        "initial $readmemh(0, 0);",
    ],
)
def test_design_with_directives_or_system_tasks_is_refused(whole, text):
    path = whole / "little.v"
    path.write_text(path.read_text().replace("endmodule", f"  {text}\nendmodule", 1))
    sealed(whole)
    assert "little.v must have no directives or system tasks, not " in message(whole)


def test_directory_without_a_valid_manifest_is_refused(tmp_path):
    assert "must be a manifest" in message(tmp_path)
    assert message(tmp_path / "none").endswith("not no directory")
    (tmp_path / "manifest.json").write_bytes(b" " * (2**24 + 1))
    assert message(tmp_path).endswith("must be at most 16777216 bytes, not 16777217")
    for text, expected in {
        "[]": "must be an object, not []",
        "{": "must be JSON, not with: Expecting property name",
        '{"a": 1, "a": 2}': "must have each key once, not 'a' twice",
        '{"a": NaN}': "must have plain numbers, not NaN",
        "[" * 100_000: "nested too deep",
        '{"a": ' + "9" * 5000 + "}": "must be JSON, not with: Exceeds the limit",
        '{"format": "other"}': "must be of format 'spiker-emission', not 'other'",
        '{"format": "spiker-emission", "version": true}': "must be of version 2, not True",
        '{"format": "spiker-emission", "version": 1}': "version 2, not 1: emit the network again",
    }.items():
        (tmp_path / "manifest.json").write_text(text)
        assert expected in message(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b"\xff")
    assert "must be JSON" in message(tmp_path)


def places(value, path=()):
    """Give the path of every value in nested objects and lists."""
    yield path
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, key))


def at(value, path):
    """Return what is at a path."""
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    """Return nested values with another at a path, or without it where that is ``...``."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


READ = {"format", "version", "language", "top", "network", "mapping", "interface", "streams"}
READ |= {"samples", "files"}
FREE = {
    "direction",
    "order",
    "timing",
    "channels",
    "value_range",
    "static",
    "form",
    "kind",
    "population",
}
FREE |= {"max_steps", "notes", "meaning"}
FREE |= {"projections", "projection_fields"}


# -- what was damaged ----------------------------------------------------------------------------

VALUES = (None, True, 0, 1, -1, 2**31, 10**40, 0.5, "", "i", "o", "x" * 300, "\ud800", [], {}, [[]])


def damage(manifest, directory, random):
    """Damage a manifest in one of many ways; what it says then is refused or is true."""
    kind = random.random()
    if kind < 0.7:
        changed = manifest
        for _ in range(random.choice([1, 1, 2, 4])):
            paths = list(places(changed))[1:]
            path = random.choice(paths)
            new = random.choice([..., random.choice(VALUES), random.choice(VALUES)])
            if random.random() < 0.2:
                new = at(changed, random.choice(paths))
            changed = put(changed, path, new)
        data = json.dumps(changed).encode()
    else:
        data = bytearray(json.dumps(manifest).encode())
        for _ in range(random.choice([1, 2, 5])):
            start, length = random.randrange(len(data)), random.choice([1, 1, 2, 8])
            if kind < 0.8:
                del data[start : start + length]
            elif kind < 0.9:
                data[start : start + length] = random.randbytes(length)
            else:
                data[start:start] = random.choice([b"[", b"}", b'"', b",", b"\\u", b"1e999", b"-"])
    (directory / "manifest.json").write_bytes(bytes(data))
    return message(directory)


@pytest.fixture(scope="module", params=["streams", "axis"])
def light(request, emitted, tmp_path_factory):
    """Directory whose design is short, so that reading it takes little time."""
    where = tmp_path_factory.mktemp("light") / request.param
    shutil.copytree(emitted / request.param, where)
    (where / "little.v").write_text("module little; endmodule\n")
    sealed(where)
    manifest = json.loads((where / "manifest.json").read_text())
    assert message(where) is None
    with pytest.MonkeyPatch.context() as patch:
        network = make_network()

        def quick(data, path, **options):
            return (network, None) if path.parent == where else unpack(data, path, **options)

        patch.setattr("spiker_hdl.export.read.emission.unpack", quick)
        yield where, manifest


@pytest.mark.slow
def test_each_wrong_value_of_a_manifest_is_refused(light):
    where, manifest = light
    cases = 0
    for path in places(manifest):
        if len(path) < 1 or path[0] not in READ or FREE & set(path[1:]):
            continue
        if path[:2] == ("network", "name") or (path[0] == "mapping" and len(path) > 1):
            continue
        if path[-1] == "scores" and "readouts" in path:
            continue  # in words
        if path[-1] == "name" and at(manifest, path).endswith((".answer", ".last")):
            continue
        for new in (..., None, -1, 10**30, "x y", [], {}):
            (where / "manifest.json").write_text(json.dumps(put(manifest, path, new)))
            if path[0] == "files" and len(path) == 2 and new is ...:
                if path[1] not in {"little.v", "network.spiker"}:
                    continue
            assert message(where) is not None, (path, new)
            cases += 1
    assert cases > 200


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80)
def test_random_damage_of_manifests_is_refused_or_harmless(light, seed):
    where, manifest = light
    damage(manifest, where, Random(seed))


@pytest.mark.slow
def test_much_random_damage_of_manifests_is_refused_or_harmless(light):
    where, manifest = light
    refused = sum(damage(manifest, where, Random(seed)) is not None for seed in range(6_000))
    assert 3_000 < refused < 6_000


def damage_samples(emission, lines, path, random):
    """Damage a file of vectors; return whether it is refused."""
    data = bytearray(b"".join(lines))
    for _ in range(random.choice([1, 1, 2, 4])):
        kind, at = random.random(), random.randrange(len(data))
        if kind < 0.3:
            data[at] = random.choice(b"0123456789abcdef\n xXz_@/\xff")
        elif kind < 0.5:
            del data[at : at + random.choice([1, 1, 9, 10])]
        elif kind < 0.7:
            data[at:at] = random.choice([b"0", b"\n", b"//", random.choice(lines)])
        else:
            some = random.sample(lines, random.randint(1, len(lines)))
            data = bytearray(b"".join(some))
        data = data or bytearray(b"\n")
    emission = replace(emission, vectors=dict(emission.vectors) | {"vectors/i.hex": bytes(data)})
    try:
        actual = read_samples(emission)
    except FileError as error:
        actual = str(error)
    if isinstance(actual, str):
        assert actual.startswith(str(path))
        return True
    spiker_hdl.run(emission.network, actual)
    return False


@pytest.fixture(scope="module", params=["words", "events"])
def vectors(request, tmp_path_factory):
    random = Random(8)
    network = random_network(random, inputs=(1, 1), neurons=(1, 4), populations=(1, 1))
    draws = random_spikes(network, random, 3, (1, 5))
    mapping = random_mapping(network, random)
    mapping = type(mapping).default(network, form=request.param, word=4)
    where = tmp_path_factory.mktemp("vectors")
    emit(network, where, mapping=mapping, samples=draws, generated=0)
    path = where / "vectors" / "i.hex"
    return read_emission(where), path.read_bytes().splitlines(keepends=True), path


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_random_damage_of_vectors_is_refused_or_harmless(vectors, seed):
    damage_samples(*vectors, Random(seed))


@pytest.mark.slow
def test_much_random_damage_of_vectors_is_refused_or_harmless(vectors):
    refused = sum(damage_samples(*vectors, Random(seed)) for seed in range(5_000))
    assert 2_500 < refused < 5_000


# -- what a directory cannot do ------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, expected",
    [
        ({"engine": "amaranth"}, ValueError, "Engine must be 'compiled' or 'reference' for the"),
        ({"engine": "c"}, ValueError, "Engine must be one of"),
        ({"mapping": 3}, ValueError, "Mapping must be None for an emitted directory"),
        ({"engine": "compiled", "record": ["hidden"]}, ValueError, "record, window and early are"),
        ({"engine": "compiled", "window": 1}, ValueError, "record, window and early are"),
        ({"engine": "compiled", "early": "exact"}, ValueError, "record, window and early are"),
    ],
)
def test_options_that_a_directory_lacks_are_refused(emitted, options, error, expected):
    with pytest.raises(error, match=expected):
        spiker_hdl.run(emitted / "streams", spikes(), **options)


def test_vhdl_directory_is_not_compiled(emitted):
    with pytest.raises(ValueError, match=r"must hold Verilog to be compiled, and .*: `make sim`"):
        spiker_hdl.run(emitted / "vhdl", spikes(), engine="auto")
    with pytest.raises(FileError, match="must have samples in vectors, not none"):
        read_samples(read_emission(emitted / "vhdl"))


def test_neither_network_nor_directory_is_refused():
    with pytest.raises(TypeError, match="Network must be a Network or an emitted directory, not 3"):
        spiker_hdl.run(3, spikes())


@pytest.mark.slow
def test_missing_port_is_a_build_error(whole):
    path = whole / "manifest.json"
    path.write_text(path.read_text().replace('"o_valid"', '"o_other"'))
    with pytest.raises(BuildError):
        spiker_hdl.run(whole, spikes(), engine="compiled")
