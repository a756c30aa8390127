"""Rules of learning on tensors: in integers, bit for bit, and in floating point."""

from .drive import drive
from .floating import floating_rule
from .learn import TensorsLearned, learn

__all__ = ["TensorsLearned", "drive", "floating_rule", "learn"]
