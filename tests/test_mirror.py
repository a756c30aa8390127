"""The tests stand where their modules stand: ``tests/hdl/rtl/test_x.py`` tests ``rtl/x.py``."""

import pytest

from support.places import ROOT

MIRRORED = {
    "tests/hdl": "spiker_hdl",
    "tests/train": "spiker_train",
    "tests/boards": "boards/spiker_boards",
    "tests/cli": "spiker_cli",
}

CROSS_CUTTING = {
    "tests/boards/test_bitstreams.py": "builds by the open tools, from the top to the bitstream",
    "tests/boards/test_boards_whole.py": "every board, from its pins",
    "tests/boards/test_loading.py": "weights that the host loads into a board as it runs",
    "tests/boards/test_maps.py": "boards that hold convolutional networks, from build to host",
    "tests/boards/test_mailbox.py": "a Zynq: gateware, mailbox and host",
    "tests/boards/test_values.py": "boards that make spikes themselves",
    "tests/cli/test_bad_arguments.py": "every parameter of every subcommand",
    "tests/cli/test_directories.py": "simulation of what was emitted",
    "tests/cli/test_help.py": "the help of every subcommand",
    "tests/cli/test_import.py": "import, quantize and compare, one after the other",
    "tests/cli/test_pages.py": "the commands that the pages show",
    "tests/hdl/export/netlist/test_block_rams.py": "models of block RAM, which are in Verilog",
    "tests/hdl/hdl/vhdl/test_random.py": "all parts of the VHDL writer, on random designs",
    "tests/hdl/hdl/vhdl/test_synthesis.py": "the VHDL of all parts, through GHDL's synthesis",
    "tests/hdl/link/axi/test_bench.py": "test benches that drive AXI, in both languages",
    "tests/hdl/link/axi/test_cocotb.py": "AXI by a model that is not ours",
    "tests/hdl/model/mapping/test_presets.py": "the named mappings, with what they cost",
    "tests/hdl/model/neurons/test_dendrite.py": "neurons whose output is a value, on every engine",
    "tests/hdl/model/test_doors.py": "integers as users have them, at every constructor",
    "tests/hdl/model/test_golden.py": "the reference against answers worked out elsewhere",
    "tests/hdl/model/test_notes.py": "notes, from the network to its file",
    "tests/hdl/model/test_uneven_windows.py": "answers every few steps, with samples that differ",
    "tests/hdl/model/rules/test_learning.py": "learning in integers, against a second way",
    "tests/hdl/rtl/test_late_reader.py": "the accelerator whose results are read late",
    "tests/hdl/test_convolutions.py": "kernels that are stored once, on every engine",
    "tests/hdl/test_lazy.py": "what importing loads",
    "tests/hdl/test_loading.py": "weights that are loaded, from the file to the memories",
    "tests/hdl/test_receptors.py": "neurons with several receptors, on every engine",
    "tests/hdl/test_static.py": "static inputs on every engine",
    "tests/train/devices/test_page.py": "the page on devices",
    "tests/train/devices/test_parts.py": "levels, curves, faults and pulses of devices",
    "tests/train/formats/nir/test_bad.py": "graphs that are refused, by whichever part",
    "tests/train/formats/nir/test_graphs.py": "graphs that are read, by all parts",
    "tests/train/formats/nir/test_snntorch.py": "graphs that snnTorch exports",
    "tests/train/formats/snntorch/test_forward.py": "modules with a forward of their own",
    "tests/train/formats/snntorch/test_tutorials.py": "the models of its tutorials",
    "tests/train/formats/test_quantized_layers.py": "layers that quantise, in all formats",
    "tests/train/network/runs/test_dendrites.py": "layers whose output is a value, in every run",
    "tests/train/plasticity/test_equations.py": "rules against their closed forms",
    "tests/train/plasticity/test_tensors.py": "rules on tensors against the reference",
    "tests/train/test_data_docs.py": "the pages on data and training",
    "tests/train/test_doors.py": "numbers as users have them, at every constructor",
    "tests/train/test_import_docs.py": "the pages on import",
    "tests/train/test_outside.py": "the comparison with other libraries",
    "tests/train/test_shipped.py": "the networks that ship",
    "tests/train/training/test_devices.py": "training with the weights that devices hold",
    "tests/train/training/test_gradients.py": "gradients of all operations and neurons",
}
"""Tests of more than one module, with what they test."""


def mirrored():
    """Return the tests in mirrored folders, with the place of their module without its ending."""
    pairs = []
    for tests, package in MIRRORED.items():
        for file in sorted((ROOT / tests).rglob("test_*.py")):
            inside = file.relative_to(ROOT / tests)
            name = inside.stem.removeprefix("test_")
            pairs.append((file.relative_to(ROOT).as_posix(), ROOT / package / inside.parent, name))
    return pairs


def has_module(folder, name):
    """Return whether a folder has a module or package of that name, or is the package itself."""
    named = (folder / f"{name}.py", folder / name / "__init__.py")
    return any(path.is_file() for path in named) or (folder.name == name and folder.is_dir())


@pytest.mark.parametrize("tests", MIRRORED)
def test_every_file_of_tests_has_its_module(tests):
    lost = [
        path
        for path, folder, name in mirrored()
        if path.startswith(f"{tests}/") and not has_module(folder, name)
    ]
    assert [path for path in lost if path not in CROSS_CUTTING] == []


def test_list_of_cross_cutting_tests_is_true():
    known = {path: has_module(folder, name) for path, folder, name in mirrored()}
    assert {path: known.get(path) for path in CROSS_CUTTING} == dict.fromkeys(CROSS_CUTTING, False)
