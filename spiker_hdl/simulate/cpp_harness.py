"""C++ harness around a simulated accelerator: it offers beats, takes results, records outcomes."""

from collections.abc import Mapping
from string import Template

from spiker_hdl.payloads.design import DesignPorts

__all__ = ["harness", "model_code", "port_names"]

_HARNESS = Template(r"""
// Drives the accelerator for spiker_hdl.simulate.model_pool: beats in, results and outcomes out.
#include <cstddef>
#include <cstdint>
#include <cstring>
$include

namespace {

$model

struct Job {
  uint64_t samples;
  uint64_t timeout;                  // cycles without a transfer after which the run fails
  uint64_t back_to_back;             // whether a sample is offered before the previous result
  const uint32_t* const* beats;      // by input
  const uint64_t* const* ends;       // by input and sample: number of beats to the sample's end
  const uint64_t* answers;           // by sample: number of results to the sample's end
  const uint32_t* config;            // by sample: window, length, margin, exact
  uint32_t* results;                 // written: all results
  uint32_t* const* outcomes;         // written, by observed population: all outcomes
  const uint64_t* outcome_counts;    // by observed population: number of outcomes
  uint64_t cycles;                   // written: number of simulated cycles
  // Written where the run fails:
  uint32_t* offers;                  // by input: valid, and whether the beat was transferred
  uint32_t* probes;                  // valid and ready of the streams inside the accelerator
  uint64_t held_back;                // whether a sample waits until the accelerator is idle
};

constexpr int INPUTS = $inputs;
constexpr int OBSERVED = $observed;
constexpr int BEAT_WORDS[INPUTS] = {$beat_words};
constexpr int RESULT_WORDS = $result_words;
constexpr int OUTCOME_WORDS[OBSERVED + 1] = {$outcome_words 0};

// Sets valid and the payload of an input.
inline void offer(Model& model, int input, const uint32_t* payload) {
  switch (input) {
$offers
  }
}

// Clears valid of an input.
inline void withdraw(Model& model, int input) {
  switch (input) {
$withdrawals
  }
}

inline bool ready(Model& model, int input) {
  switch (input) {
$readies
  }
  return false;
}

inline void configure(Model& model, const uint32_t* config) {
$configuration
}

// Reads valid and ready of the streams inside the accelerator.
inline void read_probes(Model& model, uint32_t* into) {
$read_probes
}

// Returns whether a population has an outcome in this cycle, and stores it. Bit 0 is its valid.
inline bool outcome(Model& model, int observed, uint32_t* into) {
  uint32_t words[$max_words];
  switch (observed) {
$outcomes
  }
  if (!(words[0] & 1)) return false;
  if (into) std::memcpy(into, words, OUTCOME_WORDS[observed] * sizeof(uint32_t));
  return true;
}

}  // namespace

extern "C" void* spiker_make() { return new Model(); }

extern "C" void spiker_drop(void* model) { delete static_cast<Model*>(model); }

$load// Returns 0, or 1 if nothing was transferred for longer than the timeout.
extern "C" int spiker_run(void* handle, Job* job) {
  Model& model = *static_cast<Model*>(handle);
  uint64_t next[INPUTS] = {}, sample[INPUTS] = {};  // beat and sample that an input offers next
  bool offered[INPUTS] = {};
  uint64_t recorded[OBSERVED + 1] = {};
  uint64_t done = 0, started = 0, quiet = 0;  // results, samples, cycles without a transfer
  const uint64_t results = job->answers[job->samples - 1];
  for (int n = 0; n < INPUTS; n++) withdraw(model, n);
  model.reset();
  job->cycles = 0;
  while (true) {
    // A new sample starts, at all inputs, when the previous one has been answered and has left the
    // accelerator. The ports that say when it is answered must be set before its first beat.
    if (started < job->samples &&
        (job->back_to_back ||
         (model.idle() && !model.o_valid() &&
          (started == 0 || done == job->answers[started - 1])))) {
      configure(model, job->config + 4 * started);
      started++;
    }
    // An offered beat stays until it is transferred.
    for (int n = 0; n < INPUTS; n++) {
      if (!offered[n] && sample[n] < started) {
        offer(model, n, job->beats[n] + next[n] * BEAT_WORDS[n]);
        offered[n] = true;
      } else if (!offered[n]) {
        withdraw(model, n);
      }
    }
    // Everything is sampled before the rising edge, when the outputs have settled.
    model.settle();
    bool transferred[INPUTS];
    for (int n = 0; n < INPUTS; n++) transferred[n] = offered[n] && ready(model, n);
    quiet++;
    // Ready of the results is always 1.
    if (model.o_valid() && done < results) {
      model.result(job->results + done * RESULT_WORDS);
      done++;
      quiet = 0;
    }
    bool complete = done == results;
    for (int n = 0; n < OBSERVED; n++) {
      uint32_t* into = job->outcomes[n] + recorded[n] * OUTCOME_WORDS[n];
      if (outcome(model, n, recorded[n] < job->outcome_counts[n] ? into : nullptr)) recorded[n]++;
      complete = complete && recorded[n] >= job->outcome_counts[n];
    }
    ${watch}model.edge();
    job->cycles++;
    for (int n = 0; n < INPUTS; n++) {
      complete = complete && (sample[n] == job->samples ||
                              (transferred[n] &&
                               next[n] + 1 == job->ends[n][job->samples - 1]));
      if (transferred[n]) {
        offered[n] = false;
        next[n]++;
        quiet = 0;
        if (next[n] == job->ends[n][sample[n]]) sample[n]++;
      }
    }
    if (complete) return 0;
    if (quiet > job->timeout) {
      for (int n = 0; n < INPUTS; n++) {
        job->offers[2 * n] = offered[n];
        job->offers[2 * n + 1] = transferred[n];
      }
      job->held_back =
          started < job->samples && (started == 0 || done == job->answers[started - 1]);
      model.settle();
      read_probes(model, job->probes);
      return 1;
    }
  }
}
""")

_LOAD = Template(r"""
// Writes the memories, a beat in each cycle. A reset changes no memory.
extern "C" void spiker_load(void* handle, const uint32_t* beats, uint64_t count) {
  Model& model = *static_cast<Model*>(handle);
  for (int n = 0; n < INPUTS; n++) withdraw(model, n);
  model.reset();
  for (uint64_t n = 0; n < count;) {
    put(model.top.$payload, beats + 2 * n);
    $raise
    model.settle();
    n += $ready;
    model.edge();
  }
  $withdraw
  // A beat is written in the cycle after it was taken.
  model.settle();
  model.edge();
}

""")

_VERILATOR_INCLUDE = """
#include "Vaccelerator.h"
#include "verilated.h"
"""

_VERILATOR_MODEL = Template("""
template <typename T>
inline void put(T& port, const uint32_t* from) {
  if constexpr (sizeof(T) <= 4) {
    port = static_cast<T>(from[0]);
  } else if constexpr (sizeof(T) == 8) {
    port = static_cast<uint64_t>(from[1]) << 32 | from[0];
  } else {
    for (size_t n = 0; n < sizeof(T) / 4; n++) port[n] = from[n];
  }
}

template <typename T>
inline void get(T& port, uint32_t* into) {
  if constexpr (sizeof(T) <= 4) {
    into[0] = port;
  } else if constexpr (sizeof(T) == 8) {
    into[0] = static_cast<uint32_t>(port);
    into[1] = static_cast<uint32_t>(port >> 32);
  } else {
    for (size_t n = 0; n < sizeof(T) / 4; n++) into[n] = port[n];
  }
}

struct Model {
  VerilatedContext context;
  Vaccelerator top{&context};

  ~Model() { top.final(); }
  void settle() {
    top.$clk = 0;
    top.eval();
  }
  void edge() {
    top.$clk = 1;
    top.eval();
  }
  // Reset is synchronous: it takes effect at a rising edge.
  void reset() {
    top.$o_ready = 1;
    top.$rst = 1;
    for (int n = 0; n < 2; n++) {
      settle();
      edge();
    }
    top.$rst = 0;
    settle();
  }
  bool idle() { return top.$idle; }
  bool o_valid() { return top.$o_valid; }
  void result(uint32_t* into) { get(top.$o_payload, into); }
};
""")

_CXXRTL_INCLUDE = """
#include "accelerator.cc"
"""

_CXXRTL_MODEL = Template("""
template <size_t Bits>
inline void put(cxxrtl::value<Bits>& port, const uint32_t* from) {
  for (size_t n = 0; n < cxxrtl::value<Bits>::chunks; n++) port.data[n] = from[n];
}

template <size_t Bits>
inline void get(const cxxrtl::value<Bits>& port, uint32_t* into) {
  for (size_t n = 0; n < cxxrtl::value<Bits>::chunks; n++) into[n] = port.data[n];
}

template <size_t Bits>
inline void get(const cxxrtl::wire<Bits>& port, uint32_t* into) {
  get(port.curr, into);
}

template <typename T>
inline bool bit(const T& port) {
  uint32_t word;
  get(port, &word);
  return word & 1;
}

struct Model {
  cxxrtl_design::$top top;

  // An evaluation after the last commit: outputs that follow registers lag behind otherwise.
  void settle() {
    top.$clk.set(false);
    top.step();
    top.eval();
  }
  void edge() {
    top.$clk.set(true);
    top.step();
    top.eval();
  }
  void reset() {
    top.$o_ready.set(true);
    top.$rst.set(true);
    for (int n = 0; n < 2; n++) {
      settle();
      edge();
    }
    top.$rst.set(false);
    settle();
  }
  bool idle() { return bit(top.$idle); }
  bool o_valid() { return bit(top.$o_valid); }
  void result(uint32_t* into) { get(top.$o_payload, into); }
};
""")


def harness(
    design: DesignPorts, tool: str, top: str = "accelerator", *, prelude: str = "", watch: str = ""
) -> str:
    """Return the C++ that drives a design.

    Parameters
    ----------
    design : DesignPorts
    tool : {"verilator", "cxxrtl"}
        Tool that made C++ from the design.
    top : str
        Name of the topmost module.
    prelude : str
        C++ that comes first.
    watch : str
        C++ that runs before each rising edge, with the design as ``model``.
    """
    cxxrtl = tool == "cxxrtl"
    port = port_names(design.ports, tool)

    def cases(line: Template, names: list[str]) -> str:
        return "\n".join(
            "    " + line.substitute(n=n, **_stream(port, name)) for n, name in enumerate(names)
        )

    inputs = [f"{payload.port}__payload" for payload in design.inputs]
    observed = [payload.port for payload in design.observed]
    flag = "top.$valid.set($value);" if cxxrtl else "top.$valid = $value;"
    ready = "bit(model.top.$ready)" if cxxrtl else "model.top.$ready"

    def raised(value: str) -> str:
        return flag.replace("top.", "model.top.").replace("$value", value)

    high_and_low = ("true", "false") if cxxrtl else ("1", "0")
    config = ""
    if design.stepwise:
        config = "\n".join(
            f"  put(model.top.{port[name]}, config + {n});"
            for n, name in enumerate(("window", "length", "margin", "exact"))
        )
    load = ""
    if "load__payload" in port:
        stream = _stream(port, "load__payload")
        load = _LOAD.substitute(
            payload=stream["payload"],
            ready=Template(ready).substitute(stream),
            **{
                name: Template(raised(value)).substitute(stream)
                for name, value in zip(("raise", "withdraw"), high_and_low, strict=True)
            },
        )
    include, model = model_code(port, tool, top)
    return _HARNESS.substitute(
        load=load,
        include=include + prelude,
        watch=watch,
        model=model,
        inputs=len(inputs),
        observed=len(observed),
        beat_words=", ".join(str(payload.words) for payload in design.inputs),
        result_words=design.result.words,
        outcome_words="".join(f"{payload.words}, " for payload in design.observed),
        max_words=max([1, *(payload.words for payload in design.observed)]),
        offers=cases(
            Template(
                f"case $n: {raised('1' if not cxxrtl else 'true')} "
                "put(model.top.$payload, payload); break;"
            ),
            inputs,
        ),
        withdrawals=cases(
            Template(f"case $n: {raised('0' if not cxxrtl else 'false')} break;"), inputs
        ),
        readies=cases(Template(f"case $n: return {ready};"), inputs),
        configuration=config,
        read_probes=f"  get(model.top.{port['probe']}, into);" if design.probes else "",
        outcomes=cases(Template("case $n: get(model.top.$payload, words); break;"), observed),
    )


def port_names(ports: Mapping[str, str], tool: str) -> dict[str, str]:
    """Return the names of ports in C++: CXXRTL writes two underscores for one."""
    if tool == "cxxrtl":
        return {key: "p_" + name.replace("_", "__") for key, name in ports.items()}
    return dict(ports)


def model_code(port: dict[str, str], tool: str, top: str) -> tuple[str, str]:
    """Return the includes of a harness, and the class around a design."""
    cxxrtl = tool == "cxxrtl"
    model = _CXXRTL_MODEL if cxxrtl else _VERILATOR_MODEL
    return _CXXRTL_INCLUDE if cxxrtl else _VERILATOR_INCLUDE, model.substitute({
        "top": "p_" + top.replace("_", "__"),
        **{name: port[name] for name in ("clk", "rst", "idle")},
        **{f"o_{name}": port[f"o__{name}"] for name in ("payload", "valid", "ready")},
    })


def _stream(port: dict[str, str], payload: str) -> dict[str, str]:
    """Return the ports of the stream that a payload belongs to."""
    stem = payload.removesuffix("payload")
    return {
        "payload": port[payload],
        **{part: port.get(f"{stem}{part}", "") for part in ("valid", "ready")},
    }
