"""The rules of learning that come with the library, by name."""

from .base import Rule
from .stdp import PairStdp, PostStdp, TripletStdp
from .three_factor import DeltaRule, EProp, RewardStdp
from .voltage import Voltage

__all__ = ["RULES"]

RULES: dict[str, type[Rule]] = {
    rule.__name__: rule
    for rule in (PairStdp, PostStdp, TripletStdp, RewardStdp, DeltaRule, EProp, Voltage)
}
"""Rules that come with the library, by name."""
