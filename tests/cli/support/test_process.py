"""Tests of what the command has of its process: standard streams, interrupts, and what is said."""

import ast
import importlib.util
import pkgutil
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spiker_boards
import spiker_cli
import spiker_hdl
import spiker_train
from spiker_cli.support.lines import EXTRAS, LONGEST, line
from spiker_hdl.base.messages import shortened, visible

from support.small import make_network

FULL = "spiker: Standard output must take all that is written: No space left on device\n"
CLOSED = "spiker: Standard output must be open, not closed\n"
INTERRUPT = """
import os, signal, sys
from spiker_cli.main import main
class Interrupt:
    left = int(sys.argv.pop(1))
    def find_spec(self, name, path=None, target=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.exit(main())
"""


def in_a_shell(arguments, redirection):
    """Run the command in a shell; return exit code and standard error."""
    command = shlex.join([sys.executable, "-m", "spiker_cli.main", *map(str, arguments)])
    run = subprocess.run(
        ["bash", "-c", f"{command} {redirection}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


@pytest.mark.parametrize(
    "redirection, code, message",
    [
        pytest.param("> /dev/full", 2, FULL, id="full"),
        pytest.param(">&-", 2, CLOSED, id="closed"),
        pytest.param("| true", 141, "", id="reader-leaves"),
        pytest.param("2>&- > /dev/null", 0, "", id="no-errors"),
        pytest.param("2>&- > /dev/full", 2, "", id="full-no-errors"),
        pytest.param("2> /dev/full >&2", 2, "", id="both-full"),
        pytest.param("< /dev/null > /dev/null", 0, "", id="nowhere"),
        pytest.param("<&- > /dev/null", 0, "", id="no-input"),
    ],
)
@pytest.mark.parametrize(
    "arguments", [["info", "NET"], ["info", "NET", "--json", "-"], ["--help"]], ids=" ".join
)
def test_standard_streams_may_be_closed_or_full(
    network_file, arguments, redirection, code, message
):
    command = [network_file if argument == "NET" else argument for argument in arguments]
    assert in_a_shell(command, redirection) == (code, message)


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full"])
def test_an_error_that_nobody_can_be_told_is_in_the_exit_code(tmp_path, redirection):
    assert in_a_shell(["info", tmp_path / "none.spiker"], redirection) == (2, "")


@pytest.mark.parametrize("at", [1, 10, 40, 100, 200, 400])
def test_an_interrupt_during_the_start_is_said_in_one_line(network_file, at):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPT, str(at), "simulate", str(network_file)],
        # A shell makes what it starts in the background deaf to interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "spiker: interrupted\n")


@pytest.fixture
def interruptible():
    """Let this process be interrupted, even where a shell started it deaf to that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("becomes", [KeyboardInterrupt, ImportError, SystemError])
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_during_the_work_is_one_whatever_it_becomes(
    spiker, network_file, monkeypatch, becomes
):
    def interrupted(*arguments):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise becomes from None

    monkeypatch.setattr("spiker_cli.support.description.describe", interrupted)
    assert spiker("info", network_file) == (130, "", "spiker: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    "error, message",
    [
        pytest.param(ValueError("Leak must be\n  7"), "Leak must be 7", id="lines"),
        pytest.param(RuntimeError("a\x1b[31m\x9b\u202eb"), r"a\x1b[31m\x9b\u202eb", id="controls"),
        pytest.param(OSError(2, "No such file", "a\udcff"), r"a\udcff: No such file", id="bytes"),
        pytest.param(OSError(28, "No space left"), "File: No space left", id="no-file"),
        pytest.param(
            ModuleNotFoundError("", name="torch.nn"),
            "torch.nn must be installed, and is missing: pip install 'spiker-hdl[train]'",
            id="module-of-an-extra",
        ),
        pytest.param(
            ModuleNotFoundError("", name="theirs"),
            "theirs must be installed, and is missing",
            id="module-of-others",
        ),
        pytest.param(
            ModuleNotFoundError("Data must have theirs: pip install theirs", name="theirs"),
            "Data must have theirs: pip install theirs",
            id="module-with-a-remedy",
        ),
        pytest.param(
            MemoryError("Unable to allocate 1 TiB"),
            "Memory must be enough for what is asked: Unable to allocate 1 TiB",
            id="memory",
        ),
        pytest.param(
            RecursionError("maximum recursion depth exceeded"),
            "What is read must not be nested as deeply: maximum recursion depth exceeded",
            id="recursion",
        ),
        pytest.param(TypeError("Leak must be an int"), "Leak must be an int", id="kind"),
        pytest.param(KeyError("x"), "KeyError: 'x' (SPIKER_TRACEBACK=1 shows where)", id="fault"),
        pytest.param(SystemExit(0), "SystemExit: 0 (SPIKER_TRACEBACK=1 shows where)", id="exit"),
    ],
)
def test_every_error_ends_with_2_and_one_line(refused, network_file, monkeypatch, error, message):
    def broken(*arguments):
        raise error

    monkeypatch.setattr("spiker_cli.support.description.describe", broken)
    assert refused("info", network_file) == message


def error_classes():
    """Return all error classes that the packages declare."""
    results = []
    for package in (spiker_hdl, spiker_boards, spiker_train):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            path = Path(importlib.util.find_spec(module.name).origin)
            names = re.findall(r"^class (\w+Error)\(", path.read_text(), re.MULTILINE)
            results += [getattr(importlib.import_module(module.name), name) for name in names]
    return results


def test_every_error_of_the_packages_is_told_without_a_hint():
    kinds = error_classes()
    assert {"FileError", "BoardError", "BuildError"} <= {kind.__name__ for kind in kinds}
    # Those that their own modules catch, and make others of.
    inner = {"SessionError", "MisplacedError", "StoppedError", "NotRecordedError"}
    for kind in kinds:
        if kind.__name__ not in inner:
            assert line(kind.__new__(kind, "It must be so")).endswith("It must be so"), kind
            assert "SPIKER" not in line(kind.__new__(kind, "It must be so")), kind


def test_a_long_line_keeps_its_end():
    text = shortened("Name must be short, not " + "x" * 10_000 + ", as it is", LONGEST)
    assert len(text) == 400
    assert text.startswith("Name must be short, not xxx")
    assert text.endswith("xxx, as it is")
    assert visible("plain ä 字") == "plain ä 字"


def test_extras_are_those_of_the_package():
    from importlib.metadata import metadata

    assert set(EXTRAS.values()) <= set(metadata("spiker-hdl").get_all("Provides-Extra"))


def test_all_that_is_printed_is_printed_in_one_place():
    root = Path(spiker_cli.__file__).parent
    results = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            of = getattr(getattr(node, "value", None), "id", None)
            if getattr(node, "id", None) in {"print", "Console"} or of == "sys":
                results.append(path.name)
    # The version, whether there is a terminal, and the path of modules.
    allowed = {"terminal.py", "process.py", "main.py", "subcommands.py", "train.py", "importers.py"}
    assert set(results) <= allowed


def test_what_is_drawn_obeys_nothing(spiker, tmp_path):
    """Rich reads colours, and names of emoji, in what it prints; a terminal reads escapes."""
    path = tmp_path / "[red]x :bug: \x1b[31m.spiker"
    make_network(notes={"steps": ":smile: [bold]c"}).save(path)
    code, out, _ = spiker("info", path)
    assert code == 0
    assert ":smile: [bold]c" in out
    assert "\x1b" not in out
    flat = "".join(c for c in out if c.isascii() and not c.isspace())
    assert r"[red]x:bug:\x1b[31m.spiker" in flat
    code, out, err = spiker("simulate", path, "--engine", "\x1b[31m")
    assert (code, out) == (2, "")
    assert r"\x1b[31m" in err
    assert "\x1b" not in err
