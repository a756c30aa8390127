"""Tests of what pages name: files exist, terms are defined once and linked, titles are there."""

import re
from collections import Counter

import pytest
from drawings.command import help_of, subcommands

from support.places import ROOT, read_page

PAGES = sorted((ROOT / "docs").rglob("[!_]*.md"))
FOLDERS = r"spiker_\w+|boards|docs|tests|networks|notebooks|benchmarks"
FILE = re.compile(rf"`((?:{FOLDERS})/[\w./]+\.\w+)`")


def terms():
    """Return the terms of the glossary, in the order of the page."""
    results = []
    for block in re.findall(r"```\{glossary\}\n(.*?)```", read_page("glossary"), re.DOTALL):
        results += [line for line in block.splitlines() if line and not line.startswith(" ")]
    return results


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_that_a_page_names_exist(page):
    for name in FILE.findall(page.read_text()):
        assert (ROOT / name).exists(), name


def test_architecture_names_many_files():
    assert len(set(FILE.findall(read_page("architecture")))) > 40


def test_each_term_is_defined_once():
    assert len(terms()) > 30
    assert max(Counter(terms()).values()) == 1


def test_each_term_is_linked_and_each_link_leads_to_a_term():
    linked = set()
    for page in PAGES:
        for term in re.findall(r"\{term\}`([^`]+)`", page.read_text()):
            match = re.fullmatch(r".*<(.+)>", " ".join(term.split()))
            linked.add(match[1] if match else " ".join(term.split()))
    assert linked == set(terms())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_that_a_page_links_exist(page):
    for target in re.findall(r"\{doc\}`(?:[^`<]+<)?([^`>]+)>?`", page.read_text()):
        target = " ".join(target.split())
        folder = ROOT / "docs" if target.startswith("/") else page.parent
        assert (folder / f"{target.lstrip('/')}.md").is_file(), target


def test_each_subcommand_is_named_on_its_page_and_has_help():
    names = subcommands()
    assert {"demo", "train", "simulate", "emit", "build"} <= set(names)
    assert all(f"`spiker {name}" in read_page("cli") for name in names)
    assert "--board" in help_of("build")
