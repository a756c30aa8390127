"""Tests of the drawings of the documentation: all can be made, and show what they say they show."""

import inspect
import re
from importlib import import_module
from pkgutil import walk_packages
from xml.etree import ElementTree

import pytest
from amaranth.lib import wiring
from drawings.connections import INPUTS, OUTPUTS, read_designs
from drawings.designs import make_network
from drawings.figures import component_designs, draw, names, waveform_of
from drawings.flow import FILE, draw_flow
from drawings.handshakes import SCENES
from drawings.house import floors, imports_of_rooms, rooms

from spiker_hdl import rtl
from spiker_hdl.model import Mapping

from support.places import ROOT

PARTS = {"Lanes"}
"""Classes that are never elaborated themselves, but only those that are derived from them."""


def test_drawings_are_well_formed():
    # Not a case for each: their names are known only once all designs are elaborated.
    for name in names():
        text = draw(name).svg()
        picture = ElementTree.fromstring(text)
        assert picture.find("{http://www.w3.org/2000/svg}title").text, name
        assert "nan" not in text, name
        assert all(float(size) > 0 for size in picture.get("viewBox").split()[2:]), name


def test_pages_show_drawings_that_exist():
    shown = {
        name
        for page in (ROOT / "docs").rglob("[!_]*.md")
        for name in re.findall(r"^```\{drawing\} (\S+)$", page.read_text(), re.MULTILINE)
    }
    assert "house" in shown
    assert shown <= {*names()}
    assert shown >= {f"timing/{name}" for name in SCENES}


# -- the packages --------------------------------------------------------------------------------


def test_each_room_lies_above_all_that_it_imports():
    heights, imports = floors(), imports_of_rooms()
    assert set(heights) == set(rooms()) == set(imports)
    assert all(heights[room] > heights[other] for room in imports for other in imports[room])
    assert heights["spiker_hdl.base"] == 0
    assert max(heights, key=lambda room: heights[room]) == "spiker_cli"


def test_rooms_are_the_packages_there_are():
    folders = {
        f"spiker_hdl.{file.parent.name}" for file in (ROOT / "spiker_hdl").glob("*/__init__.py")
    }
    assert {room for room in rooms() if room.startswith("spiker_hdl.")} == folders


# -- schematics ----------------------------------------------------------------------------------


def components_of(package):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        for name, value in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(value, wiring.Component) and value.__module__ == module.name:
                yield name


@pytest.mark.parametrize("package", ["spiker_hdl.rtl", "spiker_hdl.link"])
def test_every_component_has_a_schematic(package):
    results = {*components_of(import_module(package))} - PARTS
    assert len(results) > 10
    assert results <= component_designs().keys()


def test_schematic_of_a_queue_shows_its_stream_through_the_memory():
    (queue,) = read_designs(rtl.Queue(8, depth=4))
    assert queue.blocks.keys() == {INPUTS, OUTPUTS, "fifo"}
    assert queue.blocks[INPUTS].outputs["i"].width == 8
    assert queue.blocks[INPUTS].outputs["i"].stream
    joined = {
        (connection.source, connection.target): connection.direct
        for connection in queue.connections
    }
    assert joined[(INPUTS, "i"), ("fifo", "w_data")]
    assert joined[("fifo", "r_data"), (OUTPUTS, "o")]


def test_schematic_of_a_core_shows_what_is_in_it():
    network = make_network()
    core = rtl.PopulationCore(network, "hidden", mapping=Mapping.default(network))
    design = next(read_designs(core))
    kinds = {block.kind for block in design.blocks.values()}
    assert kinds >= {"EventMerger", "WeightMemory", "RingLanes", "UpdateSequencer", "NeuronUpdate"}
    joined = {(connection.source[0], connection.target[0]) for connection in design.connections}
    assert ("synapses", "accumulators") in joined
    assert ("accumulators", "neuron_update") in joined


# -- timing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
def test_scene_shows_each_stream_transfer(name):
    waveform = waveform_of(name)
    assert len({len(lane.seen) for lane in waveform.lanes}) == 1
    for label, moved in waveform.transfers.items():
        assert any(moved), label
    # Each lane but constants says something.
    moving = [lane for lane in waveform.lanes if len({*map(str, lane.seen)}) > 1]
    assert len(moving) >= 0.6 * len(waveform.lanes)


def test_result_of_the_drawn_sample_comes_after_the_cycles_that_it_names():
    waveform = waveform_of("sample")
    lanes = {lane.label: lane.seen for lane in waveform.lanes}
    first = waveform.transfers["i.p.values"].index(True)
    offered = lanes["o.valid"].index(1)
    assert lanes["o.p.cycles"][offered] == offered - first


def test_payload_is_held_until_it_is_taken():
    waveform = waveform_of("stream")
    lanes = {lane.label: lane.seen for lane in waveform.lanes}
    for port in ("i", "o"):
        for n, moved in enumerate(waveform.transfers[f"{port}.payload"][:-1]):
            if lanes[f"{port}.valid"][n] and not moved:
                assert lanes[f"{port}.valid"][n + 1]
                assert lanes[f"{port}.payload"][n + 1] == lanes[f"{port}.payload"][n]
    taken = {
        port: [
            payload
            for payload, moved in zip(
                lanes[f"{port}.payload"], waveform.transfers[f"{port}.payload"], strict=True
            )
            if moved
        ]
        for port in ("i", "o")
    }
    assert taken["i"] == taken["o"] == [0x11, 0x22, 0x33, 0x44]


# -- the README ----------------------------------------------------------------------------------


def test_picture_of_the_readme_is_the_one_that_is_drawn():
    assert FILE.read_text() == draw_flow().svg(), "run `python -m drawings.flow` in docs/"
