"""Bad arguments, each of every class there is for it, to every parameter of every subcommand.

The parameters are those that the subcommands declare, so that new ones are tried, too: only what is
good for one must be said here, and where nothing else is bad.
"""

import inspect
import os
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest

from spiker_cli.subcommands import COMMANDS
from spiker_cli.support.lines import LONGEST
from spiker_train.data.images import datasets, load_dataset

from support.small import make_network

GOOD = {
    "NET": "net.spiker",
    "FLOAT_NET": "floating_point.safetensors",
    "DATA": "data.npz",
    "[NET]": "net.spiker",
    "FILE.nir|MODULE:OBJECT|CONFIG.json": "tests_own_model:Net",
    "--net": "64-32-10",
    "--board": "ulx3s_25f",
    "--port": "/dev/null",
    "DIR": "emitted",
}
"""By metavariable or option, what is good for what must be given."""

OUTPUTS = {
    ("import", "output"): "new.safetensors",
    ("emit", "output"): "new",
    ("build", "output"): "new",
    ("demo", "output"): "new",
}
WRITTEN = {"output", "json", "picture", "saif"}
DIRECTORIES = {("emit", "output"), ("build", "output"), ("demo", "output")}
ZERO_IS_GOOD = {"seed", "tune", "faults", "saturation", "shifts", ("emit", "samples")}
ALONE = {("energy", "saif"), ("quantize", "picture")}

NO_NUMBERS = ("", "x", "nan", "inf", "-inf", "1e999", "1_0", "\x1b[31m", "\udcff", "--", "٣٣x")
NO_INTEGERS = (
    "1.5",
    "1e3",
    "99999999999999999999999",
    "-1",
    "-99999999999999999999999",
    "9" * 5000,
)
NO_WORDS = (
    "",
    "no such",
    "\x1b]0;x\x07",
    "a\udcffb",
    "\u202ex",
    "-x",
    "--help",
    "x" * 5000,
    "nan",
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a subcommand: what it is called and takes, and whether it must be there."""

    command: str
    name: str
    kind: Any
    option: str | None
    metavar: str | None
    required: bool

    def arguments(self, value: str) -> list[str]:
        return [value] if self.option is None else [f"{self.option}={value}"]

    @property
    def reads(self) -> bool:
        return self.kind is Path and self.name not in WRITTEN


def parameters(command: str) -> list[Parameter]:
    function = COMMANDS[command]
    results = []
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, declared = get_args(hints[name])[:2]
        kinds = [part for part in get_args(kind) or (kind,) if part is not type(None)]
        kind = kinds[0] if get_origin(kind) is not list else get_args(kind)[0]
        if get_origin(kind) is list:
            kind = get_args(kind)[0]
        option = None
        if type(declared).__name__ == "OptionInfo":
            named = [part for part in declared.param_decls or () if part.startswith("--")]
            option = named[0] if named else f"--{name.replace('_', '-')}"
        required = parameter.default is inspect.Parameter.empty
        results.append(Parameter(command, name, kind, option, declared.metavar, required))
    return results


def bad_values(parameter: Parameter) -> list[str]:
    """Return values that are bad for a parameter, whatever the files there are."""
    zero = [] if {parameter.name, (parameter.command, parameter.name)} & ZERO_IS_GOOD else ["0"]
    if parameter.kind is int:
        return [*NO_NUMBERS, *NO_INTEGERS, *zero]
    if parameter.kind is float:
        return [*NO_NUMBERS, "-1", "-1e-300", "1e300", *zero]
    if parameter.kind is str:
        # What begins with a dash is an option where no option stands before it.
        return [word for word in (*NO_WORDS, *zero) if parameter.option or not word.startswith("-")]
    if parameter.kind is bool:
        return []
    if parameter.reads:
        nothing = ["none", "none/none", "net.spiker/none", "x" * 300, "\x1b[31m", "a\udcffb", ""]
        files = ["empty", "garbage", "pipe", "short.npz", "/dev/null", "/proc/self/mem"]
        return [*nothing, *files, "folder"]
    assert parameter.kind is Path
    bad = ["none/new", "net.spiker/new", "/proc/new", "x" * 300, "", "/dev/null/new"]
    bad += [] if parameter.name == "json" else ["-"]  # which is standard output for reports alone
    inputs = [
        value for value in GOOD.values() if any(value in part for part in base(parameter.command))
    ]
    if (parameter.command, parameter.name) in DIRECTORIES:
        return [*bad[1:], *inputs, "full", "pipe"]
    return [*bad, *inputs, "folder", "pipe"]


def base(command: str) -> dict[str, list[str]]:
    """Return good values of all that must be there, by parameter."""
    results = {}
    for parameter in parameters(command):
        if parameter.required:
            if parameter.name == "output":
                value = OUTPUTS.get((command, "output"), "new.spiker")
            else:
                value = GOOD[parameter.option if parameter.option in GOOD else parameter.metavar]
            results[parameter.name] = parameter.arguments(value)
    return results


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Return a directory with what is good, and with what is bad for all who read."""
    from spiker_hdl.export import emit
    from spiker_train import SpikingNetwork, save_floating_point

    root = tmp_path_factory.mktemp("given")
    network = make_network()
    network.save(root / "net.spiker")
    save_floating_point(SpikingNetwork.chain("64-6-10"), root / "floating_point.safetensors")
    emit(network, root / "emitted")
    draws = np.random.default_rng(0)
    x, y = draws.integers(0, 256, (40, 64), dtype=np.uint8), draws.integers(0, 10, 40)
    np.savez(root / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    (root / "empty").touch()
    (root / "garbage").write_bytes(draws.bytes(4000))
    (root / "short.npz").write_bytes((root / "data.npz").read_bytes()[:300])
    (root / "folder").mkdir()
    (root / "full").mkdir()
    (root / "full" / "theirs").write_text("kept")
    (root / "tests_own_model.py").write_text(MODEL)
    os.mkfifo(root / "pipe")
    return root


MODEL = """
import snntorch, torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.lif = torch.nn.Linear(64, 10), snntorch.Leaky(beta=0.9)

    def forward(self, x):
        mem, spikes = self.lif.init_leaky(), []
        for step in x:
            spike, mem = self.lif(self.fc(step), mem)
            spikes.append(spike)
        return torch.stack(spikes)
"""


def contents(directory: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in directory.rglob("*")
        if "__pycache__" not in path.parts
    }


def wrong(code: int, out: str, err: str) -> str | None:
    """Say what is wrong with what a bad argument was answered with, if anything is."""
    if code != 2:
        return f"exit code {code}"
    if out:
        return f"standard output {out[:80]!r}"
    lines = err.splitlines()
    if len(lines) != 1 or not err.endswith("\n"):
        return f"{len(lines)} lines"
    if not lines[0].startswith("spiker: ") or "Traceback" in err or "SPIKER_TRACEBACK" in err:
        return "no error of the library"
    if not lines[0].isprintable():
        return "characters that do not print"
    if len(lines[0]) > LONGEST + len("spiker: "):
        return f"{len(lines[0])} characters"
    return None


def flat(options: dict[str, list[str]]) -> list[str]:
    return [entry for several in options.values() for entry in several]


def attempts(command: str) -> list[tuple[str, list[str]]]:
    """Return bad commands, each with what is bad about it."""
    good = base(command)
    results = []
    for parameter in parameters(command):
        for value in bad_values(parameter):
            arguments = good | {parameter.name: parameter.arguments(value)}
            results.append((
                f"{parameter.option or parameter.name} {value[:20]!r}",
                flat(arguments),
            ))
        if parameter.required:
            rest = {name: part for name, part in good.items() if name != parameter.name}
            results.append((f"no {parameter.option or parameter.name}", flat(rest)))
        if parameter.option and parameter.kind is not bool:
            results.append((f"{parameter.option} of nothing", [*flat(good), parameter.option]))
    results.append(("an argument too many", [*flat(good), "more", "still more"]))
    results.append(("an option that is none", [*flat(good), "--colour\x1b[31m"]))
    return results


@pytest.mark.parametrize("command", COMMANDS)
def test_every_bad_argument_is_one_line_and_leaves_nothing(spiker, directory, monkeypatch, command):
    monkeypatch.chdir(directory)
    digits = load_dataset("digits")
    monkeypatch.setitem(datasets, "digits", lambda: digits)  # which is read once, then
    monkeypatch.setattr(
        "spiker_boards.simulation.server.Served.wait", lambda served: None
    )  # for ever
    before = contents(directory)
    failures = []
    for what, arguments in attempts(command):
        answer = spiker(command, *arguments)
        problem = wrong(*answer)
        after = contents(directory)
        if after != before:
            problem = f"{sorted(set(after.items()) ^ set(before.items()))} changed"
            before = after
        if problem is not None:
            failures.append(f"{what}: {problem}: {answer[2][:200]!r}")
    assert not failures, "\n".join(failures)
