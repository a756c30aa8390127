"""The leak of a membrane potential towards its rest potential."""

from functools import cached_property
from typing import Any

from .arithmetic import Arithmetic

__all__ = ["Leaky", "check_floor", "is_used"]


def check_floor(floor: Any) -> None:
    """Check that a lower bound of a potential, in any unit, is None or at most 0."""
    if isinstance(floor, int | float) and floor > 0:
        raise ValueError(f"Floor must be at most 0, not {floor}")


def is_used(value: Any) -> bool:
    """Tell whether a parameter is other than 0 for any neuron, or is learned.

    Parameters
    ----------
    value : int, tuple of int, float or tensor
    """
    if isinstance(value, tuple):
        return any(value)
    if getattr(value, "requires_grad", False):
        return True
    return bool(value.any()) if hasattr(value, "any") else bool(value)


class Leaky:
    r"""Part of neurons with a leak: the fields ``decay`` and ``rest``, and their use.

    .. math::

        \operatorname{leak}(v) = v_\text{rest}
        + \operatorname{leak}_\beta(v - v_\text{rest})

    :math:`v`
        potential before the step
    :math:`v_\text{rest}`
        ``rest``, towards which the potential decays
    :math:`\beta`
        ``decay``
    """

    decay: Any
    rest: Any
    floor: int | None

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]
        if self.floor is None:
            return
        for value in self.rest if isinstance(self.rest, tuple) else (self.rest,):
            if value < self.floor:
                raise ValueError(
                    f"Rest potential must be at least the floor {self.floor}, not {value}"
                )

    @cached_property
    def has_rest(self) -> bool:
        """Whether the rest potential of any neuron is other than 0."""
        return is_used(self.rest)

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        ranges = super().replaceable  # type: ignore[misc]
        low, high = ranges.pop("rest")
        if not self.has_rest:
            return ranges
        return ranges | {"rest": (low if self.floor is None else self.floor, high)}

    def leaked(self, p: Any, v: Any, via: Arithmetic) -> Any:
        """Return a potential after its leak."""
        if not self.has_rest:
            return via.decay(v, p.decay)
        return via.decay(v - p.rest, p.decay) + p.rest
