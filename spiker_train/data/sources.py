r"""Sources of spikes: spike times, rates, times to first spike, intervals and changes.

Each returns dense spikes as uint8 of the shape (samples, steps, channels). The same arguments give
the same spikes, on every machine; a random source draws each sample from its seed and its number
alone, so that a sample is the same in every batch.

Integers are values in 0..255, and are encoded bit for bit as by the encoders of the hardware,
:mod:`spiker_hdl.model.encoders`; floating-point values are in 0..1.
"""

from collections.abc import Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, shown
from spiker_hdl.base.conversions import is_array, number_array
from spiker_hdl.model import encoders

from .events import PICOSECONDS, Events, check_dt, to_picoseconds
from .representations import MAX_STEPS, ConversionLoss, events_to_dense

__all__ = ["delta", "first_spike", "intervals", "poisson", "rate", "spike_times"]

MAX_COUNT = 255


def spike_times(
    times: Sequence[Sequence[Any]],
    dt: float,
    *,
    steps: int,
    greatest: int = 1,
    loss: ConversionLoss | None = None,
) -> np.ndarray:
    """Return the spikes of uneven lists of spike times.

    Parameters
    ----------
    times : list for each sample of a list for each channel, of times in seconds
        At least 0. All samples have the same number of channels.
    dt : float
        Length of a step in seconds; step ``k`` has the times from ``k * dt`` on.
    steps : int
    greatest : int
        Greatest number of spikes of a channel in a step, 1 to 255.
    loss : ConversionLoss, optional
        Allows and counts spikes that are cut or clipped, as for
        :func:`~spiker_train.events_to_dense`.

    Raises
    ------
    LossyConversionError
        If spikes are cut or clipped, and ``loss`` is not given.
    TypeError, ValueError
        If a time is negative or no number, or samples differ in their channels.
    """
    steps, tick = check_int("Steps", steps, 1, MAX_STEPS), check_dt(dt)
    greatest = check_int("Greatest value", greatest, 1, MAX_COUNT)
    if not isinstance(times, Sequence | np.ndarray) or isinstance(times, str) or not len(times):
        raise TypeError(f"Times must be a list for each sample, not {shown(times)}")
    rows = []
    for n, sample in enumerate(times):
        if not isinstance(sample, Sequence | np.ndarray) or len(sample) != len(times[0]):
            raise ValueError(
                f"Times of sample {n} must be a list for each of {len(times[0])} channels, "
                f"not {shown(sample)}"
            )
        rows.append([_times(f"Times of sample {n}", channel) for channel in sample])
    recordings = []
    for row in rows:
        channels = np.repeat(np.arange(len(row)), [len(channel) for channel in row])
        flat = np.concatenate(row) if row else np.zeros(0)
        last = int(to_picoseconds(flat.max(initial=0.0))) + 1
        length = max(last, steps * tick) / PICOSECONDS
        recordings.append(Events(flat, channels, max(1, len(row)), length))
    return events_to_dense(recordings, dt, steps=steps, greatest=greatest, loss=loss)


def poisson(rates: Any, dt: float, *, steps: int, seed: int, form: str = "spike") -> np.ndarray:
    r"""Return spikes of Poisson processes (Heeger, 2000).

    In a step of :math:`\Delta t` at a rate :math:`\lambda`, the number :math:`n` of spikes has the
    probability

    .. math::

        P(n) = \frac{(\lambda \Delta t)^n}{n!} e^{-\lambda \Delta t}

    The form ``"counts"`` draws this number. The form ``"spike"`` draws a single spike with
    :math:`P(n \ge 1) = 1 - e^{-\lambda \Delta t}`, which is exact, unlike
    :math:`\lambda \Delta t`.

    Parameters
    ----------
    rates : array of float, shape (samples, channels) or (samples, steps, channels)
        In hertz, at least 0.
    dt : float
        Length of a step in seconds.
    steps : int
    seed : int
        Sample ``n`` is drawn with PCG64 from ``[seed, n]``.
    form : str
        ``"spike"`` or ``"counts"``.

    Raises
    ------
    TypeError, ValueError
        If a rate is negative, NaN or infinite; if more than one spike is expected in a step of the
        form ``"spike"``, or more than 128 in one of the form ``"counts"``, whose greatest count is
        255.
    """
    steps = check_int("Steps", steps, 1, MAX_STEPS)
    seed = check_int("Seed", seed, 0)
    check_choice("Form", form, ("spike", "counts"))
    seconds = check_dt(dt) / PICOSECONDS
    rates = number_array("Rates", rates, np.float64)
    if rates.ndim not in {2, 3} or (rates.ndim == 3 and rates.shape[1] != steps):
        raise ValueError(
            f"Rates must have the shape (samples, channels) or (samples, {steps}, channels), "
            f"not {rates.shape}"
        )
    if rates.size and not (np.isfinite(rates).all() and float(rates.min()) >= 0):
        raise ValueError("Rates must be at least 0 Hz and finite, not negative or NaN")
    mean = (rates if rates.ndim == 3 else rates[:, None]) * seconds
    most = {"spike": 1.0, "counts": 128.0}[form]
    if mean.size and float(mean.max()) > most:
        raise ValueError(
            f"Rate times dt must be at most {most:g} of the form {form!r}, "
            f"not {float(mean.max()):.6g}: take a smaller dt"
        )
    shape = (len(rates), steps, rates.shape[-1])
    spikes = np.zeros(shape, dtype=np.uint8)
    for n in range(len(rates)):
        drawn = np.random.Generator(np.random.PCG64([seed, n])).random(shape[1:])
        own = np.broadcast_to(mean[n], shape[1:])
        spikes[n] = drawn < -np.expm1(-own) if form == "spike" else _counts(drawn, own)
    return spikes


def _counts(drawn: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Invert the distribution: NumPy's own draws may change from version to version."""
    chance = np.exp(-mean)
    below = chance.copy()
    counts = np.zeros(drawn.shape, dtype=np.uint8)
    for n in range(1, MAX_COUNT + 1):
        above = drawn >= below
        if not above.any():
            break
        counts += above
        chance = chance * mean / n
        below = below + chance
    return counts


def rate(values: Any, steps: int) -> np.ndarray:
    r"""Return regular spikes at a rate, by a phase accumulator.

    A value :math:`x` in 0..1 is a number of spikes in each step. The phase starts at a half, and a
    spike is where it passes a whole number:

    .. math::

        s_k = \lfloor \tfrac{1}{2} + (k + 1)\,x \rfloor - \lfloor \tfrac{1}{2} + k\,x \rfloor

    Integers are as :func:`spiker_hdl.model.encoders.rate` encodes them, with :math:`x = v / 256`.

    Parameters
    ----------
    values : array of float in 0..1, or of int in 0..255, shape (samples, ...)
    steps : int

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.
    """
    steps = check_int("Steps", steps, 1, MAX_STEPS)
    array = _numbers("Values", values)
    if array.dtype.kind != "f":
        return encoders.rate(values, steps)
    phase = 0.5 + _fractions(array)[:, None] * np.arange(steps + 1)[:, None]
    return np.diff(np.floor(phase), axis=1).astype(np.uint8)


def first_spike(
    values: Any,
    steps: int,
    *,
    form: str = "linear",
    tau: float | None = None,
    threshold: float = 0.01,
) -> np.ndarray:
    r"""Return one spike of each channel: the greater the value, the earlier.

    With a value :math:`x` in 0..1 and :math:`T` steps, the spike is in the step

    .. math::

        k_\text{linear} = \lfloor (1 - x)\,T \rfloor, \qquad
        k_\text{logarithmic} = \left\lfloor \tau \ln \frac{x}{x - \theta} \right\rfloor

    The latter is when a leaky integrator with the constant input :math:`x` reaches the threshold
    :math:`\theta` (Gerstner and Kistler, 2002). A value of 0 has no spike; nor have, in the
    logarithmic form, values of at most :math:`\theta` and those whose spike is after the last step.
    Integers in the linear form are as :func:`spiker_hdl.model.encoders.first_spike` encodes them,
    with :math:`x = (v + 1) / 256` for :math:`v > 0`; in the logarithmic form, :math:`x = v / 255`.

    Parameters
    ----------
    values : array of float in 0..1, or of int in 0..255, shape (samples, ...)
    steps : int
    form : str
        ``"linear"`` or ``"logarithmic"``.
    tau : float, optional
        Time constant in steps, for the logarithmic form alone.
    threshold : float
        In 0..1, without both, for the logarithmic form.

    Raises
    ------
    TypeError, ValueError
        If a value or a parameter is out of range.
    """
    steps = check_int("Steps", steps, 1, MAX_STEPS)
    check_choice("Form", form, ("linear", "logarithmic"))
    array = _numbers("Values", values)
    if form == "linear":
        if tau is not None:
            raise ValueError(f"Tau must be None in the linear form, not {tau!r}")
        if array.dtype.kind != "f":
            return encoders.first_spike(values, steps)
        x = _fractions(array)
        when = np.minimum(np.floor((1 - x) * steps), steps - 1)
        when[x == 0] = steps
    else:
        tau = _positive("Tau", tau)
        threshold = _positive("Threshold", threshold)
        if threshold >= 1:
            raise ValueError(f"Threshold must be less than 1, not {threshold!r}")
        x = _fractions(array if array.dtype.kind == "f" else _bytes(array) / 255)
        when = np.full(x.shape, float(steps))
        fires = x > threshold
        when[fires] = np.floor(-tau * np.log1p(-threshold / x[fires]))
    return (when[:, None] == np.arange(steps)[:, None]).astype(np.uint8)


def intervals(
    spacing: Sequence[Sequence[Any]],
    dt: float,
    *,
    steps: int,
    greatest: int = 1,
    loss: ConversionLoss | None = None,
) -> np.ndarray:
    """Return spikes at intervals from one to the next; the first interval is from time 0 on.

    Parameters
    ----------
    spacing : list for each sample of an item for each channel
        A list of intervals in seconds, each above 0; or a single interval, which is repeated up to
        the end of the last step. Infinity is no spike.
    dt : float
        Length of a step in seconds.
    steps : int
    greatest, loss
        As for :func:`spike_times`.

    Raises
    ------
    LossyConversionError
        If spikes of a list are after the last step or fall together, and ``loss`` is not given.
    TypeError, ValueError
        If an interval is not above 0.
    """
    end = check_int("Steps", steps, 1, MAX_STEPS) * check_dt(dt)

    def times(item: Any) -> np.ndarray:
        array = number_array("Intervals", item, np.float64)
        if array.size and not float(array.min()) > 0:
            raise ValueError(f"Intervals must be more than 0 s, not {float(array.min())!r}")
        if array.ndim > 1:
            raise ValueError(f"Intervals must be a list for each channel, not of {array.shape}")
        if array.ndim == 0 and np.isfinite(array):
            tick = max(1, int(to_picoseconds(min(float(array), end / PICOSECONDS))))
            count = (end - 1) // tick
            check_int("Number of spikes of a channel", count, 0, MAX_STEPS)
            return np.arange(1, count + 1) * tick / PICOSECONDS
        whole = array.reshape(-1)
        stop = np.flatnonzero(np.isinf(whole))
        return np.cumsum(whole[: stop[0]] if stop.size else whole)

    rows = [[times(item) for item in sample] for sample in spacing]
    return spike_times(rows, dt, steps=steps, greatest=greatest, loss=loss)


def delta(signals: Any, thresholds: Any) -> np.ndarray:
    r"""Return events where signals change, by delta modulation (send on delta; Miskowicz, 2006).

    Each signal has two channels for each threshold :math:`\theta`, which remember the value
    :math:`r` at their last event, at first the value in the first step:

    .. math::

        s^\text{on}_k = [x_k - r \ge \theta], \qquad s^\text{off}_k = [x_k - r \le -\theta], \qquad
        r \leftarrow x_k \text{ at either}

    Integers in 0..255 with integer thresholds are as :func:`spiker_hdl.model.encoders.delta`
    encodes them; for floating-point signals the same rule is computed in floating point.

    Parameters
    ----------
    signals : array of int or float, shape (samples, steps) or (samples, steps, signals)
    thresholds : sequence of int or float
        Each above 0.

    Returns
    -------
    array of uint8, shape (samples, steps, signals * thresholds * 2)
        By signal, then threshold, then ON before OFF.

    Raises
    ------
    TypeError, ValueError
        If a value or a threshold is out of range.
    """
    array = _numbers("Signals", signals)
    if array.dtype.kind != "f":
        return encoders.delta(signals, thresholds)
    reach = number_array("Thresholds", thresholds, np.float64)
    if reach.ndim != 1 or not reach.size or not (np.isfinite(reach).all() and reach.min() > 0):
        raise ValueError(f"Thresholds must be numbers above 0, not {shown(thresholds)}")
    if array.ndim not in {2, 3} or not array.size or not np.isfinite(array).all():
        raise ValueError(
            "Signals must be finite numbers of the shape (samples, steps) or (samples, steps, "
            f"signals), not of {array.shape}"
        )
    x = array.reshape(*array.shape[:2], -1)
    events = np.zeros((*x.shape, len(reach), 2), dtype=np.uint8)
    last = np.repeat(x[:, 0, :, None], len(reach), axis=2)
    for k in range(x.shape[1]):
        now = x[:, k, :, None]
        change = now - last
        events[:, k, ..., 0] = change >= reach
        events[:, k, ..., 1] = change <= -reach
        last = np.where(abs(change) >= reach, now, last)
    return events.reshape(*x.shape[:2], -1)


def _numbers(what: str, values: Any) -> np.ndarray:
    """Return numbers as an array, of integers where lists have nothing else."""
    array = number_array(what, values)
    return array if is_array(values) else np.asarray(values)


def _times(what: str, channel: Any) -> np.ndarray:
    times = number_array(what, channel, np.float64)
    if times.ndim != 1 or (times.size and not np.isfinite(times).all()):
        raise ValueError(f"{what} must be lists of finite numbers, not {shown(channel)}")
    if times.size and float(times.min()) < 0:
        raise ValueError(f"{what} must be at least 0 s, not {float(times.min())!r}")
    return times


def _fractions(array: np.ndarray) -> np.ndarray:
    """Return values as float64 of the shape (samples, channels); raise outside 0..1."""
    if array.ndim < 2:
        raise ValueError(f"Values must have the shape (samples, ...), not {array.shape}")
    if array.size and not (float(array.min()) >= 0 and float(array.max()) <= 1):
        raise ValueError(
            "Floating-point values must be in 0..1, not "
            f"{float(array.min())!r}..{float(array.max())!r}"
        )
    return array.reshape(len(array), prod(array.shape[1:])).astype(np.float64)


def _bytes(array: np.ndarray) -> np.ndarray:
    if array.size and (int(array.min()) < 0 or int(array.max()) > MAX_COUNT):
        wrong = int(array.min()) if array.min() < 0 else int(array.max())
        raise ValueError(f"Values must be in 0..255, not {wrong}")
    return array


def _positive(what: str, value: Any) -> float:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        raise TypeError(f"{what} must be a number, not {shown(value)}")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{what} must be more than 0, not {shown(value)}")
    return float(value)
