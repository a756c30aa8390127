"""Interval arithmetic: the ranges of all intermediate results of a neuron's step."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import Arithmetic, Decay

__all__ = ["NEVER_BRANCH", "Interval", "Ranges", "Test"]

Ends = tuple[Any, Any]

_DEPTH = 3
"""Depth of nested selections whose tests are all considered; 2**depth cases are evaluated."""

NEVER_BRANCH = (
    "A neuron's step must not branch on an operand with `if`, `and`, `or` or `not`: write "
    "via.select(test, yes, no), via.both, via.either or via.invert"
)


def _exact(x: Any) -> np.ndarray:
    # Python integers have no width, so that nothing wraps unseen.
    return np.asarray(x, dtype=object)


def _least(a: Any, b: Any) -> Any:
    return np.minimum(a, b, dtype=object)


def _most(a: Any, b: Any) -> Any:
    return np.maximum(a, b, dtype=object)


class Facts(dict[Any, Ends]):
    """Ranges of intervals, by their identity, under the assumed outcomes of some tests.

    Members
    -------
    depth : int
        Number of these tests.
    computed : dict of int to (low, high)
        Ranges of intervals under these facts, so that each is computed once.
    """

    def __init__(self, known: "Facts | None" = None):
        super().__init__(known or {})
        self.depth = 0 if known is None else known.depth + 1
        self.computed: dict[int, Ends] = {}

    def narrow(self, key: Any, low: Any, high: Any) -> None:
        """Add that an interval has these ends."""
        if key in self:
            low, high = _most(self[key][0], low), _least(self[key][1], high)
        self[key] = low, high
        self.computed.clear()


class Interval:
    """A range of integers, one or one per neuron, with the operation that it is the result of.

    Parameters
    ----------
    low, high : int or array of int
        Minimum and maximum.
    """

    __array_ufunc__ = None  # NumPy arrays leave the operators to this class

    def __init__(
        self,
        low: Any,
        high: Any,
        rule: Callable | None = None,
        parts: tuple = (),
        owner: "Ranges | None" = None,
    ):
        self.low = _exact(low)
        self.high = _exact(high)
        self._rule = rule
        self._parts = parts
        self._owner = owner or next(
            (p._owner for p in parts if isinstance(p, Interval) and p._owner), None
        )
        if self._owner is not None:
            reach = max(int(np.max(np.abs(self.low))), int(np.max(np.abs(self.high))))
            self._owner.largest = max(self._owner.largest, reach)

    @staticmethod
    def _make(rule: Callable, *parts: Any) -> "Interval":
        parts = tuple(p if isinstance(p, Interval) else Interval(p, p) for p in parts)
        return Interval(*rule(*((p.low, p.high) for p in parts)), rule=rule, parts=parts)

    def under(self, facts: Facts) -> Ends:
        """Return the range under ``facts``."""
        if id(self) in facts.computed:
            return facts.computed[id(self)]
        if self._rule is None or (self._rule is _choose and facts.depth > _DEPTH):
            ends = (self.low, self.high)
        elif self._rule is _choose:
            test, yes, no = self._parts
            ends = test.join(yes, no, facts)
        else:
            ends = self._rule(*(part.under(facts) for part in self._parts))
        for key in (id(self), (self._rule, *map(id, self._parts))):
            if key in facts:
                low, high = facts[key]
                ends = _most(ends[0], low), _least(ends[1], high)
        facts.computed[id(self)] = ends
        return ends

    def __add__(self, other):
        return Interval._make(_add, self, other)

    __radd__ = __add__

    def __sub__(self, other):
        return Interval._make(_subtract, self, other)

    def __rsub__(self, other):
        return Interval._make(_subtract, other, self)

    def __neg__(self):
        return 0 - self

    def __mul__(self, other):
        return Interval._make(_multiply, self, other)

    __rmul__ = __mul__

    def __gt__(self, other):
        return Test.compare(self, other, strict=True)

    def __ge__(self, other):
        return Test.compare(self, other, strict=False)

    def __lt__(self, other):
        return Test.compare(self, other, strict=False).inverted()

    def __le__(self, other):
        return Test.compare(self, other, strict=True).inverted()

    def __bool__(self):
        raise TypeError(NEVER_BRANCH)

    def __repr__(self) -> str:
        return f"Interval({self.low}, {self.high})"

    __hash__ = object.__hash__

    def __eq__(self, other):
        a, b = self >= other, self <= other
        return Test(a.yes + b.yes)


def _beneath(x: Interval) -> list[tuple[Interval, Any]]:
    """List what both arms of a choice hold, alone or in a sum, with the least of the rest of it."""
    if x._rule is not _choose:
        return []
    arms = []
    for arm in x._parts[1:]:
        arms.append({id(arm): (arm, 0)})
        if arm._rule is _add:
            a, b = arm._parts
            arms[-1] |= {id(a): (a, b.low), id(b): (b, a.low)}
    yes, no = arms
    return [(yes[key][0], _least(yes[key][1], no[key][1])) for key in yes if key in no]


def _add(a: Ends, b: Ends) -> Ends:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Ends, b: Ends) -> Ends:
    return a[0] - b[1], a[1] - b[0]


def _corners(values: list) -> Ends:
    low = high = values[0]
    for value in values[1:]:
        low, high = _least(low, value), _most(high, value)
    return low, high


def _multiply(a: Ends, b: Ends) -> Ends:
    return _corners([x * y for x in a for y in b])


def _greater(a: Ends, b: Ends) -> Ends:
    return _most(a[0], b[0]), _most(a[1], b[1])


def _lesser(a: Ends, b: Ends) -> Ends:
    return _least(a[0], b[0]), _least(a[1], b[1])


def _choose(*_: Ends) -> Ends:
    raise AssertionError("a choice is evaluated by its test")


def _refused(written: str) -> Callable:
    def refuse(self, *_):
        raise TypeError(
            f"A neuron's step must be of +, -, *, comparisons and what `via` offers, such as "
            f"via.shift, via.both and via.either, not of {written}"
        )

    return refuse


class Test:
    """The outcome of a comparison, with what it says of its operands.

    Parameters
    ----------
    yes, no : tuple of (Interval, Interval, bool)
        Comparisons ``a > b`` (strict) or ``a >= b`` that hold where the test does or does not.
    """

    __array_ufunc__ = None

    def __init__(self, yes: tuple = (), no: tuple = ()):
        self.yes = yes
        self.no = no

    @staticmethod
    def compare(a: Any, b: Any, *, strict: bool) -> "Test":
        a, b = (x if isinstance(x, Interval) else Interval(x, x) for x in (a, b))
        return Test(((a, b, strict),), ((b, a, not strict),))

    def inverted(self) -> "Test":
        return Test(self.no, self.yes)

    def facts(self, outcome: bool, known: Facts) -> Facts:
        """Return ``known`` and what the test's ``outcome`` adds to it."""
        facts = Facts(known)
        for a, b, strict in self.yes if outcome else self.no:
            a_ends, b_ends = a.under(facts), b.under(facts)
            gap = int(strict)
            facts.narrow(id(a), b_ends[0] + gap, a_ends[1])
            facts.narrow(id(b), b_ends[0], a_ends[1] - gap)
            reach = a_ends[1] - b_ends[0]
            facts.narrow((_subtract, id(a), id(b)), gap, reach)
            facts.narrow((_subtract, id(b), id(a)), -reach, -gap)
            for part, excess in _beneath(b):
                facts.narrow((_subtract, id(a), id(part)), gap + excess, a_ends[1] - part.low)
        return facts

    def join(self, yes: Interval, no: Interval, known: Facts) -> Ends:
        """Return the ends of a choice between two intervals, each where it can be chosen."""
        sides = []
        for outcome, arm in ((True, yes), (False, no)):
            facts = self.facts(outcome, known)
            low, high = arm.under(facts)
            possible = _exact(True)
            for fact_low, fact_high in facts.values():
                possible = possible & (_exact(fact_low) <= fact_high)
            sides.append((_exact(low), _exact(high), possible))
        (y_low, y_high, y_can), (n_low, n_high, n_can) = sides
        low = np.where(y_can & n_can, _exact(_least(y_low, n_low)), np.where(n_can, n_low, y_low))
        high = np.where(
            y_can & n_can, _exact(_most(y_high, n_high)), np.where(n_can, n_high, y_high)
        )
        return low, high

    def can_be(self, outcome: bool) -> np.ndarray:
        """Tell, for each neuron, whether the test can come out so."""
        facts = self.facts(outcome, Facts())
        possible = _exact(True)
        for low, high in facts.values():
            possible = possible & (_exact(low) <= high)
        return np.asarray(possible, dtype=bool)

    def __bool__(self):
        raise TypeError(NEVER_BRANCH)

    def _no_number(self, *_):
        raise TypeError("A test is no number: write via.select(test, yes, no)")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _no_number
    __invert__ = _no_number


for _name, _written in {
    "rshift": ">>",
    "lshift": "<<",
    "floordiv": "//",
    "truediv": "/",
    "mod": "%",
    "pow": "**",
    "and": "&",
    "or": "|",
    "xor": "^",
}.items():
    for _kind in (Interval, Test):
        setattr(_kind, f"__{_name}__", _refused(_written))
        setattr(_kind, f"__r{_name}__", _refused(_written))
for _name, _written in {"abs": "abs", "int": "int", "float": "float"}.items():
    for _kind in (Interval, Test):
        setattr(_kind, f"__{_name}__", _refused(_written))
Interval.__invert__ = _refused("~")  # type: ignore[attr-defined]


class Ranges(Arithmetic):
    """Operations on intervals.

    A choice narrows its operands by its test, so that ``select(v > limit, v - limit, v)`` is known
    not to leave the range of ``v``. :attr:`largest` is the greatest magnitude met in anything that
    was computed, which says whether a floating-point format can compute the same exactly.
    """

    def __init__(self):
        self.largest = 0

    def interval(self, low: Any, high: Any) -> Interval:
        """Make an operand."""
        return Interval(low, high, owner=self)

    def shift(self, x, bits: int):
        return Interval._make(_shifter(bits), x)

    def decay(self, x, decay: Decay):
        def remain(x: Ends, m: Ends) -> Ends:
            return _corners([a - ((a * b) >> decay.bits) for a in x for b in m])

        _ = x * decay.numerator  # what is computed on the way counts for `largest`
        return Interval._make(remain, x, decay.numerator)

    def vanish(self, x, decay: Decay):
        def remain(x: Ends, m: Ends) -> Ends:
            return _corners([_nearer_zero(a, b, decay.bits) for a in x for b in m])

        _ = x * decay.numerator + (2**decay.bits - 1)  # as in `decay`
        return Interval._make(remain, x, decay.numerator)

    def both(self, a: Test, b: Test):
        return Test(a.yes + b.yes, ())

    def either(self, a: Test, b: Test):
        return Test((), a.no + b.no)

    def invert(self, test: Test):
        return test.inverted()

    def select(self, test, yes, no):
        if not isinstance(test, Test):
            raise TypeError(f"The test of a select must come from a comparison, not {test!r}")
        yes, no = (x if isinstance(x, Interval) else Interval(x, x) for x in (yes, no))
        return Interval(
            *test.join(yes, no, Facts()), rule=_choose, parts=(test, yes, no), owner=self
        )

    def maximum(self, x, y):
        return Interval._make(_greater, x, y)

    def clamp(self, x, low, high):
        return Interval._make(_lesser, Interval._make(_greater, x, low), high)


def _nearer_zero(x: Any, numerator: Any, bits: int) -> Any:
    """Return what :meth:`Arithmetic.vanish` leaves of a value."""
    up = (x * numerator + (2**bits - 1)) >> bits
    return x - np.where(x > 0, up, (x * numerator) >> bits)


_SHIFTERS: dict[int, Callable] = {}


def _shifter(bits: int) -> Callable:
    # One rule a shift, so that equal shifts of one operand are known to be equal.
    return _SHIFTERS.setdefault(bits, lambda x: (x[0] >> bits, x[1] >> bits))
