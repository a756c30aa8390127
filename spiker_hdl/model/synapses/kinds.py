"""All arrangements of weights, by the names that files have for them."""

from .base import Synapses
from .convolution import Convolution
from .dense import Dense
from .one_to_one import OneToOne
from .sparse import Sparse

__all__ = ["SYNAPSES"]

SYNAPSES: dict[str, type[Synapses]] = {
    kind.kind: kind for kind in (Dense, OneToOne, Sparse, Convolution)
}
