"""Tests of the page on devices: its code runs."""

import re

from support.places import read_page


def test_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", read_page("devices"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    names = {}
    for block in blocks:
        exec(block, names)
    shown = capsys.readouterr().out
    assert "exponent 0.050 +- 0.014" in shown
    assert "[[1.0, -0.5], [0.25, -1.0]]" in shown
    assert (tmp_path / "study.json").is_file()
