# amaranth: UnusedElaboratable=no

"""VHDL of components against Amaranth's simulator."""

from time import process_time

import pytest

from spiker_hdl import load
from spiker_hdl.hdl.vhdl.convert import to_vhdl
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator

from support.designs import DESIGNS, Nest, design_of
from support.ghdl import Design, cosimulate, ghdl, needs_ghdl
from support.places import ROOT

MNIST = ROOT / "networks" / "mnist.spiker"


@needs_ghdl
@pytest.mark.parametrize("name", DESIGNS)
def test_behaves_as_simulated(name, tmp_path):
    cosimulate(tmp_path, [design_of(name)], cycles=400)


@needs_ghdl
def test_files_can_be_analysed_in_order(tmp_path):
    files = to_vhdl(Nest(), name="nest", split=True)
    assert "\n".join(files.values()) == to_vhdl(Nest(), name="nest")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        ghdl("-a", "--std=08", name, cwd=tmp_path)
    ghdl("-e", "--std=08", "nest", cwd=tmp_path)


@needs_ghdl
def test_an_accelerator_behaves_as_simulated(tmp_path):
    network = load(ROOT / "tests" / "golden" / "random_1.spiker")
    design = Design("accelerator", Accelerator(network), resets=0)
    cosimulate(tmp_path, [design], cycles=200)


@needs_ghdl
@pytest.mark.slow
@pytest.mark.parametrize("lanes", [128, 1])
def test_mnist_behaves_as_simulated(lanes, tmp_path):
    network = load(MNIST)
    dut = Accelerator(network, Mapping.folded(network, lanes=lanes))
    cosimulate(tmp_path, [Design("mnist", dut, resets=0)], cycles=500)


@pytest.mark.slow
def test_mnist_is_written_in_time():
    dut = Accelerator(load(MNIST))
    start = process_time()
    text = to_vhdl(dut, name="mnist")
    assert process_time() - start <= 5
    assert text.count("entity mnist is") == 1
