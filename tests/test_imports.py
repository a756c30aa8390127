"""Circles of imports, which no contract of import-linter forbids inside a folder."""

from functools import cache
from graphlib import TopologicalSorter

import grimp
import pytest

PACKAGES = ("spiker_hdl", "spiker_train", "spiker_boards", "spiker_cli")


@cache
def graph():
    # Imports for type checkers alone are never executed.
    return grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)


def part_of(module, package):
    """Return the child of a package that a module is or is in, or None if it is outside."""
    if not module.startswith(f"{package}."):
        return None
    return ".".join(module.split(".")[: package.count(".") + 2])


def test_files_do_not_import_each_other_in_a_circle():
    imports = {
        module: graph().find_modules_directly_imported_by(module) for module in graph().modules
    }
    TopologicalSorter(imports).prepare()


@pytest.mark.parametrize(
    "package", sorted(m for m in graph().modules if graph().find_children(m)), ids=str
)
def test_parts_of_a_package_do_not_import_each_other_in_a_circle(package):
    parts = {child: set() for child in graph().find_children(package)}
    for module in graph().find_descendants(package):
        for imported in graph().find_modules_directly_imported_by(module):
            part, other = part_of(module, package), part_of(imported, package)
            if other is not None and other != part:
                parts[part].add(other)
    TopologicalSorter(parts).prepare()
