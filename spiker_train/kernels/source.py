"""C of a neuron's step over all time steps, forward and backward."""

from collections.abc import Iterable
from dataclasses import dataclass

from .gradients import Backward, Structure, backward, required

__all__ = ["Source", "write"]

_HEAD = """\
#include <math.h>
#include <string.h>
typedef {real} real;
typedef {test} test;
#define floor_of(x) {floor}(x)
#define absolute(x) {absolute}(x)
#if defined(__clang__)
#define VECTOR _Pragma("clang loop vectorize(assume_safety)")
#else
#define VECTOR _Pragma("GCC ivdep")
#endif
static inline real square(real x) {{ return x * x; }}
"""

_FORMS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "floor": "floor_of({})",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    "eq": "{} == {}",
    "and": "{} & {}",
    "or": "{} | {}",
    "not": "!{}",
    "number": "{} ? (real)1 : (real)0",
    "select": "{} ? {} : {}",
    "max": "{0} < {1} ? {1} : {0}",
    "min": "{0} > {1} ? {1} : {0}",
    "clamp": "{0} < {1} ? {1} : {0} > {2} ? {2} : {0}",
}
_TESTS = ("gt", "ge", "eq", "and", "or", "not")

FIXED = ("first", "last", "begin", "end", "steps", "size")
"""Numbers that every function takes first: samples and steps to run, all steps, and neurons."""

COUPLED = ("winner", "left", "won", "trace_left")
"""Arrays of neurons that inhibit each other: which fired last without inhibition, the inhibition
that is left, and for all steps the neuron that fires, or their number, and what is left then."""

# In a row, the neurons of a sample in a step. Who is inhibited follows from the step before.
_INHIBITED = """\
    {{ const int lasting = left[0] > 0;
    VECTOR
    for (long long j = 0; j < size; j++)
      {gate}[j] = lasting & !(winner[j] > 0) ? (real)1 : (real)0;
    }}
"""

# Of the neurons that would fire and are not inhibited, the first one does.
_WINNER = """\
    long long first_one = 0;
    while (first_one < size && !((spikes[first_one] > 0) & !({gate}[first_one] > 0))) first_one++;
    if (left[0] > 0) {{
      const real rest = left[0] - k[{time_step}];
      left[0] = rest > 0 ? rest : 0;
    }} else {{
      for (long long j = 0; j < size; j++) winner[j] = j == first_one;
      left[0] = first_one < size ? k[{inhibition}] : 0;
    }}
    for (long long j = 0; j < size; j++) spikes[j] = j == first_one;
    if (won) won[0] = (real)first_one;
    if (trace_left) trace_left[0] = left[0];
"""


@dataclass(frozen=True)
class Source:
    """C of a kernel, and the operands of its functions.

    Members
    -------
    text : str
    forward, backward : tuple of str
        Names of the arrays that each takes. After :data:`FIXED`, a function takes two strides for
        each array, over samples and over steps.
    saved : tuple of int
        Nodes that ``record`` writes into the arrays ``save0``, ``save1``, ...
    carried : tuple of str
        States that have gradients.
    slopes : tuple of int
        Spikes whose gradient is an operand; their distances are saved.
    """

    text: str
    forward: tuple[str, ...]
    backward: tuple[str, ...]
    saved: tuple[int, ...]
    carried: tuple[str, ...]
    slopes: tuple[int, ...]


def write(structure: Structure, real: str) -> Source:
    """Write the source of a kernel.

    Parameters
    ----------
    structure : Structure
    real : {"float", "double"}
        Format of all numbers.
    """
    back = backward(structure)
    flags = required(structure)
    slopes = () if structure.inline else tuple(n for n in structure.spikes if flags[n])
    distances = [structure.nodes[n][1][0] for n in slopes]
    kept = [n for n in back.saved if structure.nodes[n][0] != "input"]
    saved = tuple(dict.fromkeys([*kept, *distances]))
    states = [name for name, _ in structure.after]
    # Carried states are those with a gradient before the step, or after it.
    before = {
        parts[0] for n, (name, parts) in enumerate(structure.nodes) if name == "state" and flags[n]
    }
    carried = tuple(name for name, index in structure.after if name in before or flags[index])
    parameters = [f"parameter{n}" for n in range(len(structure.learned))]
    inputs = [f"input{n}" for n in range(structure.inputs)]
    forward_names = (
        *inputs,
        *parameters,
        *(f"state_{name}" for name in states),
        "spikes",
        *(f"trace_{name}" for name in states),
        *(f"save{n}" for n in range(len(saved))),
        *(COUPLED if structure.coupling else ()),
    )
    backward_names = (
        *inputs,
        *parameters,
        *(f"state_{name}" for name in states),
        *(f"save{n}" for n in range(len(saved))),
        *(f"slope{n}" for n in slopes),
        "g_spikes",
        *(f"g_trace_{name}" for name in carried),
        *(f"carry_{name}" for name in carried),
        *(f"g_{name}" for name in inputs),
        *(f"g_parameter{n}" for n, learned in enumerate(structure.learned) if learned),
        *(("won",) if structure.coupling else ()),
    )
    text = _HEAD.format(
        real=real,
        test="int" if real == "float" else "long long",
        floor="floorf" if real == "float" else "floor",
        absolute="fabsf" if real == "float" else "fabs",
    )
    text += _forward("run", structure, forward_names, ())
    text += _forward("record", structure, forward_names, saved)
    text += _backward(structure, back, backward_names, saved, carried)
    return Source(text, forward_names, backward_names, saved, carried, slopes)


def _function(name: str, arrays: tuple[str, ...], loop: str, rows: str) -> str:
    fixed = "".join(f"  const long long {what} = n[{i}];\n" for i, what in enumerate(FIXED))
    pointers = "".join(
        f"    real *{array} = (real *)p[{i}];"
        f" if ({array}) {array} += b * n[{len(FIXED) + 2 * i}] + t * n[{len(FIXED) + 2 * i + 1}];\n"
        for i, array in enumerate(arrays)
        if array in _words(rows)
    )
    return (
        f"\nvoid {name}(void **p, const long long *n, const real *k) {{\n{fixed}"
        "  (void)steps; (void)k;\n"
        f"  for (long long b = first; b < last; b++)\n  {loop} {{\n{pointers}{rows}  }}\n}}\n"
    )


def _words(text: str) -> set[str]:
    word = "".join(c if c.isalnum() or c == "_" else " " for c in text)
    return set(word.split())


def _leaf(structure: Structure, index: int) -> str | None:
    name, parts = structure.nodes[index]
    if name == "state":
        return f"state_{parts[0]}[j]"
    if name == "input":
        return f"input{parts[0]}[j]"
    if name == "parameter":
        return f"parameter{parts[0]}[j]"
    if name == "constant":
        return f"k[{parts[0] + 1}]"
    return f"(real){parts[0]}" if name == "literal" else None


def _compute(structure: Structure, indices: Iterable[int]) -> str:
    """Return the statements that compute some nodes."""
    text = ""
    for index in indices:
        name, parts = structure.nodes[index]
        leaf = _leaf(structure, index)
        if name == "spike":
            expression = f"n{parts[1]} ? (real)1 : (real)0"
        elif leaf is not None:
            expression = leaf
        else:
            expression = _FORMS[name].format(*(f"n{part}" for part in parts))
        kind = "test" if name in _TESTS else "real"
        text += f"      const {kind} n{index} = {expression};\n"
    return text


def _forward(
    name: str, structure: Structure, arrays: tuple[str, ...], saved: tuple[int, ...]
) -> str:
    body = _compute(structure, range(len(structure.nodes)))
    body += "".join(f"      save{n}[j] = n{index};\n" for n, index in enumerate(saved))
    if structure.fired is not None:
        body += f"      spikes[j] = n{structure.fired};\n"
    for state, index in structure.after:
        if state not in structure.constant_states:
            body += f"      state_{state}[j] = n{index};\n"
    rows = f"    VECTOR\n    for (long long j = 0; j < size; j++) {{\n{body}    }}\n"
    if structure.coupling is not None:
        number, inhibition, time_step = structure.coupling
        own = {"gate": f"input{number}", "inhibition": inhibition + 1, "time_step": time_step + 1}
        rows = _INHIBITED.format(**own) + rows + _WINNER.format(**own)
    for state, _ in structure.after:
        rows += (
            f"    if (trace_{state}) memcpy(trace_{state}, state_{state}, size * sizeof(real));\n"
        )
    return _function(name, arrays, "for (long long t = begin; t < end; t++)", rows)


def _backward(
    structure: Structure,
    back: Backward,
    arrays: tuple[str, ...],
    saved: tuple[int, ...],
    carried: tuple[str, ...],
) -> str:
    body = "      const real width = k[0]; (void)width;\n"
    for index in back.saved:
        kept = f"save{saved.index(index)}[j]" if index in saved else None
        source = kept or _leaf(structure, index)
        body += f"      const real n{index} = {source};\n"
    body += _compute(structure, back.recomputed)
    before = ""
    if structure.coupling is not None:
        # The neuron that fires has a gradient, and so have those that would in its place.
        before = "    const long long last_one = (long long)won[0];\n"
        may = f"(j <= last_one) & !(input{structure.coupling[0]}[j] > 0)"
        body += f"      const real g_fired = {may} ? g_spikes[j] : 0;\n"
    elif structure.fired is not None:
        body += "      const real g_fired = g_spikes[j];\n"
    for name in carried:
        body += f"      const real g_after_{name} = carry_{name}[j] + g_trace_{name}[j];\n"
    for line in back.lines:
        body += f"      {line}\n"
    totals = {structure.nodes[index]: total for index, total in back.leaves.items()}
    for n in range(structure.inputs):
        body += f"      g_input{n}[j] = {totals.get(('input', (n,)), '0')};\n"
    for name in carried:
        body += f"      carry_{name}[j] = {totals.get(('state', (name,)), '0')};\n"
    for n, learned in enumerate(structure.learned):
        if learned and ("parameter", (n,)) in totals:
            body += f"      g_parameter{n}[j] += {totals['parameter', (n,)]};\n"
    rows = f"{before}    VECTOR\n    for (long long j = 0; j < size; j++) {{\n{body}    }}\n"
    return _function("back", arrays, "for (long long t = end - 1; t >= begin; t--)", rows)
