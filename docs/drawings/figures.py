"""Every drawing of the pages, by its name."""

from collections.abc import Iterator
from functools import cache

from .connections import Design, read_designs
from .designs import make_designs
from .handshakes import SCENES
from .house import draw_house
from .schematic import draw_design
from .svg import Drawing
from .waveform import Waveform, draw_waveform

__all__ = ["component_designs", "draw", "names", "waveform_of"]


@cache
def component_designs() -> dict[str, Design]:
    """Return what each component of the hardware is made of, by the name of its class."""
    found: dict[str, Design] = {}
    for component in make_designs():
        found |= {design.name: design for design in read_designs(component, found)}
    return found


@cache
def waveform_of(scene: str) -> Waveform:
    """Return what the simulation of a scene shows."""
    return SCENES[scene]()


def names() -> Iterator[str]:
    """Give the names of all drawings."""
    yield "house"
    yield from (f"timing/{name}" for name in SCENES)
    yield from (f"schematic/{name}" for name in component_designs())


@cache
def draw(name: str) -> Drawing:
    """Make a drawing.

    Parameters
    ----------
    name : str
        ``"house"``, ``"timing/SCENE"``, or ``"schematic/CLASS"``.

    Raises
    ------
    ValueError
        If there is no such drawing.
    """
    kind, _, what = name.partition("/")
    if name == "house":
        return draw_house()
    if kind == "timing" and what in SCENES:
        scene = SCENES[what]
        return draw_waveform(waveform_of(what), (scene.__doc__ or "").removeprefix("Show "))
    if kind == "schematic" and what in component_designs():
        design = component_designs()[what]
        return draw_design(design, f"Block diagram of {design.component.__name__}")
    raise ValueError(f"Drawing must be one of {[*names()]}, not {name!r}")
