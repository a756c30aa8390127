"""Tests of memories that a host can write: the names by which synthesis knows their kinds."""

from spiker_hdl.model.mapping.core import KINDS
from spiker_hdl.rtl.common.memory import kept_in


def test_kinds_of_memory_have_the_names_that_yosys_knows():
    styles = {kind: kept_in(kind).get("ram_style") for kind in KINDS}
    assert styles.pop("auto") is None
    # A large memory without contents is called so in the files of Yosys: ice40/spram.txt.
    assert styles.pop("uninitialized") == "huge"
    assert styles == {kind: kind for kind in styles}
    assert kept_in("distributed", fixed=True) == {"ram_style": "registers"}
