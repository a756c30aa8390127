"""Tests of the recipe for known data sets: what its report has of every stage."""

import numpy as np

from spiker_train import Dataset, train_network


def test_the_report_has_every_stage_of_training():
    x = np.zeros((60, 2, 8), np.uint8)
    y = np.arange(60) % 2
    x[y == 0, 0] = x[y == 1, 1] = 200  # a bright row above, or below
    data = Dataset(x[:40], y[:40], x[40:], y[40:], name="rows")
    network, report = train_network(data, "16-6-2", epochs=2, progress=False)
    assert report["accuracy"].keys() == {"float", "rounded", "integers"}
    assert report["validation"].keys() == {"float", "integers"}
    shares = [*report["accuracy"].values(), *report["validation"].values()]
    assert min(shares) >= 0
    assert max(shares) <= 1
    assert (report["data"], report["layers"], report["epochs"]) == ("rows", "16-6-2", [1, 1])
    assert report["quantization"]["widths"] == {"hidden": 8, "output": 8}
    assert [population.size for population in network.populations] == [6, 2]
    assert dict(network.notes) == {"data": "rows", "encoder": "rate", "seed": "0", "steps": "4"}
