"""Products of weights with mostly silent inputs: rows of weights added up, event by event."""

import ctypes
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import torch

from .compiler import compile_kernel
from .run import REALS, part_count, spread

__all__ = ["Events", "by_source", "density", "product", "products_of_draws"]

SOURCES = {torch.float32: "float", torch.float64: "double", torch.uint8: "unsigned char"}
"""Formats of inputs whose events can be listed."""

DENSE = 0.15
"""Share of entries that are not zero above which a dense product is faster."""

COUNTED = 2**26
"""Entries from which on events are counted first, so that their lists take no more memory."""

_SAMPLED_ROWS = 256

LINE = 64
"""Bytes of a vector, and of a line of the cache."""

BLOCK = 8
"""Vectors of neurons whose sums are in registers together."""

# A vector of 64 bytes is one register with AVX-512 and several elsewhere. Sums of a block of
# neurons stay in registers while the events of a step are added.
_HEAD = """\
#include <string.h>
typedef {real} real;
enum {{ LANES = 64 / sizeof(real), SHORT = 16 / sizeof(real), BLOCK = {block}, FEW = 32 }};
typedef real vector __attribute__((vector_size(64), aligned(sizeof(real)), may_alias));
typedef real quarter __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
#define ALWAYS static inline __attribute__((always_inline))
"""

# The last vector of a row ends with the row, and may overlap the one before it: both then compute
# the same sums, since a block reads all of its sums before it writes one.
_ADD = """
ALWAYS void add_{name}s(const int n, real *o, const real *w, const int *at, long long count,
                        const real *value, long long apart, const long long last, int fresh) {{
  {name} s[BLOCK];
  for (int i = 0; i < n; i++)
    s[i] = fresh ? ({name}){{0}} : *({name} *)(o + (i < n - 1 ? i * {lanes} : last));
  if (value)
    for (long long e = 0; e < count; e++) {{
      const real *row = w + at[e] * apart;
      const real x = value[e];
      for (int i = 0; i < n; i++) s[i] += x * *({name} *)(row + (i < n - 1 ? i * {lanes} : last));
    }}
  else
    for (long long e = 0; e < count; e++) {{
      const real *row = w + at[e] * apart;
      for (int i = 0; i < n; i++) s[i] += *({name} *)(row + (i < n - 1 ? i * {lanes} : last));
    }}
  for (int i = 0; i < n; i++) *({name} *)(o + (i < n - 1 ? i * {lanes} : last)) = s[i];
}}

/* Add to the sums o of all neurons, at least as many as a {name} has, the rows of w at events. */
static void add_in_{name}s(real *o, const real *w, const int *at, long long count,
                           const real *value, long long apart, long long size, int fresh) {{
  long long left = (size + {lanes} - 1) / {lanes}, j = 0;
  while (left) {{
    /* A vector that overlaps another is never alone in its block. */
    const long long n = left <= BLOCK ? left : left == BLOCK + 1 ? BLOCK - 1 : BLOCK;
    const long long last = n == left ? size - {lanes} - j : (n - 1) * {lanes};
    switch (n) {{
{cases}    }}
    j += n * {lanes};
    left -= n;
  }}
}}
"""

_CASE = """\
      case {n}: add_{name}s({n}, o + j, w + j, at, count, value, apart, last, fresh); break;
"""

_PRODUCT = """
/* Add to each row of o, or to 0 where it is fresh, the rows of w at its events. */
void product(const int *at, const real *value, const long long *starts, const long long *counts,
             long long first, long long last, const real *w, long long apart, long long size,
             real *o, long long stride, int fresh) {{
  for (long long r = first; r < last; r++) {{
    const int *events = at + starts[r];
    const real *values = value ? value + starts[r] : 0;
    real *row = o + r * stride;
    if (size >= LANES) {{
      add_in_vectors(row, w, events, counts[r], values, apart, size, fresh);
    }} else if (size >= SHORT) {{
      add_in_quarters(row, w, events, counts[r], values, apart, size, fresh);
    }} else {{
      if (fresh) memset(row, 0, size * sizeof(real));
      for (long long e = 0; e < counts[r]; e++) {{
        const real *from = w + events[e] * apart;
        const real x = values ? values[e] : 1;
        for (long long i = 0; i < size; i++) row[i] += x * from[i];
      }}
    }}
  }}
}}

/* Add each row of g to the rows of gw at its events. */
void outer(const int *at, const real *value, const long long *starts, const long long *counts,
           long long first, long long last, const real *g, long long stride, long long size,
           real *gw) {{
  for (long long r = first; r < last; r++) {{
    const int *events = at + starts[r];
    const real *values = value ? value + starts[r] : 0;
    const real *from = g + r * stride;
    for (long long e = 0; e < counts[r]; e++) {{
      real *to = gw + events[e] * size;
      long long j = 0;
      if (values) {{
        const real x = values[e];
        for (; j + LANES <= size; j += LANES)
          *(vector *)(to + j) += x * *(const vector *)(from + j);
        for (; j < size; j++) to[j] += x * from[j];
      }} else {{
        for (; j + LANES <= size; j += LANES)
          *(vector *)(to + j) += *(const vector *)(from + j);
        for (; j < size; j++) to[j] += from[j];
      }}
    }}
  }}
}}
"""

_SILENT = """
/* Tell whether all bytes are 0; their number is a multiple of 8. */
ALWAYS int silent(const void *x, int bytes) {
  long long any = 0, some;
  for (int i = 0; i < bytes; i += 8) {
    memcpy(&some, (const char *)x + i, 8);
    any |= some;
  }
  return !any;
}
"""

# Stretches without an event are passed over at once where the row before has few events: elsewhere
# the processor would guess that branch wrong too often.
_LIST = """
/* List the columns of each row that are not zero; return whether one is neither 0 nor 1. */
int list_{name}(const {kind} *x, long long stride, long long first, long long last,
                long long columns, long long start, int *at, real *value, long long *starts,
                long long *counts) {{
  int graded = 0, few = 0;
  for (long long r = first; r < last; r++) {{
    const {kind} *row = x + r * stride;
    int *events = at + start;
    long long n = 0, c = 0;
    for (; c + 8 <= columns; c += 8) {{
      if (few && silent(row + c, 8 * sizeof(*row))) continue;
      for (int i = 0; i < 8; i++) {{
        events[n] = (int)(c + i);
        n += row[c + i] != 0;
      }}
    }}
    for (; c < columns; c++) {{
      events[n] = (int)c;
      n += row[c] != 0;
    }}
    for (long long e = 0; e < n; e++) graded |= row[events[e]] != 1;
    if (value)
      for (long long e = 0; e < n; e++) value[start + e] = (real)row[events[e]];
    starts[r] = start;
    counts[r] = n;
    start += n;
    few = n * FEW < columns;
  }}
  return graded;
}}
"""


@cache
def _library(dtype: torch.dtype) -> Any:
    text = _HEAD.format(real=REALS[dtype], block=BLOCK)
    for name, lanes in (("vector", "LANES"), ("quarter", "SHORT")):
        cases = "".join(_CASE.format(n=n, name=name) for n in range(1, BLOCK + 1))
        text += _ADD.format(name=name, lanes=lanes, cases=cases)
    text += _PRODUCT.format() + _SILENT
    for kind, name in SOURCES.items():
        text += _LIST.format(kind=name, name=_name(kind))
    library = compile_kernel(text)
    pointer, number = ctypes.c_void_p, ctypes.c_longlong
    library.product.argtypes = [
        *[pointer] * 4, *[number] * 2, pointer, *[number] * 2, pointer, number, ctypes.c_int
    ]  # fmt: skip
    library.outer.argtypes = [pointer] * 4 + [number] * 2 + [pointer, number, number, pointer]
    library.product.restype = library.outer.restype = None
    for kind in SOURCES:
        function = getattr(library, f"list_{_name(kind)}")
        function.argtypes = [pointer] + [number] * 5 + [pointer] * 4
        function.restype = ctypes.c_int
    return library


def _name(dtype: torch.dtype) -> str:
    return str(dtype).partition(".")[2]


class Events:
    """The entries of the rows of a matrix that are not zero, row by row.

    Parameters
    ----------
    x : tensor, shape (rows, columns)
        Of one of :data:`SOURCES`; the entries of a row lie side by side.
    dtype : torch.dtype
        Format of the weights.
    """

    def __init__(self, x: torch.Tensor, dtype: torch.dtype):
        self.rows, self.columns = x.shape
        self.library = _library(dtype)
        self.dtype = dtype
        self.begins = self._places(x)
        self.at = torch.empty(self.begins[-1] + 1, dtype=torch.int32)
        self.starts = torch.empty(self.rows, dtype=torch.int64)
        self.counts = torch.empty(self.rows, dtype=torch.int64)
        self.value: torch.Tensor | None = None
        if any(self._list(x)):
            self.value = torch.empty(len(self.at), dtype=dtype)
            self._list(x)

    def _places(self, x: torch.Tensor) -> list[int]:
        """Return where the list of each thread begins, and where the last one ends."""
        parts = part_count(self.rows, self.rows * self.columns)
        ends = [self.rows * n // parts for n in range(parts + 1)]
        if x.numel() <= COUNTED:
            return [end * self.columns for end in ends]
        # A list has one more place than events, where what turns out to be none is written.
        counts = [int(torch.count_nonzero(x[a:b])) + 1 for a, b in pairwise(ends)]
        return [0, *accumulate(counts)]

    def _list(self, x: torch.Tensor) -> list[int]:
        function = getattr(self.library, f"list_{_name(x.dtype)}")
        graded = [0] * torch.get_num_threads()

        def call(first: int, last: int, thread: int) -> None:
            graded[thread] = function(
                x.data_ptr(),
                x.stride(0),
                first,
                last,
                self.columns,
                self.begins[thread],
                self.at.data_ptr(),
                _pointer(self.value),
                self.starts.data_ptr(),
                self.counts.data_ptr(),
            )

        spread(self.rows, self.rows * self.columns, call)
        return graded

    def _lists(self) -> tuple:
        return (
            self.at.data_ptr(),
            _pointer(self.value),
            self.starts.data_ptr(),
            self.counts.data_ptr(),
        )

    def add_product(self, weights: torch.Tensor, out: torch.Tensor, *, fresh: bool = False) -> None:
        """Add the product with weights of shape (columns, size) to ``out`` (rows, size).

        Where ``out`` is ``fresh``, it is overwritten. The weights of a source lie side by side; see
        :func:`by_source`.
        """
        size = weights.shape[1]

        def call(first: int, last: int, _: int) -> None:
            self.library.product(
                *self._lists(),
                first,
                last,
                weights.data_ptr(),
                weights.stride(0),
                size,
                out.data_ptr(),
                out.stride(0),
                fresh,
            )

        spread(self.rows, self.rows * size, call)

    def sums(self, size: int) -> torch.Tensor:
        """Return memory for :meth:`add_outer`, with a part for each thread."""
        threads = part_count(self.rows, self.rows * size)
        return torch.zeros(threads, self.columns, size, dtype=self.dtype)

    def outer(self, g: torch.Tensor) -> torch.Tensor:
        """Return the product of the transposed matrix with ``g`` (rows, size): (columns, size)."""
        sums = self.sums(g.shape[1])
        self.add_outer(g, sums)
        return sums[0] if len(sums) == 1 else sums.sum(0)

    def add_outer(self, g: torch.Tensor, sums: torch.Tensor) -> None:
        """Add the product of the transposed matrix with ``g`` (rows, size) to ``sums``."""
        size = g.shape[1]

        def call(first: int, last: int, thread: int) -> None:
            self.library.outer(
                *self._lists(),
                first,
                last,
                g.data_ptr(),
                g.stride(0),
                size,
                sums[thread].data_ptr(),
            )

        spread(self.rows, self.rows * size, call)


def _pointer(x: torch.Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def by_source(weights: torch.Tensor) -> torch.Tensor:
    """Return weights (targets, sources) as (sources, targets).

    A row of at least a vector begins with a line of the processor's cache, so that no vector but
    the last is in two lines.
    """
    rows = weights.T.contiguous()
    line = LINE // weights.element_size()
    sources, targets = rows.shape
    if targets < line or targets % line == 0:
        return rows
    apart = weights.new_empty(sources, -(-targets // line) * line)[:, :targets]
    return apart.copy_(rows)


def density(x: torch.Tensor) -> float:
    """Return the share of entries that are not zero, in some of the rows of (rows, columns)."""
    some = x[:: max(1, len(x) // _SAMPLED_ROWS)]
    return float(torch.count_nonzero(some)) / max(1, some.numel())


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weights, events):
        if events is None:
            out = _times(_rows(x).to(weights.dtype), weights)
        else:
            out = torch.empty(events.rows, weights.shape[0], dtype=weights.dtype)
            events.add_product(by_source(weights.detach()), out, fresh=True)
        ctx.save_for_backward(x, weights)
        ctx.events = events
        return out.unflatten(0, x.shape[:2])

    @staticmethod
    def backward(ctx, grad):
        x, weights = ctx.saved_tensors
        gx = gw = None
        if torch.is_grad_enabled():  # for second derivatives
            if ctx.needs_input_grad[0]:
                gx = (grad @ weights).to(x.dtype)
            if ctx.needs_input_grad[1]:
                gw = grad.flatten(0, 1).T @ x.to(weights.dtype).flatten(0, 1)
            return gx, gw, None
        grad = _rows(grad)
        if ctx.needs_input_grad[0]:
            gx = _times(grad, weights.T).unflatten(0, x.shape[:2]).to(x.dtype)
        if ctx.needs_input_grad[1]:
            if ctx.events is None:
                gw = _times(grad.T, _rows(x).to(weights.dtype).T)
            else:
                gw = ctx.events.outer(grad).T
        return gx, gw, None


def _rows(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor of shape (samples, steps, size) as a matrix whose rows are contiguous."""
    x = x.flatten(0, 1)
    return x if x.stride(1) == 1 else x.contiguous()


def _times(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``a @ b.T`` of two matrices."""
    # The BLAS of PyTorch is slow on processors that are not of its maker, oneDNN on none.
    if a.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        try:
            return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        except (AttributeError, RuntimeError):
            pass  # another version of PyTorch
    return a @ b.T


def product(x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return ``x @ weights.T``, from a list of events where ``x`` is mostly zero.

    Parameters
    ----------
    x : tensor, shape (samples, steps, sources)
    weights : tensor, shape (targets, sources)
        On the CPU, in float32 or float64.

    Raises
    ------
    BuildError
        If the kernel cannot be compiled.
    """
    rows = _rows(x.detach())
    sparse = x.dtype in SOURCES and density(rows) <= DENSE
    return _Product.apply(x, weights, Events(rows, weights.dtype) if sparse else None)


def products_of_draws(x: torch.Tensor, weights: torch.Tensor, *, shared: bool) -> torch.Tensor:
    """Return the products with several draws of the weights, without gradients.

    The draws are computed one after the other, each with weights that fit the processor's cache,
    into memory that is not copied again.

    Parameters
    ----------
    x : tensor, shape (rows, steps, sources)
    weights : tensor, shape (draws, targets, sources)
    shared : bool
        Whether every draw has the same ``x``; otherwise its rows are those of all draws, in order.

    Returns
    -------
    tensor, shape (draws * rows, steps, targets) where ``shared``, else (rows, steps, targets)

    Raises
    ------
    BuildError
        If the kernel cannot be compiled.
    """
    x, weights = x.detach(), weights.detach()
    draws, targets, _ = weights.shape
    parts = [x] * draws if shared else list(x.unflatten(0, (draws, -1)))
    out = torch.empty(draws, len(parts[0]), x.shape[1], targets, dtype=weights.dtype)
    rows = _rows(x)
    sparse = x.dtype in SOURCES and density(rows) <= DENSE
    events = Events(rows, weights.dtype) if sparse and shared else None
    for part, own, result in zip(parts, weights, out, strict=True):
        if sparse:
            listed = Events(_rows(part), weights.dtype) if events is None else events
            listed.add_product(by_source(own), result.flatten(0, 1), fresh=True)
        else:
            result.flatten(0, 1)[:] = _times(_rows(part).to(weights.dtype), own)
    return out.flatten(0, 1)
