"""The refusal of networks that learn, where weights must not change."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiker_hdl.model.network import Network

__all__ = ["refuse_rules"]


def refuse_rules(network: "Network", what: str) -> None:
    """Raise :exc:`ValueError` if a network has a rule of learning, or homeostasis.

    Parameters
    ----------
    network : Network
    what : str
        What takes no rules, as the beginning of a sentence.
    """
    for projection in network.projections:
        if projection.rule is not None:
            raise ValueError(
                f"{what} must be of a network whose weights stay, not of one with the rule "
                f"{type(projection.rule).__name__} of projection {projection.name!r}: take "
                "network.frozen(), or spiker_hdl.model.learn to learn"
            )
    for population in network.populations:
        if population.homeostasis is not None:
            raise ValueError(
                f"{what} must be of a network whose thresholds stay, not of one with homeostasis "
                f"of population {population.name!r}: take network.frozen(), or "
                "spiker_hdl.model.learn to learn"
            )
