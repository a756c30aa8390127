"""Tests of what every subcommand checks before it runs: its files, and values by layer."""

import pytest

from spiker_cli.support.by_layer import bits, scales

TRAIN = ("train", "digits", "--net", "64-10")


@pytest.mark.parametrize(
    "command",
    [
        ("emit", "NET"),
        ("build", "NET", "--board", "icebreaker"),
        ("demo",),
        ("prune", "NET"),
        TRAIN,
        ("import", "module:Net"),
    ],
    ids=lambda command: command[0],
)
def test_standard_output_is_no_place_for_files(
    refused, network_file, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    arguments_given = [network_file if value == "NET" else value for value in command]
    assert refused(*arguments_given, "-o", "-") == (
        "--output must be a file or a directory, not -: only --json takes -, which is standard "
        "output"
    )
    assert [*tmp_path.iterdir()] == [network_file]


@pytest.mark.parametrize("option", ["--saif", "--picture"])
def test_only_reports_go_to_standard_output(refused, network_file, option):
    command = "energy" if option == "--saif" else "compare"
    assert refused(command, network_file, option, "-").startswith(f"{option} must be a file or ")


def test_two_files_that_are_written_are_different(refused, tmp_path):
    path = tmp_path / "net.spiker"
    line = refused(*TRAIN, "-o", path, "--json", tmp_path / "." / "net.spiker")
    assert line == f"--output must be another file than that of --json, not {path}"
    assert not path.exists()


def test_report_is_outside_the_directory_that_is_written(refused, network_file, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    line = refused(
        "build", network_file, "--board", "icebreaker", "-o", out, "--json", out / "report.json"
    )
    assert line == (
        "--json must be outside the directory that --output writes as a whole, not "
        f"{out / 'report.json'}"
    )


@pytest.mark.parametrize(
    "option, value, line",
    [
        ("--weights", "hidden=4,hidden=6", "Weight bits must be given once for each name, not "),
        ("--weights", "hidden=4, hidden=4", "Weight bits must be given once for each name, not "),
        ("--potentials", "a=8,b=8,a=9", "Potential bits must be given once for each name, not "),
    ],
)
def test_layer_that_is_named_twice_is_refused(refused, tmp_path, option, value, line):
    assert refused(*TRAIN, option, value, "-o", tmp_path / "net.spiker").startswith(line)
    assert not [*tmp_path.iterdir()]


def test_values_by_layer():
    assert bits("Bits", "4") == 4
    assert bits("Bits", "a=4, b->c=ternary", ("ternary",)) == {"a": 4, "b->c": "ternary"}
    assert scales("a=0.5,b=1e-3") == {"a": 0.5, "b": 0.001}
    with pytest.raises(ValueError, match="Scales must be given once for each name, not twice for"):
        scales("a=1,a=2")
