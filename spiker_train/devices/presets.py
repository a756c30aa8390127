"""Devices of publications, each with the source of its numbers."""

from .curves import Logarithm, Polynomial, Power
from .device import Device
from .drift import PowerLawDrift, TabulatedDrift
from .noise import FlickerNoise, GaussianNoise

__all__ = ["hfox_reram", "pcm"]

DAY = 24 * 3600.0


def pcm(high: float = 25e-6) -> Device:
    r"""Return a phase-change memory: a statistical model of a million devices.

    With :math:`g = G_T / G_\mathrm{high}`, in microsiemens for a greatest conductance of 25 uS:

    .. math::
        \sigma_p &= \max(-1.1731 g^2 + 1.9650 g + 0.2635, 0) \\
        G(t) &= G_0 (t / 20\,\mathrm{s})^{-\nu}, \quad \nu \sim N(\mu, \sigma) \\
        \mu &= \min(\max(-0.0155 \ln g + 0.0244, 0.049), 0.1) \\
        \sigma &= \min(\max(-0.0125 \ln g - 0.0059, 0.008), 0.045) \\
        \sigma_r &= G(t) \min(0.0088 / g^{0.65}, 0.2) \sqrt{\ln((t + t_r) / 2 t_r)},
        \quad t_r = 250\,\mathrm{ns}

    Parameters
    ----------
    high : float
        Greatest conductance in siemens; noise scales with it.

    References
    ----------
    The model is that of S. R. Nandakumar et al., "Phase-change memory models for deep learning
    training and inference", IEEE ICECS 2019, 727-730, on measurements of V. Joshi et al., "Accurate
    deep neural network inference using computational phase-change memory", Nature Communications 11
    (2020), 2473. The equations and numbers above are those that the documentation of IBM's Analog
    Hardware Acceleration Kit prints for it, page "Inference and PCM statistical model", sections
    "Programming noise", "Drift" and "Read noise"; the 20 s are the default of its
    ``PCMLikeNoiseModel``.
    """
    return Device(
        high=high,
        programming=GaussianNoise(
            curve=Polynomial(tuple(c / 25 for c in (0.2635, 1.9650, -1.1731)))
        ),
        drift=PowerLawDrift(
            exponent=Logarithm(-0.0155, 0.0244, 0.049, 0.1),
            deviation=Logarithm(-0.0125, -0.0059, 0.008, 0.045),
            start=20.0,
        ),
        reading=FlickerNoise(amplitude=Power(0.0088, -0.65, 0.2), read_time=250e-9),
        source="Nandakumar et al., ICECS 2019; Joshi et al., Nature Communications 11 (2020), 2473",
    )


def hfox_reram(high: float = 40e-6) -> Device:
    r"""Return a hafnium-oxide ReRAM, whose conductances spread with time around their target.

    .. math:: G(t) = G_T + z\,\sigma(g, t), \quad z \sim N(0, 1)

    with :math:`g = G_T / G_\mathrm{high}` and, in microsiemens for a greatest conductance of 40 uS,
    :math:`\sigma = c_0 + c_1 g + c_2 g^2 + c_3 g^3 + c_4 g^4`:

    ====== ====== ====== ======= ====== =======
    time   c0     c1     c2      c3     c4
    ====== ====== ====== ======= ====== =======
    1 s    0.348  16.030 -43.853 45.393 -16.815
    1 day  0.701  22.086 -50.773 47.095 -16.458
    2 days 0.782  20.274 -43.507 37.062 -11.934
    ====== ====== ====== ======= ====== =======

    The first line includes the error of programming. Between these times, the spread is
    interpolated over the logarithm of time, and each device keeps its own :math:`z`: both are
    choices of this library. Times after two days are refused. There is no read noise, since the
    source has no numbers for it.

    Parameters
    ----------
    high : float
        Greatest conductance in siemens; the spread scales with it.

    References
    ----------
    The devices are those of W. Wan et al., "A compute-in-memory chip based on resistive
    random-access memory", Nature 608 (2022), 504-512. The coefficients are those of
    ``ReRamWan2022NoiseModel`` in IBM's Analog Hardware Acceleration Kit, whose authors estimated
    the deviations from the figures of that publication and fitted polynomials of fourth order to
    them.
    """
    rows = (
        (0.348, 16.030, -43.853, 45.393, -16.815),
        (0.701, 22.086, -50.773, 47.095, -16.458),
        (0.782, 20.274, -43.507, 37.062, -11.934),
    )
    return Device(
        high=high,
        drift=TabulatedDrift(
            times=(1.0, DAY, 2 * DAY),
            deviations=tuple(Polynomial(tuple(c / 40 for c in row)) for row in rows),
        ),
        source="Wan et al., Nature 608 (2022), 504-512, fitted in IBM's AIHWKit",
    )
