"""Tests of what the command says of itself, and of what it loads."""

import ast
import inspect
import subprocess
import sys
import textwrap

import pytest

import spiker_hdl
from spiker_cli.subcommands import COMMANDS

HEAVY = {"numpy", "torch", "amaranth", "matplotlib", "sklearn", "spiker_train", "spiker_boards"}
"""What help does without."""


def test_help_lists_the_commands(spiker):
    code, out, _ = spiker("--help")
    assert code == 0
    assert all(f" {name} " in out for name in COMMANDS)
    assert spiker()[:2] == (0, out)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example(spiker, name):
    code, out, _ = spiker(name, "--help")
    assert code == 0
    assert f"\n  spiker {name} " in out.split("For example:")[1]  # on a line of its own


@pytest.mark.parametrize("name", COMMANDS)
def test_command_loads_first_and_then_begins_its_work(name):
    """An interrupt ends the process at once until a command begins to work, and not after that."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(COMMANDS[name])))
    docstring, *statements = tree.body[0].body
    assert isinstance(docstring.value, ast.Constant)
    first = next(
        statement
        for statement in statements
        if not isinstance(statement, ast.ImportFrom | ast.Import)
    )
    assert ast.unparse(first) == "begin_work()"


def test_version(spiker):
    assert spiker("--version") == (0, f"spiker {spiker_hdl.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments, unwanted",
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["train", "--help"], HEAVY),
        (["build", "--help"], HEAVY),
        (["info", "NET"], {"torch", "amaranth", "matplotlib", "sklearn"}),
        (["simulate", "NET", "--engine", "reference"], {"torch", "amaranth", "matplotlib"}),
        (["timing", "NET", "--samples", "2"], {"torch", "amaranth", "matplotlib"}),
        (["simulate", "NET", "--engine", "amaranth", "--samples", "1"], {"torch", "matplotlib"}),
    ],
)
def test_a_command_loads_no_more_than_it_needs(arguments, unwanted, network_file):
    command = [str(network_file) if argument == "NET" else argument for argument in arguments]
    script = (
        "import sys; from spiker_cli.main import main; code = main(sys.argv[1:]); "
        "print('LOADED', *{name.split('.')[0] for name in sys.modules}); sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not set(run.stdout.split("LOADED")[1].split()) & unwanted


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["simulate"], "Missing argument 'NET'."),
        (["fly"], "No such command 'fly'."),
        (["info", "a", "--colour"], "No such option: --colour"),
        (["simulate", "a", "--samples", "many"], "Invalid value for '--samples': "),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(refused, arguments, line):
    assert line in refused(*arguments)


def test_an_error_of_the_programs_own_is_not_hidden(refused, network_file, monkeypatch):
    def broken(*arguments):
        raise KeyError("broken")

    monkeypatch.setattr("spiker_cli.support.description.describe", broken)
    message = refused("info", network_file)
    assert message == "KeyError: 'broken' (SPIKER_TRACEBACK=1 shows where)"


def test_a_traceback_is_shown_where_it_is_asked_for(spiker, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKER_TRACEBACK", "1")
    code, _, err = spiker("info", tmp_path / "none.spiker")
    lines = err.splitlines()
    assert code == 2
    assert lines[0] == "Traceback (most recent call last):"
    assert any(", in open_network" in line for line in lines)
    assert lines[-1].startswith("spiker: Network must be a file")


def test_what_is_not_installed_is_named(refused, network_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    line = refused("simulate", network_file, "--engine", "reference")
    assert line.startswith("sklearn")
    assert line.endswith("must be installed, and is missing: pip install 'spiker-hdl[train]'")
