"""What importing loads, and what is installed."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest

import spiker_hdl

from support.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOPS = ["spiker_hdl", "spiker_train", "spiker_boards", "spiker_cli"]


def loaded(statement, directory):
    """Run ``statement`` in a new interpreter; return the packages that it loaded."""
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement, unwanted",
    [
        ("import spiker_hdl.model", {"amaranth", "torch", "snntorch", "sklearn", "matplotlib"}),
        ("import spiker_hdl", {"torch", "snntorch", "sklearn", "matplotlib"}),
        ("import spiker_hdl.rtl", {"torch", "snntorch", "sklearn", "matplotlib"}),
        ("import spiker_boards", {"amaranth", "torch"}),
    ],
)
def test_importing_loads_no_more_than_it_needs(statement, unwanted, tmp_path):
    names = loaded(statement, tmp_path)
    assert statement.split()[1].split(".")[0] in names
    assert not names & unwanted


@pytest.mark.parametrize("package", PROJECT["tool"]["setuptools"]["packages"])
def test_every_package_is_found_from_anywhere(package, tmp_path):
    assert package.split(".")[0] in loaded(f"import {package}", tmp_path)


def test_packages_listed_are_those_there_are():
    folders = {
        file.parent.relative_to((ROOT / top).parent)
        for top in ["spiker_hdl", "spiker_train", "boards/spiker_boards", "spiker_cli"]
        for file in (ROOT / top).rglob("*.py")
    }
    assert {".".join(folder.parts) for folder in folders} == set(
        PROJECT["tool"]["setuptools"]["packages"]
    )


def test_base_dependencies_are_numpy_and_amaranth():
    base = [line for line in requires("spiker-hdl") if "extra ==" not in line]
    assert sorted(re.match(r"[\w-]+", line)[0] for line in base) == ["amaranth", "numpy"]


def test_version_is_a_literal_that_the_build_reads():
    assert PROJECT["project"]["dynamic"] == ["version"]
    module, _, name = PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"].rpartition(".")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
    assert f"\n{name} = {json.dumps(spiker_hdl.__version__)}\n" in source


def test_the_command_is_there():
    (command,) = entry_points(group="console_scripts", name="spiker")
    assert callable(command.load())


# -- what is built and installed -----------------------------------------------------------------

ELABORATES_SIMULATES_AND_EMITS = """\
import importlib.util
from pathlib import Path
import numpy as np
import spiker_hdl
from spiker_hdl.model import Decay, Input, Lif, Network, Population, Projection, Readout

assert importlib.util.find_spec("torch") is None
assert Path(spiker_hdl.__file__).is_relative_to(Path(__import__("sys").prefix))
weights = np.arange(-6, 6).reshape(3, 4)
network = Network(
    [Input("i", 4)],
    [Population("o", 3, Lif(threshold=4, decay=Decay.shift(3), width=6))],
    [Projection("i", "o", weights)],
    [Readout("o")],
)
spikes = np.ones((2, 5, 4), dtype=int)
answers = spiker_hdl.run(network, spikes)
hardware = spiker_hdl.run(network, spikes, engine="amaranth")
assert not answers.differences(hardware)
spiker_hdl.emit(network, "verilog", samples=spikes, expected=hardware)
assert any("module" in file.read_text() for file in Path("verilog").rglob("*.v"))
"""


def call(*arguments, cwd):
    """Run a program that must succeed; return what it prints."""
    run = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def environment(directory):
    """Make an environment with nothing in it; return its Python."""
    venv.create(directory, with_pip=True)
    return directory / ("Scripts" if sys.platform == "win32" else "bin") / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the wheel that is built from the source distribution, not from the clone."""
    folder = tmp_path_factory.mktemp("packages")
    clone = folder / "clone"
    names = call("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    python = environment(folder / "builder")
    call(python, "-m", "pip", "install", "-q", *PROJECT["build-system"]["requires"], cwd=folder)
    script = "from setuptools import build_meta; build_meta.build_sdist('../sdist')"
    call(python, "-c", script, cwd=clone)
    (sdist,) = (folder / "sdist").iterdir()
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    call(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "wheels", source, cwd=folder)
    (wheel,) = (folder / "wheels").iterdir()
    return wheel


def installed_files(python, cwd):
    script = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    return Path(call(python, "-c", script, cwd=cwd).strip())


def test_source_distribution_has_every_folder_that_the_tests_read():
    lines = map(str.split, (ROOT / "MANIFEST.in").read_text().splitlines())
    grafted = {line[1] for line in lines if line[:1] == ["graft"]}
    named = re.compile(r'ROOT / "(\w+)[/"]')
    read = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in named.findall(path.read_text())
        if (ROOT / name).is_dir()
    }
    assert {"examples", "networks"} <= read
    assert read <= grafted | set(TOPS) | {"boards"}


@pytest.mark.slow
def test_wheel_of_the_sdist_works_without_torch(wheel, tmp_path):
    python = environment(tmp_path / "empty")
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    call(*install, f"{wheel}[verilog]", cwd=tmp_path)
    call(python, "-W", "error", "-c", ELABORATES_SIMULATES_AND_EMITS, cwd=tmp_path)
    assert wheel.name.split("-")[1] == spiker_hdl.__version__
    packages = installed_files(python, tmp_path)
    assert all((packages / top / "py.typed").is_file() for top in TOPS)
    cells = Path("spiker_hdl/export/netlist/cells")
    names = {file.name for file in (ROOT / cells).iterdir()}
    assert {file.name for file in (packages / cells).iterdir()} == names
    assert not (packages / "tests").exists()


@pytest.mark.slow
def test_demo_runs_from_the_wheel_away_from_the_clone(wheel, tmp_path):
    python = environment(tmp_path / "empty")
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    call(*install, f"{wheel}[train,cli,plot,verilog]", cwd=tmp_path)
    printed = call(python.with_name("spiker"), "demo", cwd=tmp_path)
    assert re.search(r"mismatches\W+0 of 50 samples", printed)
    shown = (ROOT / "README.md").read_text().partition("The demo ends with")[2].partition("##")[0]
    labels = re.findall(r"^    (\S.*?)  ", shown, re.MULTILINE)
    assert len(labels) == 7
    assert all(label in printed for label in labels)
    assert (tmp_path / "demo" / "digits.spiker").is_file()
