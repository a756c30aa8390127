"""CPU time of the tests: measured on request, kept in a file, and what is slow because of it.

``make durations`` runs all tests and writes ``tests/durations.json``: the tests that took more than
:data:`LIMIT` CPU seconds. These are slow; whatever is not in the file is fast.
"""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

__all__ = ["FILE", "KEPT", "LIMIT", "Ledger", "Meter", "charge", "load", "merge", "save", "stale"]

FILE = Path(__file__).resolve().parent.parent / "durations.json"
"""The CPU seconds of the slow tests, by file and name."""

LIMIT = 0.4
"""Most CPU seconds of a fast test, with its share of the fixtures that it uses."""

KEPT = frozenset({
    "tests/boards/host/test_board.py::test_a_board_answers_as_the_reference",
    "tests/boards/gateware/test_usb.py::test_the_device_says_what_it_is",
    "tests/cli/commands/test_demo.py::test_hidden_spikes_are_compared_too",
    "tests/hdl/hdl/test_verilog.py::test_random_networks_pass[0]",
    "tests/hdl/model/neurons/test_intervals.py::test_no_value_ever_leaves_its_interval",
    "tests/hdl/model/test_bounds.py::test_random_networks_stay_within_their_bounds",
    "tests/hdl/model/test_reference.py::test_random_networks_answer_as_a_naive_simulation",
    "tests/hdl/simulate/test_compiled.py::test_auto_chooses_the_compiled_engine",
    "tests/test_everywhere.py::test_random_networks_give_the_same_bits_everywhere[0]",
    "tests/test_own_neuron.py::test_it_is_simulated",
})
"""Fast tests by choice, whatever they take: each sees one thing work from end to end."""

MARGIN = 0.7
"""A slow test becomes fast below this part of the limit, so that none changes by chance."""

ALL_FILES = pytest.StashKey()
"""The files of which the session collected a test."""

FAST_FILES = pytest.StashKey()
"""The files of which the session collected a fast test."""


def load(path=FILE):
    """Return the CPU seconds of the slow tests, by node id; None where it was not measured yet."""
    files = json.loads(path.read_text()) if path.is_file() else {}
    return {f"{file}::{name}": cpu for file, names in files.items() for name, cpu in names.items()}


def save(slow, path=FILE):
    """Write the CPU seconds of the slow tests."""
    files = defaultdict(dict)
    for test, cpu in sorted(slow.items()):
        file, _, name = test.partition("::")
        files[file][name] = cpu and round(cpu, 1)
    path.write_text(json.dumps(files, indent=1) + "\n")


def charge(tests, fixtures, uses):
    """Return what each test costs: its own CPU seconds, and its share of each wider fixture.

    Parameters
    ----------
    tests : dict of str to float
        CPU seconds of each test without fixtures of wider scope.
    fixtures : dict of str to float
        CPU seconds of each fixture of wider scope.
    uses : dict of str to list of str
        The fixtures of wider scope that each test uses.
    """
    users = Counter(fixture for names in uses.values() for fixture in names)
    return {
        test: cpu + sum(fixtures.get(fixture, 0) / users[fixture] for fixture in uses[test])
        for test, cpu in tests.items()
    }


def merge(slow, measured, limit=LIMIT):
    """Return the slow tests after a measurement: of files that were not measured, as before."""
    files = {test.partition("::")[0] for test in measured}
    result = {test: cpu for test, cpu in slow.items() if test.partition("::")[0] not in files}
    for test, cpu in measured.items():
        if test not in KEPT and cpu > (limit * MARGIN if test in slow else limit):
            result[test] = cpu
    return result


def stale(slow, root):
    """Return the slow tests whose file or function is no longer there."""
    result = []
    for test in slow:
        file, _, name = test.partition("::")
        function = name.partition("[")[0]
        path = root / file
        if not path.is_file() or f"def {function}(" not in path.read_text():
            result.append(test)
    return result


def _cpu():
    # Of this process and of the children that it has waited for.
    return sum(os.times()[:4])


class Meter:
    """The CPU time of each test, and of each fixture of wider scope, in the process they run in."""

    def __init__(self):
        self._test = 0.0
        self._fixtures = {}
        self._inside = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef):
        """Measure a fixture that several tests share, without the fixtures that it asks for."""
        if fixturedef.scope == "function":
            return (yield)
        start, outside = _cpu(), self._inside
        self._inside = 0.0
        try:
            return (yield)
        finally:
            spent = _cpu() - start
            name = _name(fixturedef)
            self._fixtures[name] = self._fixtures.get(name, 0.0) + spent - self._inside
            self._inside = outside + spent

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self):
        """Measure the fixtures of a test."""
        self._test, self._inside, self._fixtures = 0.0, 0.0, {}
        start = _cpu()
        try:
            return (yield)
        finally:
            self._test += _cpu() - start - self._inside

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self):
        """Measure a test."""
        start = _cpu()
        try:
            return (yield)
        finally:
            self._test += _cpu() - start

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        """Let the report of a test carry what was measured: reports go from process to process."""
        start = _cpu()
        try:
            return (yield)
        finally:
            self._test += _cpu() - start
            uses = [
                _name(definitions[-1])
                for definitions in item._fixtureinfo.name2fixturedefs.values()
                if definitions[-1].scope != "function"
            ]
            item.user_properties.append(("cpu", (self._test, self._fixtures, uses)))


def _name(fixturedef):
    return f"{fixturedef.baseid}::{fixturedef.argname}"


class Ledger:
    """The measurements of all processes, which become the file of slow tests.

    Parameters
    ----------
    path : Path
        The file, which is read for what was slow before.
    """

    def __init__(self, path=FILE):
        self._path = path
        self._tests = {}
        self._fixtures = defaultdict(float)
        self._uses = {}

    def pytest_runtest_logreport(self, report):
        """Take what was measured of a test."""
        for name, value in report.user_properties if report.when == "teardown" else []:
            if name == "cpu":
                self._tests[report.nodeid], fixtures, self._uses[report.nodeid] = value
                for fixture, cpu in fixtures.items():
                    self._fixtures[fixture] += cpu

    def pytest_terminal_summary(self, terminalreporter):
        """Write the file, and print what it holds."""
        costs = charge(self._tests, self._fixtures, self._uses)
        slow = merge(load(self._path), costs)
        save(slow, self._path)
        fast = [cpu for test, cpu in costs.items() if test not in slow]
        terminalreporter.write_line(
            f"{len(fast)} fast tests take {sum(fast):.0f} CPU seconds,"
            f" {len(costs) - len(fast)} slow tests {sum(costs.values()) - sum(fast):.0f}"
        )
