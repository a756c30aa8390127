"""Models of the cells in a netlist, for its simulation."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from spiker_hdl.base import read_text, reading, strict_json
from spiker_hdl.tools.families import FAMILIES
from spiker_hdl.tools.yosys import yosys_share

__all__ = ["PURPOSE", "NetlistError", "cell_models", "count_cells"]

PURPOSE = "make netlists"
"""The purpose of Yosys here, for messages."""

OWN = Path(__file__).resolve().parent / "cells"


class NetlistError(RuntimeError):
    """A netlist that cannot be made, or that does not do what was emitted."""


def count_cells(netlist: str, top: str) -> dict[str, int]:
    """Return how many cells of each kind a module has, in a netlist that Yosys wrote as JSON."""
    with reading("netlist.json", "a netlist that Yosys wrote"):
        cells = strict_json.parse_object(netlist, ours=True)["modules"][top]["cells"].values()
        kinds = Counter(cell["type"] for cell in cells)
    return {kind: kinds[kind] for kind in sorted(kinds) if kind != "$scopeinfo"}


def cell_models(family: str, cells: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return files with the models of a family's cells, and which of them to compile.

    Parameters
    ----------
    family : str
        One of :data:`~spiker_hdl.tools.families.MODELLED`.
    cells : iterable of str
        Kinds of cells that must have a model.

    Raises
    ------
    NetlistError
        If one of ``cells`` has none.
    """
    models = FAMILIES[family].models
    assert models is not None  # as of those that are modelled
    share = yosys_share(PURPOSE)
    files = {Path(name).name: read_text(share / name) for name in models.files}
    files["cells_sim.v"] = _without(files["cells_sim.v"], models.own)
    compiled = ["cells_sim.v"]
    for name in ("block_ram.v", f"{family}.v") if models.own else ():
        files[name] = read_text(OWN / name)
        compiled.append(name)
    missing = set(cells) - set(_modules("\n".join(files.values())))
    if missing:
        raise NetlistError(f"Cells must have models, not {', '.join(sorted(missing))}")
    return files, compiled


def _modules(text: str) -> list[str]:
    """Return the modules of a text that are not black boxes."""
    shells = re.findall(r"\(\* blackbox[^\n]*\*\)\s*(?:\(\*[^\n]*\*\)\s*)*module\s+(\w+)", text)
    return [name for name in re.findall(r"^module\s+(\w+)", text, re.M) if name not in shells]


def _without(text: str, names: tuple[str, ...]) -> str:
    """Return a text without some of its modules."""
    for name in names:
        text, count = re.subn(
            rf"^(?:\(\*[^\n]*\*\)\n)?module {name}\b.*?^endmodule\n", "", text, flags=re.M | re.S
        )
        if count != 1:
            raise NetlistError(f"Models of Yosys must have {name} once, not {count} times")
    return text
