"""How often the bits of a design change, seen in its simulation: a stand-in for energy."""

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

# Counts what Verilator would write to a file of waveforms, as it comes. A signal's value is that
# before a rising edge, so that gates do not glitch; the clock is not seen to move.
_PRELUDE = r"""
#include "verilated_vcd_c.h"
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Seen {
  std::string now;
  std::vector<uint64_t> since, high, changes;
};

class Counter : public VerilatedVcdFile {
 public:
  std::string header, rest;
  std::vector<std::string> codes;
  std::unordered_map<std::string, Seen> seen;
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
    for (auto& [code, one] : seen)
      for (size_t n = 0; n < one.now.size(); n++)
        if (one.now[n] == '1') one.high[n] += end - one.since[n];
  }

 private:
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
    auto [found, fresh] = seen.try_emplace(code);
    Seen& one = found->second;
    if (fresh) {
      one = {bits, std::vector<uint64_t>(bits.size(), time),
             std::vector<uint64_t>(bits.size()), std::vector<uint64_t>(bits.size())};
      return;
    }
    for (size_t n = 0; n < bits.size(); n++) {
      if (bits[n] == one.now[n]) continue;
      one.changes[n]++;
      if (one.now[n] == '1') one.high[n] += time - one.since[n];
      one.since[n] = time;
    }
    one.now = bits;
  }
};

struct Tracer {
  Counter counter;
  VerilatedVcdC trace{&counter};
  uint64_t cycles = 0;
  std::string text;
};

Tracer* tracer = nullptr;

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

// Returns the cycles seen, the header of the waveforms, and a line for each signal; starts anew.
extern "C" const char* spiker_activity() {
  static std::string text;
  tracer->trace.flush();
  Counter& counter = tracer->counter;
  counter.finish(tracer->cycles);
  text = std::to_string(tracer->cycles) + "\n" + counter.header;
  for (auto& [code, one] : counter.seen) {
    text += code;
    for (size_t n = one.now.size(); n-- > 0;)
      text += " " + std::to_string(one.changes[n]) + " " + std::to_string(one.high[n]);
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
        Instances that it is in, from the outermost; () is the topmost module.
    name : str
    kind : {"register", "memory", "wire"}
        Whether it is clocked; ``"memory"`` for what a memory's port has read.
    toggles : array of int, shape (bits,)
        How often each bit changes, the lowest first.
    high : array of int, shape (bits,)
        Cycles in which it is one.
    """

    scope: tuple[str, ...]
    name: str
    kind: str
    toggles: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Activity:
    """What a simulation saw of a design's signals.

    Members
    -------
    samples : int
    cycles : int
        All cycles that were simulated, those between samples included.
    nets : tuple of Net
    result : Result
        What the samples answered.
    """

    samples: int
    cycles: int
    nets: tuple[Net, ...]
    result: Result

    def toggles(self, kind: str = "register", scope: tuple[str, ...] = ()) -> float:
        """Return the changes of bits of a kind of signals within a scope, per sample."""
        return float(
            sum(
                int(one.toggles.sum())
                for one in self.nets
                if one.kind == kind and one.scope[: len(scope)] == scope
            )
            / self.samples
        )

    def parts(self, kind: str = "register") -> dict[str, float]:
        """Return :meth:`toggles` of each instance in the topmost module, and of what is left."""
        found: dict[str, int] = {}
        for one in self.nets:
            if one.kind == kind:
                part = one.scope[0] if one.scope else "top"
                found[part] = found.get(part, 0) + int(one.toggles.sum())
        return {part: count / self.samples for part, count in sorted(found.items())}

    def to_json(self) -> dict[str, Any]:
        """Return figures per sample in what JSON can hold."""
        registers = [one for one in self.nets if one.kind == "register"]
        return {
            "samples": self.samples,
            "cycles": round(self.cycles / self.samples, 3),
            "register_bits": sum(len(one.toggles) for one in registers),
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
    """Simulate samples one after the other, and count how often each bit changes.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
    mapping : Mapping, optional
        :meth:`Mapping.default` if none is given.
    back_to_back : bool
        Whether a sample is offered before the result of that before it.

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
    given = stimulus(network, spikes)
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
    ask = load_library(library).spiker_activity
    ask.restype = ctypes.c_char_p
    cycles, _, text = ask().decode().partition("\n")
    return Activity(len(given), int(cycles), tuple(_nets(text, _Clocked(source.text))), result)


class _Clocked:
    """Which signals of Verilog are clocked, and which module is where."""

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
                for name, meant in re.findall(r"(\w+)(?:\[[^\]]*\])? <= (\w+)", block):
                    if name not in memories:
                        kinds[name] = "memory" if meant in memories else "register"
            self.inside[module[0]] = {
                name: made for made, name in re.findall(r"^  (\w+) (\w+) \($", part, re.M)
            }

    def kind(self, scope: tuple[str, ...], name: str) -> str:
        """Return the kind of a signal in a scope."""
        module = NAME
        for one in scope:
            module = self.inside[module][one]
        return self.kinds[module].get(name, "wire")


def _nets(text: str, clocked: _Clocked) -> Iterator[Net]:
    """Read the header of waveforms, and the counts behind it."""
    header, _, rows = text.partition("$enddefinitions")
    counts = {}
    for row in rows.split("\n")[1:-1]:
        code, *numbers = row.split(" ")
        counts[code] = np.array([int(one) for one in numbers], dtype=np.int64).reshape(-1, 2)
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
            found = counts[words[3]]
            yield Net(scope, name, clocked.kind(scope, name), found[:, 0], found[:, 1])
