"""The choice between kernels and runs step by step, and notes of why one was not taken."""

import logging
import os
from functools import cache

import torch

from spiker_hdl.base.checks import check_choice

from .run import REALS

__all__ = ["KERNELS", "chosen", "note", "obstacle"]

KERNELS = ("auto", "eager", "fused")
"""Ways to run: by kernels where it is worth their compilation, step by step, or by kernels."""

WORTH = 2**17
"""Neuron updates of a run from which on ``"auto"`` takes kernels."""

_log = logging.getLogger("spiker_train.kernels")


def chosen(kernel: str | None, updates: int) -> bool:
    """Tell whether a run uses kernels where it can.

    Parameters
    ----------
    kernel : str or None
        One of :data:`KERNELS`. Where it is None, the environment variable ``SPIKER_KERNEL`` says
        which, and ``"auto"`` is taken where that is not set.
    updates : int
        Neuron updates of the run: samples times steps times neurons.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if kernel is None:
        kernel = check_choice("SPIKER_KERNEL", os.environ.get("SPIKER_KERNEL") or "auto", KERNELS)
    else:
        check_choice("Kernel", kernel, KERNELS)
    return kernel == "fused" or (kernel == "auto" and updates >= WORTH)


def obstacle(like: torch.Tensor) -> str | None:
    """Return why no kernel can run on tensors such as this one, or None."""
    if like.device.type != "cpu":
        return f"tensors are on {like.device.type}, and kernels run on the CPU"
    if like.dtype not in REALS:
        return f"tensors are of {like.dtype}, and kernels compute in float32 or float64"
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return "PyTorch transforms the run"
    return None


@cache
def note(subject: str, reason: str) -> None:
    """Log once that something runs step by step, and why."""
    _log.warning("%s runs step by step, without a kernel, since %s", subject, reason)
