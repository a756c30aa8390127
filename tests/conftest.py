"""What all tests share: where real data is, what a skip means, how random networks are drawn."""

import gc
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from support import durations

ROOT = Path(__file__).resolve().parent.parent

# Workers share the cores; each with as many threads as there are cores would only be slower.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, and no files: a failure on one machine is a failure on all.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None, print_blob=True)
# HYPOTHESIS_PROFILE=search looks for new examples instead.
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_addoption(parser):
    parser.addoption(
        "--measure", action="store_true", help="measure which tests are slow: tests/durations.json"
    )


def pytest_configure(config):
    # A shell lets what it starts in the background ignore interrupts, and programs that a test
    # starts and interrupts would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--measure"):
        config.pluginmanager.register(durations.Meter())
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(durations.Ledger())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark what was measured slow, before it is chosen what to run."""
    refuse_bad_ids(items)
    slow = durations.load()
    config.stash[durations.ALL_FILES] = {item.path for item in items}
    config.stash[durations.FAST_FILES] = fast = set()
    for item in items:
        if item.nodeid in slow:
            item.add_marker(pytest.mark.slow)
        elif not item.get_closest_marker("slow"):
            fast.add(item.path)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Keep modules and collected tests out of garbage collection, a fifth of all time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """Forget snnTorch's neurons, which it keeps for ever, with their memory."""
    if "snntorch" in sys.modules:
        sys.modules["snntorch"].SpikingNeuron.instances.clear()


ID_LENGTH = 60
"""Most characters in the name of a parametrised case."""


def pytest_make_parametrize_id(val):
    """Name a case by what it shows: a few words of a text, and nothing of bytes.

    Workers compare the names of what they collected, so that a name must be the same in every
    process: pytest would spell out bytes, which may hold the time of an archive.
    """
    if isinstance(val, bytes | bytearray):
        return "bytes"
    if isinstance(val, str):
        words = re.sub(r"[^A-Za-z0-9_.:+*/=-]+", "-", val).strip("-")
        return words if len(words) <= 20 else words[:16].rstrip("-")
    if getattr(val, "__name__", "") == "<lambda>":
        return "call"
    return None  # numbers, classes and functions by name, all else by its number


def bad_id(name):
    """Say what is wrong with the name of a case, if anything is."""
    if len(name) > ID_LENGTH:
        return f"at most {ID_LENGTH} characters"
    if not (name.isascii() and name.isprintable()) or re.search(r"\\[xnrtuU0]", name):
        return "printable characters, and no bytes"
    if re.search(r"0x[0-9a-fA-F]{6,}|\bat 0x", name):
        return "no address"
    if re.search(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d|(?<!\d)1[6-9]\d{8}(?!\d)", name):
        return "no time"
    return None


def refuse_bad_ids(items):
    """Fail the collection if the name of a case is long, or may differ in another process."""
    bad = []
    for item in items:
        case = getattr(item, "callspec", None)
        wrong = bad_id(case.id) if case else None
        if wrong:
            bad.append(f"{item.nodeid!r}: the name of a case must have {wrong}")
    if bad:
        raise pytest.UsageError("Give these cases an id of their own:\n  " + "\n  ".join(bad))


@pytest.fixture(scope="session")
def data_dir():
    """Directory of real data sets: what SPIKER_DATA names, else ``../shared/data``."""
    directory = os.environ.get("SPIKER_DATA")
    path = Path(directory) if directory else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"SPIKER_DATA must name a directory of data sets, not {directory!r}")
    return path


@pytest.fixture(scope="session")
def data_file(data_dir):
    """Find a data set by its file name; skip the test where it is not."""

    def find(name):
        path = data_dir / name
        if not path.is_file():
            pytest.skip(f"{name} must be in {data_dir}")
        return path

    return find


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Let skipped tests fail the run where SPIKER_NO_SKIPS is set: CI has all tools and data."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SPIKER_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say which tests were skipped for want of what, and that this is a failure where it is."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("SPIKER_NO_SKIPS"):
        for report in skipped:
            terminalreporter.write_line(
                f"SKIPPED, and so failed: {report.nodeid}: {reason(report)}"
            )
    elif skipped:
        terminalreporter.section("skipped tests")
        for cause, n in Counter(map(reason, skipped)).most_common():
            terminalreporter.write_line(f"{n:5d} skipped: {cause}{remedy(cause)}")


def reason(report):
    """Return the reason of a skip, without where it was found."""
    return report.longrepr[2].removeprefix("Skipped: ").replace("\n", " ")


REMEDIES = {
    "iverilog": "apt-get install iverilog",
    "verilator": "apt-get install verilator",
    "ghdl": "apt-get install ghdl",
    "g++": "apt-get install g++",
    "gcc": "apt-get install gcc",
    "tclsh": "apt-get install tcl",
    "SPIKER_DATA": "name the directory of data sets in SPIKER_DATA",
}


def remedy(cause):
    """Return how to get what a test was skipped for: a package of Debian, or of Python."""
    for tool, command in REMEDIES.items():
        if re.search(rf"(?<!\w){re.escape(tool)}(?!\w)", cause, re.IGNORECASE):
            return f" ({command})"
    python = re.search(r"could not import|yowasp|fusesoc|cocotb", cause)
    return " (make setup)" if python else ""
