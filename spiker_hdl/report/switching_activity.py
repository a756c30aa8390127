"""Switching activity of a design in its simulation: a proxy of energy."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.model import Mapping, Network, Result, stimulus
from spiker_hdl.payloads.design import DesignPorts
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate import compiled
from spiker_hdl.simulate.cpp_harness import harness
from spiker_hdl.simulate.shared_library import Build, find_library, find_tool, load_library

__all__ = ["Activity", "Net", "switching"]

NAME = "accelerator"

# Counts the changes that Verilator would write to a waveform file, instead of writing them. Signals
# are sampled before each rising edge: so glitches of gates and the clock are not counted.
_PRELUDE = r"""
#include "verilated_vcd_c.h"
#include <string>
#include <unordered_map>
#include <vector>

namespace {

// The bits of a signal: their present values, the cycle of the last change, the cycles in which
// each was 1, and the number of its changes.
struct Signal {
  std::string now;
  std::vector<uint64_t> since, high, changes;
};

// A waveform file that is parsed line by line as it is written, and never stored.
class Counter : public VerilatedVcdFile {
 public:
  std::string header, rest;
  std::vector<std::string> codes;
  std::unordered_map<std::string, Signal> signals;
  uint64_t time = 0;
  bool open_header = true;

  bool open(const std::string&) override { return true; }
  void close() override {}
  ssize_t write(const char* text, ssize_t size) override {
    rest.append(text, size);
    size_t begin = 0, end;
    while ((end = rest.find('\n', begin)) != std::string::npos) {
      line(rest.substr(begin, end - begin));
      begin = end + 1;
    }
    rest.erase(0, begin);
    return size;
  }
  void finish(uint64_t end) {
    for (auto& [code, signal] : signals)
      for (size_t n = 0; n < signal.now.size(); n++)
        if (signal.now[n] == '1') signal.high[n] += end - signal.since[n];
  }

 private:
  // A line is a time (#12), a change of several bits (b0101 code) or of one bit (1code).
  void line(const std::string& text) {
    if (open_header) {
      header += text + "\n";
      if (text.find("$enddefinitions") != std::string::npos) open_header = false;
    } else if (text.empty() || text[0] == '$') {
    } else if (text[0] == '#') {
      time = std::stoull(text.substr(1));
    } else if (text[0] == 'b') {
      size_t gap = text.find(' ');
      change(text.substr(gap + 1), text.substr(1, gap - 1));
    } else {
      change(text.substr(1), text.substr(0, 1));
    }
  }
  void change(const std::string& code, const std::string& bits) {
    auto [entry, fresh] = signals.try_emplace(code);
    Signal& signal = entry->second;
    if (fresh) {
      signal = {bits, std::vector<uint64_t>(bits.size(), time),
                std::vector<uint64_t>(bits.size()), std::vector<uint64_t>(bits.size())};
      return;
    }
    for (size_t n = 0; n < bits.size(); n++) {
      if (bits[n] == signal.now[n]) continue;
      signal.changes[n]++;
      if (signal.now[n] == '1') signal.high[n] += time - signal.since[n];
      signal.since[n] = time;
    }
    signal.now = bits;
  }
};

struct Tracer {
  Counter counter;
  VerilatedVcdC trace{&counter};
  uint64_t cycles = 0;
  std::string text;
};

Tracer* tracer = nullptr;

// Samples all signals; the first call starts the trace.
template <typename Model>
void watch(Model& model) {
  if (!tracer) {
    tracer = new Tracer;
    model.context.traceEverOn(true);
    model.top.trace(&tracer->trace, 99);
    tracer->trace.open("none");
  }
  tracer->trace.dump(tracer->cycles++);
}

}  // namespace

// Returns the number of cycles, the header of the waveforms, and a line for each signal with the
// changes and the high cycles of its bits, the lowest bit first. The next cycle starts a new trace.
extern "C" const char* spiker_activity() {
  static std::string text;
  tracer->trace.flush();
  Counter& counter = tracer->counter;
  counter.finish(tracer->cycles);
  text = std::to_string(tracer->cycles) + "\n" + counter.header;
  for (auto& [code, signal] : counter.signals) {
    text += code;
    for (size_t n = signal.now.size(); n-- > 0;)
      text += " " + std::to_string(signal.changes[n]) + " " + std::to_string(signal.high[n]);
    text += "\n";
  }
  tracer->trace.close();
  delete tracer;
  tracer = nullptr;
  return text.c_str();
}
"""


@dataclass(frozen=True, eq=False)
class Net:
    """A signal of the design.

    Members
    -------
    scope : tuple of str
        Names of the instances around it, from the outermost on; () in the topmost module.
    name : str
    kind : {"register", "memory", "wire"}
        ``"register"`` if it is clocked, ``"memory"`` if it is the output register of a memory.
    toggles : array of int, shape (bits,)
        Number of changes of each bit, the lowest first.
    high : array of int, shape (bits,)
        Number of cycles in which each bit is 1.
    """

    scope: tuple[str, ...]
    name: str
    kind: str
    toggles: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Activity:
    """Switching activity of a design's signals.

    Members
    -------
    samples : int
    cycles : int
        Number of simulated cycles, including those between samples.
    nets : tuple of Net
    result : Result
        Result of the samples.
    """

    samples: int
    cycles: int
    nets: tuple[Net, ...]
    result: Result

    def toggles(self, kind: str = "register", scope: tuple[str, ...] = ()) -> float:
        """Return the bit changes per sample of all signals of a kind within a scope."""
        return float(
            sum(
                int(net.toggles.sum())
                for net in self.nets
                if net.kind == kind and net.scope[: len(scope)] == scope
            )
            / self.samples
        )

    def parts(self, kind: str = "register") -> dict[str, float]:
        """Return :meth:`toggles` of each instance in the topmost module, and of its own signals."""
        counts: dict[str, int] = {}
        for net in self.nets:
            if net.kind == kind:
                part = net.scope[0] if net.scope else "top"
                counts[part] = counts.get(part, 0) + int(net.toggles.sum())
        return {part: count / self.samples for part, count in sorted(counts.items())}

    def to_json(self) -> dict[str, Any]:
        """Return figures per sample as JSON values."""
        registers = [net for net in self.nets if net.kind == "register"]
        return {
            "samples": self.samples,
            "cycles": round(self.cycles / self.samples, 3),
            "register_bits": sum(len(net.toggles) for net in registers),
            "register_toggles": round(self.toggles(), 3),
            "memory_output_toggles": round(self.toggles("memory"), 3),
            "parts": {part: round(count, 3) for part, count in self.parts().items()},
        }


def switching(
    network: Network,
    spikes: Any,
    *,
    mapping: Mapping | None = None,
    back_to_back: bool = False,
) -> Activity:
    """Simulate samples one after another, and count the changes of each bit.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
    mapping : Mapping, optional
        :meth:`Mapping.default` if none is given.
    back_to_back : bool
        Whether a sample is offered before the result of the previous one.

    Returns
    -------
    Activity

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes.
    BuildError
        If Verilator or a C++ compiler is missing.
    """
    check_kind("Network", network, Network)
    stimuli = stimulus(network, spikes)
    accelerator = Accelerator(network, None if mapping is None else mapping.filled)
    tool = find_tool("verilator")
    source = to_verilog(accelerator, NAME)
    design = DesignPorts.of(accelerator, source.ports)
    code = harness(design, tool, NAME, prelude=_PRELUDE, watch="watch(model); ")
    library = find_library(source.text, code, NAME, tool, traced=True)
    result = compiled.run(
        network,
        spikes,
        workers=1,
        back_to_back=back_to_back,
        built=Build(library, design, tool),
    )
    read_activity = load_library(library).spiker_activity
    read_activity.restype = ctypes.c_char_p
    cycles, _, text = read_activity().decode().partition("\n")
    return Activity(len(stimuli), int(cycles), tuple(_nets(text, _Clocked(source.text))), result)


class _Clocked:
    """The clocked signals of Verilog, and the modules of its instances."""

    def __init__(self, verilog: str):
        self.kinds: dict[str, dict[str, str]] = {}
        self.inside: dict[str, dict[str, str]] = {}
        for part in re.split(r"^module ", verilog, flags=re.MULTILINE)[1:]:
            module = re.match(r"\w+", part)
            assert module is not None  # a module has a name
            memories = set(re.findall(r"^  reg (?:\[\d+:0\] )?(\w+) \[\d+:\d+\];", part, re.M))
            kinds = self.kinds[module[0]] = {}
            for block in re.findall(
                r"^  always @\(posedge \w+\)(.*?)(?=^  \S)", part, re.DOTALL | re.M
            ):
                for name, value in re.findall(r"(\w+)(?:\[[^\]]*\])? <= (\w+)", block):
                    if name not in memories:
                        kinds[name] = "memory" if value in memories else "register"
            self.inside[module[0]] = {
                instance: kind for kind, instance in re.findall(r"^  (\w+) (\w+) \($", part, re.M)
            }

    def kind(self, scope: tuple[str, ...], name: str) -> str:
        """Return the kind of a signal in a scope."""
        module = NAME
        for instance in scope:
            module = self.inside[module][instance]
        return self.kinds[module].get(name, "wire")


def _nets(text: str, clocked: _Clocked) -> Iterator[Net]:
    """Read the header of waveforms, and the counts after it."""
    header, _, rows = text.partition("$enddefinitions")
    counts = {}
    for row in rows.split("\n")[1:-1]:
        code, *numbers = row.split(" ")
        counts[code] = np.array([int(number) for number in numbers], dtype=np.int64).reshape(-1, 2)
    scopes: list[str] = []
    for line in header.split("\n"):
        words = line.split()
        if not words:
            continue
        if words[0] == "$scope":
            scopes.append(words[2])
        elif words[0] == "$upscope":
            scopes.pop()
        elif words[0] == "$var" and NAME in scopes and words[3] in counts:
            scope, name = tuple(scopes[scopes.index(NAME) + 1 :]), words[4]
            toggles, high = counts[words[3]].T
            yield Net(scope, name, clocked.kind(scope, name), toggles, high)
