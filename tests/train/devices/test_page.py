"""Tests of the page on devices: its code runs."""

import json
import re

from support.places import ROOT, read_page


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


def test_tables_of_the_page_are_the_results():
    results = json.loads((ROOT / "benchmarks/results/devices.json").read_text())["mnist"]
    page = read_page("devices")
    rows = [results["ideal"], results["yield"]]
    pairs = [(rows[0]["usual"], rows[0]["noise-aware"])]
    pairs += [(rows[1]["usual"]["yield"][0], rows[1]["noise-aware"]["yield"][0])]
    for study, x, names in (
        *(("noise", x, ("usual", "noise-aware")) for x in ("0.05", "0.1", "0.2")),
        *(("stuck", x, ("usual", "retrained")) for x in ("0.01", "0.1", "0.4")),
    ):
        pairs.append(tuple(results[study][f"{name}, {x}"]["mean"][0] for name in names))
    for n in (0, 4, 7):
        names = ("no compensation", "compensation")
        pairs.append(tuple(results["time"][name]["mean"][n] for name in names))
    assert len(pairs) == 11
    for first, second in pairs:
        assert f"| {first:.1%} | {second:.1%} |" in page
