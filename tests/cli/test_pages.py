"""The Python and the commands that README and documentation show do run."""

import gc
import re
import shlex

import pytest
from amaranth.hdl import Fragment, Module

from spiker_cli.main import main

from support.places import ROOT, read_page

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("[!_]*.md"))]
TRAINS = {"README.md", "getting_started.md", "from_ship.md"}


def blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in TRAINS else [])
        for page in PAGES
        if blocks(page)
    ],
)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Amaranth tells of hardware that nobody uses once it has elaborated some.
    Fragment.get(Module(), None)
    names = {"__name__": "page"}
    for block in blocks(page):
        exec(compile(block, page.name, "exec", dont_inherit=True), names)
    # What was left open or unused is told now, and not in some later test.
    names.clear()
    gc.collect()


def test_python_of_the_readme_is_about_ten_lines():
    (block,) = blocks(ROOT / "README.md")
    assert len([line for line in block.splitlines() if line and "import" not in line]) <= 10


@pytest.mark.slow
def test_commands_of_the_pages_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = set()
    for text in ((ROOT / "README.md").read_text(), read_page("cli")):
        for line in re.findall(
            r"^    (spiker (?:train|info|simulate|timing|emit) .*)$", text, re.M
        ):
            if line not in seen:
                assert main(shlex.split(line)[1:]) == 0, line
                seen.add(line)
    assert len(seen) >= 7


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("https://") or (ROOT / target).is_file(), target
