"""The planter of faults: what it plants, what it finds again, and which tests it runs first."""

import ast
import json
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from support.places import ROOT

SOURCE = '''
"""A module."""

__all__ = ["Half"]


class Half:
    """Half of a number."""

    def of(self, x: int) -> int:
        if x < 2 and self:
            raise ValueError("X must be at least 2, not 1" + "!" * 3)
        y = x // 2
        return y
'''


@pytest.fixture(scope="module")
def mutation():
    """Return the script as a module."""
    spec = spec_from_file_location("mutation", ROOT / "benchmarks" / "mutation.py")
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # A script finds the modules beside it.
        patch.syspath_prepend(ROOT / "benchmarks")
        spec.loader.exec_module(module)
    return module


def test_faults_by_hand(mutation):
    results = [(f.scope, f.kind, f.before, f.after) for f, *_ in mutation.places("half.py", SOURCE)]
    assert sorted(results) == sorted([
        ("Half.of", "condition", "x < 2 and self", "not (x < 2 and self)"),
        ("Half.of", "condition", "x < 2 and self", "x < 2 or self"),
        ("Half.of", "comparison", "x < 2", "x <= 2"),
        ("Half.of", "constant", "2", "3"),
        ("Half.of", "constant", "2", "1"),
        ("Half.of", "constant", "2", "3"),
        ("Half.of", "constant", "2", "1"),
        ("Half.of", "statement", "y = x // 2", "pass"),
        ("Half.of", "operator", "x // 2", "x * 2"),
    ])


def test_each_fault_changes_one_place(mutation, tmp_path):
    (tmp_path / "half.py").write_text(SOURCE)
    plain = ast.unparse(ast.parse(SOURCE))
    texts = {mutation.plant(tmp_path, f) for f, *_ in mutation.places("half.py", SOURCE)}
    assert len(texts) == 9
    assert plain not in {text.strip() for text in texts}


def test_fault_whose_place_is_gone_is_missing(mutation, tmp_path):
    fault = next(f for f, *_ in mutation.places("half.py", SOURCE))
    assert mutation.plant(tmp_path, fault) is None
    (tmp_path / "half.py").write_text("x = 1\n")
    assert mutation.plant(tmp_path, fault) is None


def test_fault_is_found_again_after_a_name_has_changed(mutation, tmp_path):
    folder = tmp_path / "pack" / "age"
    folder.mkdir(parents=True)
    faults = [fault for fault, *_ in mutation.places("pack/age/half.py", SOURCE)]
    (folder / "half.py").write_text(SOURCE.replace("y", "yy"))
    (statement,) = [fault for fault in faults if fault.kind == "statement"]
    assert mutation.relocate(tmp_path, statement).before == "yy = x // 2"
    (folder / "half.py").rename(folder / "third.py")
    assert mutation.relocate(tmp_path, statement).path == "pack/age/third.py"
    (folder / "third.py").write_text("x = 1\n")
    assert mutation.relocate(tmp_path, statement) is None


def test_own_tests_run_first_and_all_once(mutation):
    own, near, rest = mutation.stages(ROOT, "spiker_hdl/rtl/streams/queue.py")
    assert own == ["tests/hdl/rtl/streams/test_queue.py"]
    assert "tests/hdl/rtl/streams/test_scanner.py" in near
    assert "tests/test_everywhere.py" in rest
    assert len({*own, *near, *rest}) == len([*own, *near, *rest])


def test_the_copy_has_what_the_source_distribution_has(mutation):
    # A file that is missing in the copy fails a test there, which would then find every fault.
    lines = map(str.split, (ROOT / "MANIFEST.in").read_text().splitlines())
    names = {name for line in lines if line[:1] in (["include"], ["graft"]) for name in line[1:]}
    assert {*names, "MANIFEST.in", "pyproject.toml"} <= set(mutation.COPIED)


def test_listed_faults_are_in_the_sources(mutation):
    lists = json.loads((ROOT / "benchmarks" / "faults.json").read_text())
    faults = [mutation.Fault(**fault) for name in lists for fault in lists[name]]
    places = {
        path: {fault.key for fault, *_ in mutation.places(path, (ROOT / path).read_text())}
        for path in {fault.path for fault in faults}
        if (ROOT / path).is_file()
    }
    missing = [fault for fault in faults if fault.key not in places.get(fault.path, ())]
    assert len(missing) <= len(faults) // 3, "python benchmarks/mutation.py --relocate"
