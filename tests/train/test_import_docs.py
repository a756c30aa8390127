"""Tests of the pages on import: their code runs, and prints what they say."""

import re

import pytest

from support.places import read_page


def blocks(page, *without):
    """Return the Python of a page, but for what needs other programs."""
    text = read_page(page)
    result = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in result if not any(word in block for word in without)]


def test_a_module_of_snntorch(capsys):
    pytest.importorskip("snntorch")
    code, *_ = blocks("import", "nir")
    exec(code, {"__name__": "page"})
    shown = capsys.readouterr().out.strip().splitlines()
    text = read_page("import")
    assert len(shown) == 7
    for line in shown:
        assert f"    {line}\n" in text


def test_a_module_with_convolutions(capsys):
    pytest.importorskip("snntorch")
    code = next(block for block in blocks("import") if "Conv2d" in block)
    exec(code, {"__name__": "page"})
    shown = capsys.readouterr().out.strip().splitlines()
    assert len(shown) == 3
    assert "\n".join(f"    {line}" for line in shown) in read_page("import")


@pytest.mark.slow
def test_moving_from_spiker(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in blocks("from_spiker", "spikerplus"):
        exec(code, names)
    shown = capsys.readouterr().out
    assert "layer_0: beta 0.9 is kept; Spiker would have made it 0.875" in shown
    assert shown.count("\n4 8 ") == 2
    assert (tmp_path / "rlif_vhdl").is_dir()
