"""Tests of the pages on data and training: their code runs, and prints what it should."""

import re

from support.places import read_page


def test_page_on_data_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for code in re.findall(r"^```python\n(.*?)^```", read_page("data"), re.MULTILINE | re.DOTALL):
        exec(code, names)
    shown = capsys.readouterr().out
    assert "(2, 2, 3, 4) 4" in shown
    assert "not lose 1 over the greatest value of their step and channel" in shown
    assert "(10, 24) ConversionLoss(clipped=1, cut=0, moved=3, largest_move=0.0004)" in shown
    assert "[[0 1 0 1 0 0]\n [0 0 1 0 1 0]]\n[1 4 8]\n[7 4 0]\n" in shown


def test_page_on_training_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for code in re.findall(
        r"^```python\n(.*?)^```", read_page("training"), re.MULTILINE | re.DOTALL
    ):
        exec(code, names)
    first, kernels, accuracy = capsys.readouterr().out.rsplit("\n", 3)[:3]
    assert first == "4 True\n4"
    assert kernels == "[(4, 4, 4), (8, 2, 2), 2]"
    assert float(accuracy) > 0.9
