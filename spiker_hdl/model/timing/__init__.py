"""Cycles that the accelerator takes, predicted exactly from its handshakes."""

from .prediction import Spent, Timing, predict

__all__ = ["Spent", "Timing", "predict"]
