"""Tests of the lines that say how far long work is."""

from spiker_hdl.base.progress_lines import ProgressLines


def test_a_line_comes_now_and_then(capsys):
    seconds = iter([100, 110, 130, 131, 161, 200])
    lines = ProgressLines("epochs", 1000, clock=lambda: next(seconds))
    lines.advance()  # after 10 s
    lines.advance(199)  # after 30 s
    lines.advance(50)
    lines.advance(50)  # after 61 s
    lines.advance(700)  # the end needs no line
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "epochs: 200 of 1,000 after 30 s, about 120 s left",
        "epochs: 300 of 1,000 after 61 s, about 142 s left",
    ]


def test_short_work_is_silent(capsys):
    lines = ProgressLines("draws", 3)
    for _ in range(3):
        lines.advance()
    assert capsys.readouterr().err == ""
