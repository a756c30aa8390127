"""Tests of the options that choose a mapping, which several subcommands have alike."""

import inspect
import json

import pytest

from spiker_cli.subcommands import COMMANDS
from spiker_cli.support.mappings import MappingOptions
from spiker_hdl.model import Mapping, save

from support.small import make_network


def parameters(command):
    return inspect.signature(COMMANDS[command]).parameters


WITH_LANES = [command for command in COMMANDS if "lanes" in parameters(command)]


@pytest.fixture
def network():
    return make_network()


@pytest.fixture
def mapping_file(network, tmp_path):
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(Mapping.small(network).to_json()))
    return path


def test_commands_with_lanes_have_presets_and_files_too():
    assert set(WITH_LANES) == {
        "compare", "info", "simulate", "timing", "energy", "serve", "emit", "build", "load",
    }  # fmt: skip
    for command in WITH_LANES:
        assert "mapping_name" in parameters(command), command


@pytest.mark.parametrize("preset", ["default", "fast", "balanced", "small"])
def test_preset_is_that_of_the_model(network, preset):
    assert MappingOptions(name=preset).find(network, None) == Mapping.preset(preset, network)
    changed = MappingOptions(name=preset, form="events").find(network, None)
    assert changed == Mapping.preset(preset, network, form="events")


def test_file_has_the_mapping_alone_or_in_a_report(spiker, network, mapping_file, tmp_path):
    small = Mapping.small(network)
    assert MappingOptions(name=str(mapping_file)).find(network, None) == small
    network.save(tmp_path / "net.spiker")
    for command in ("info", "timing"):
        report = tmp_path / f"{command}.json"
        code, *_ = spiker(
            command, tmp_path / "net.spiker", "--mapping", mapping_file, "--json", report
        )
        assert code == 0
        assert MappingOptions(name=str(report)).find(network, None) == small


def test_fields_of_a_file_are_changed_by_options(network, mapping_file):
    mapping = MappingOptions(name=str(mapping_file), word=8, writable=["all"]).find(network, None)
    assert mapping.word == 8
    assert mapping.writable == {"hidden", "output"}
    assert mapping.cores["hidden"].lanes == Mapping.small(network).cores["hidden"].lanes


def test_option_goes_before_the_saved_mapping(network, tmp_path):
    path = tmp_path / "net.spiker"
    save(network, path, Mapping.folded(network, 3))
    assert MappingOptions().find(network, path) == Mapping.folded(network, 3)
    assert MappingOptions(name="default").find(network, path) == Mapping.default(network)
    assert MappingOptions(lanes=2).find(network, path) == Mapping.folded(network, 2)


def test_energy_compares_presets(spiker, network, tmp_path):
    network.save(tmp_path / "net.spiker")
    code, out, _ = spiker(
        "energy", tmp_path / "net.spiker", "--samples", 1, "--counts", "--mapping", "fast,small",
        "--json", "-",
    )  # fmt: skip
    assert code == 0
    mappings = json.loads(out)["mappings"]
    assert [*mappings] == ["fast", "small"]
    assert mappings["small"]["mapping"] == Mapping.small(network).to_json()


@pytest.mark.parametrize("command", WITH_LANES)
def test_lanes_and_mapping_together_are_refused_in_one_line(
    refused, network_file, tmp_path, command
):
    more = {
        "compare": ["--data", "random"],
        "emit": ["-o", tmp_path / "out"],
        "build": ["-o", tmp_path / "out", "--board", "icebreaker"],
        "load": ["--port", "/dev/null"],
    }.get(command, [])
    line = refused(command, network_file, *more, "--lanes", 2, "--mapping", "small")
    assert line == (
        "--mapping must be given without --lanes, not with it: a preset or a file has lanes of its "
        "own"
    )


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--lanes", "fast"], "Invalid value for '--lanes': it must be an integer, not 'fast'"),
        (
            ["--mapping", "medium"],
            "--mapping must be one of default, fast, balanced, small, or a JSON file that is "
            "there, not medium",
        ),
        (["--mapping", "none.json"], "or a JSON file that is there, not none.json"),
        (["--mapping", "8"], "or a JSON file that is there, not 8"),
        (["--mapping", "NET"], "must be a mapping, in JSON, not a network file"),
        (["--mapping", "cut.json"], "cut.json: must be JSON, not with: "),
        (["--mapping", "list.json"], "list.json: must be"),
        (["--mapping", "less.json"], "less.json: must be a mapping, in JSON, whole, not one with"),
        (["--mapping", "other.json"], "other.json: must be a mapping of 'little': Mapping cores"),
    ],
)
def test_what_is_no_mapping_is_refused(
    refused, network_file, network, tmp_path, monkeypatch, arguments, line
):
    monkeypatch.chdir(tmp_path)
    text = json.dumps(Mapping.default(network).to_json())
    (tmp_path / "cut.json").write_text(text[:-1])
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "less.json").write_text('{"mapping": {"cores": {}}}')
    (tmp_path / "other.json").write_text(text.replace("hidden", "hiding"))
    command = [network_file if value == "NET" else value for value in arguments]
    assert line in refused("info", network_file, *command)


def test_file_is_not_blamed_for_other_options(refused, network_file, mapping_file):
    line = refused("timing", network_file, "--mapping", mapping_file, "--word", "0")
    assert line == "Word must be at least 1, not 0"
