"""What importing loads, and what is installed."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, requires, version

import pytest

from support.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


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


def test_installed_version_is_the_projects():
    assert version("spiker-hdl") == PROJECT["project"]["version"]


def test_the_command_is_there():
    (command,) = entry_points(group="console_scripts", name="spiker")
    assert callable(command.load())
