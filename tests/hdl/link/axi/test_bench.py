"""Tests of test benches that drive AXI, in both languages."""

import shutil
import subprocess
from dataclasses import replace
from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export import emit

from support.networks import random_mapping, random_network, random_spikes

TOOLS = {"verilog": "iverilog", "vhdl": "ghdl"}
HARDER = {
    "verilog": "+stalls=3 +back_to_back",
    "vhdl": "-gstalls=3 -gback_to_back=true",
}


def sim(directory, arguments=""):
    done = subprocess.run(
        ["make", "-s", "sim", f"ARGS={arguments}"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "language, seed",
    [
        *(pytest.param("verilog", seed, marks=pytest.mark.slow) for seed in range(1, 5)),
        *(pytest.param("vhdl", seed, marks=pytest.mark.slow) for seed in range(1, 3)),
    ],
)
def test_benches_compare_answers(language, seed, tmp_path):
    if not shutil.which(TOOLS[language]):
        pytest.skip(f"{TOOLS[language]} must be installed")
    random = Random(seed)
    network = random_network(random, neurons=(1, 10))
    stimulus = random_spikes(network, random, 3, (1, 6))
    mapping = random_mapping(network, random)
    options = {"language": language, "mapping": mapping, "ports": "axis", "samples": stimulus}
    expected = spiker_hdl.run(network, stimulus)
    # What is known of cycles without AXI is no part of what is compared.
    expected = replace(expected, cycles=np.full(3, 1))
    emit(network, tmp_path, expected=expected, **options, generated=0)
    for arguments in ("", HARDER[language]):
        code, output = sim(tmp_path, arguments)
        assert (code, "PASS 3 samples" in output) == (0, True), output
    expected.scores[1, 0] += -1 if expected.scores[1, 0] > 0 else 1
    emit(network, tmp_path, expected=expected, **options, generated=0)
    code, output = sim(tmp_path)
    assert code != 0
    assert "FAIL sample 1" in output
