"""Noise of programming and of reading, and the spread between devices."""

from dataclasses import dataclass

import torch

from spiker_hdl.base.frozen import set_fields

from .checks import check_number
from .curves import Curve, check_curve, value_of

__all__ = ["FlickerNoise", "GaussianNoise", "Spread"]


@dataclass(frozen=True, kw_only=True)
class GaussianNoise:
    r"""Gaussian noise of a conductance, as it is programmed or as it is read (white).

    .. math:: \sigma = \sqrt{\sigma_a^2 + (\sigma_r G)^2 + (G_\mathrm{high}\,c(g))^2}

    with :math:`G` the conductance in siemens and :math:`g = G / G_\mathrm{high}`.

    Parameters
    ----------
    absolute : float
        :math:`\sigma_a`, in siemens.
    relative : float
        :math:`\sigma_r`, a share of the conductance.
    curve : float or callable
        :math:`c`, a share of the greatest conductance over the relative conductance, such as a
        :class:`~.curves.Table` of measurements.
    """

    absolute: float = 0.0
    relative: float = 0.0
    curve: Curve = 0.0

    def __post_init__(self) -> None:
        set_fields(
            self,
            absolute=check_number("Absolute noise", self.absolute, 0),
            relative=check_number("Relative noise", self.relative, 0),
            curve=check_curve("Curve of noise", self.curve),
        )

    def sigma(
        self, conductance: torch.Tensor, target: torch.Tensor, high: float, seconds: float
    ) -> torch.Tensor:
        """Return the standard deviation in siemens."""
        scaled = high * value_of(self.curve, target / high)
        return (self.absolute**2 + (self.relative * conductance) ** 2 + scaled**2).sqrt()


@dataclass(frozen=True, kw_only=True)
class FlickerNoise:
    r"""Read noise with a spectrum of 1/f, which grows with the time since programming.

    .. math:: \sigma(t) = G(t)\,Q(g)\,\sqrt{\ln\frac{t + t_r}{2 t_r}}

    which is the spectral density :math:`S_G / G^2 = Q^2 / f`, integrated over the bandwidth of a
    read; :math:`G(t)` is the present conductance and :math:`g` the relative target conductance.
    Before :math:`t_r` there is no noise.

    Parameters
    ----------
    amplitude : float or callable
        :math:`Q`, without unit.
    read_time : float
        :math:`t_r`, the length of the pulse that reads, in seconds.

    References
    ----------
    S. R. Nandakumar et al., "Phase-change memory models for deep learning training and inference",
    IEEE ICECS 2019, 727-730.
    """

    amplitude: Curve
    read_time: float

    def __post_init__(self) -> None:
        set_fields(
            self,
            amplitude=check_curve("Amplitude of noise", self.amplitude),
            read_time=check_number("Read time", self.read_time, above=0),
        )

    def sigma(
        self, conductance: torch.Tensor, target: torch.Tensor, high: float, seconds: float
    ) -> torch.Tensor:
        """Return the standard deviation in siemens."""
        ratio = torch.tensor((seconds + self.read_time) / (2 * self.read_time)).double()
        grown = ratio.log().clamp(min=0).sqrt()
        return conductance * value_of(self.amplitude, target / high) * grown


@dataclass(frozen=True)
class Spread:
    r"""Spread between devices: each has a factor of its own, which no programming corrects.

    .. math:: G \leftarrow G\,\exp(\sigma z - \sigma^2 / 2), \quad z \sim N(0, 1)

    so that the mean over devices is 1 and the relative standard deviation about :math:`\sigma`.

    Parameters
    ----------
    sigma : float
    """

    sigma: float

    def __post_init__(self) -> None:
        set_fields(self, sigma=check_number("Spread of devices", self.sigma, 0))

    def factors(self, z: torch.Tensor) -> torch.Tensor:
        """Return the factors that standard normal numbers stand for."""
        return (self.sigma * z - self.sigma**2 / 2).exp()
