"""C++ harness around a component with byte streams, which runs some cycles at a time."""

from collections.abc import Mapping
from string import Template

from .cpp_harness import model_code, port_names

__all__ = ["byte_harness"]

_HARNESS = Template(r"""
// Drives a component with byte streams for spiker_hdl.simulate.byte_stream.
#include <cstddef>
#include <cstdint>
#include <cstring>
$include

namespace {

$model

struct Turn {
  const uint8_t* in;    // bytes to send to the component
  uint64_t in_count;
  uint8_t* out;         // written: bytes that the component sends
  uint64_t out_limit;   // most of these
  uint64_t max_cycles;
  uint64_t sent;        // written: bytes that the component took
  uint64_t received;    // written: bytes that the component sent
  uint64_t cycles;      // written: simulated cycles
};

}  // namespace

extern "C" void* spiker_make() {
  Model* model = new Model();
  model->reset();
  return model;
}

extern "C" void spiker_drop(void* model) { delete static_cast<Model*>(model); }

// Returns whether the component is idle until the next byte; stops as soon as it is.
extern "C" int spiker_turn(void* handle, Turn* turn) {
  Model& model = *static_cast<Model*>(handle);
  const uint8_t *in_next = turn->in, *in_end = turn->in + turn->in_count;
  uint8_t *out_next = turn->out, *out_end = turn->out + turn->out_limit;
  bool idle = false;
  turn->cycles = 0;
  while (turn->cycles < turn->max_cycles && out_next != out_end) {
    // A byte is offered until it is taken, and one is taken while there is room for it.
    uint32_t octet = in_next != in_end ? *in_next : 0;
    $offer
    put(model.top.$payload, &octet);
    $accept
    model.settle();
    bool transferred = in_next != in_end && $ready;
    if (model.o_valid()) {
      uint32_t out;
      model.result(&out);
      *out_next++ = static_cast<uint8_t>(out);
    }
    idle = model.idle() && in_next == in_end;
    $derive
    model.edge();
    turn->cycles++;
    if (transferred) in_next++;
    if (idle) break;
  }
  turn->sent = in_next - turn->in;
  turn->received = out_next - turn->out;
  return idle;
}
""")


def byte_harness(ports: Mapping[str, str], tool: str, top: str) -> str:
    """Return the C++ that drives a component with byte streams.

    Parameters
    ----------
    ports : mapping of str to str
        Names in Verilog, by those in Amaranth.
    tool : {"verilator", "cxxrtl"}
        Tool that made C++ from the component.
    top : str
        Name of the topmost module.
    """
    port = port_names(ports, tool)
    include, model = model_code(port, tool, top)
    cxxrtl = tool == "cxxrtl"
    # CXXRTL sees a clock edge that a register makes only in the evaluation after it.
    derive = f"model.top.{port['clk']}.set(true); model.top.eval();" if cxxrtl else ""
    flag = "model.top.{}.set({});" if cxxrtl else "model.top.{} = {};"
    return _HARNESS.substitute(
        include=include,
        model=model,
        derive=derive,
        offer=flag.format(port["i__valid"], "in_next != in_end"),
        accept=flag.format(port["o__ready"], "out_next != out_end"),
        payload=port["i__payload"],
        ready=f"bit(model.top.{port['i__ready']})" if cxxrtl else f"model.top.{port['i__ready']}",
    )
