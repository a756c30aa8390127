"""C++ around what takes and gives bytes, for a while at a time."""

from collections.abc import Mapping
from string import Template

from .cpp_harness import model_code, port_names

__all__ = ["byte_harness"]

_HARNESS = Template(r"""
// Drives what takes and gives bytes for spiker_hdl.simulate.byte_stream.
#include <cstddef>
#include <cstdint>
#include <cstring>
$include

namespace {

$model

struct Turn {
  const uint8_t* in;
  uint64_t given;    // bytes to take
  uint8_t* into;
  uint64_t room;     // most bytes to give
  uint64_t cycles;   // most to simulate
  uint64_t taken;    // what became of them: bytes taken, bytes given, cycles
  uint64_t made;
  uint64_t passed;
};

}  // namespace

extern "C" void* spiker_make() {
  Model* model = new Model();
  model->reset();
  return model;
}

extern "C" void spiker_drop(void* model) { delete static_cast<Model*>(model); }

// Returns whether nothing happens until the next byte; stops as soon as it knows.
extern "C" int spiker_turn(void* held, Turn* turn) {
  Model& model = *static_cast<Model*>(held);
  const uint8_t *in_next = turn->in, *last = turn->in + turn->given;
  uint8_t *into_next = turn->into, *end = turn->into + turn->room;
  bool idle = false;
  turn->passed = 0;
  while (turn->passed < turn->cycles && into_next != end) {
    uint32_t octet = in_next != last ? *in_next : 0;
    $offer
    put(model.top.$payload, &octet);
    $accept
    model.settle();
    bool took = in_next != last && $ready;
    if (model.o_valid()) {
      uint32_t out;
      model.result(&out);
      *into_next++ = static_cast<uint8_t>(out);
    }
    idle = model.idle() && in_next == last;
    $derive
    model.edge();
    turn->passed++;
    if (took) in_next++;
    if (idle) break;
  }
  turn->taken = in_next - turn->in;
  turn->made = into_next - turn->into;
  return idle;
}
""")


def byte_harness(ports: Mapping[str, str], tool: str, top: str) -> str:
    """Return the C++ that drives a design which takes and gives bytes.

    Parameters
    ----------
    ports : mapping of str to str
        Names in Verilog, by those in Amaranth.
    tool : {"verilator", "cxxrtl"}
        Which made the C++ that is driven.
    top : str
        Name of the module that is.
    """
    port = port_names(ports, tool)
    include, model = model_code(port, tool, top)
    cxxrtl = tool == "cxxrtl"
    # CXXRTL sees the edge of a clock that a register makes in the evaluation behind it.
    derive = f"model.top.{port['clk']}.set(true); model.top.eval();" if cxxrtl else ""
    flag = "model.top.{}.set({}_next != last);" if cxxrtl else "model.top.{} = {}_next != last;"
    return _HARNESS.substitute(
        include=include,
        model=model,
        derive=derive,
        offer=flag.format(port["i__valid"], "in"),
        accept=flag.replace("{}_next != last", "into_next != end").format(port["o__ready"]),
        payload=port["i__payload"],
        ready=f"bit(model.top.{port['i__ready']})" if cxxrtl else f"model.top.{port['i__ready']}",
    )
