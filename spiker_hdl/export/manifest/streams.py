"""The streams of an emitted design, as its manifest describes them."""

from collections.abc import Mapping
from typing import Any

from spiker_hdl.link.axi.accelerator import FramedResult, tdata_width
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.model import Input
from spiker_hdl.model.mapping.reload import ADDRESS, DATA, MEMORY, stores, structure
from spiker_hdl.payloads.fields import fault_field, fields_of
from spiker_hdl.rtl import Accelerator

from .meanings import beat_order, beat_timing, result_meanings, score_meaning

__all__ = ["input_stream", "load_stream", "result_stream"]


def input_stream(
    accelerator: Accelerator, node: Input, ports: Mapping[str, str], axis: AxiTop | None
) -> dict[str, Any]:
    """Describe the stream by which samples enter at an input."""
    form = accelerator.mapping.form
    return {
        "direction": "in",
        "input": node.name,
        "channels": node.size,
        "value_range": [node.low, node.high],
        "static": node.static,
        "form": form,
        "order": beat_order(accelerator, node, axis is not None),
        "timing": beat_timing(form),
        **_stream(
            accelerator,
            accelerator.ports[node.name],
            ports,
            axis.inner.ports[node.name] if axis else "",
        ),
    }


def result_stream(
    accelerator: Accelerator, ports: Mapping[str, str], axis: AxiTop | None
) -> dict[str, Any]:
    """Describe the stream by which results leave."""
    network = accelerator.network
    order = "One beat is one sample's result."
    if axis:
        order += " The beat is a packet of its own: `tlast` is always 1."
    return {
        "direction": "out",
        "order": order,
        "timing": (
            "Valid and payload come from registers. A result that waits to be taken stops no "
            "other stream until the result queue is full."
        ),
        **_stream(accelerator, "o", ports, "m_axis" if axis else ""),
        "meaning": result_meanings(
            axis is not None,
            any(
                population.neuron.emits and not population.neuron.spiking
                for population in network.populations
            ),
        ),
        "readouts": [
            {
                "name": readout.name,
                "field": f"answers.{accelerator.readout_names[readout.name]}",
                "population": readout.population,
                "kind": readout.kind,
                "scores": score_meaning(readout),
                **({} if readout.groups is None else {"groups": readout.groups}),
            }
            for readout in network.readouts
        ],
        "counts": [
            {"name": name, "field": f"counts.{accelerator.names[name]}"}
            for name in accelerator.counters
        ],
    }


def load_stream(accelerator: Accelerator, ports: Mapping[str, str]) -> dict[str, Any]:
    """Describe the stream that writes weights and parameters of another network to memories."""
    network, mapping = accelerator.network, accelerator.mapping
    return {
        **_stream(accelerator, "load", ports, ""),
        "structure_sha256": structure(network, mapping),
        "kinds": {"word": DATA, "memory": MEMORY, "row": ADDRESS},
        "order": (
            "A beat of kind `memory` selects a memory by its number, a beat of kind `row` selects "
            "the first row to write, and beats of kind `word` follow: the words of a row from its "
            "lowest bits on, and row after row."
        ),
        "timing": "A beat is transferred in every cycle while no sample is inside.",
        "memories": [
            {
                "number": store.number,
                "population": store.population,
                "contents": store.part,
                "bank": store.bank,
                "width": store.width,
                "rows": store.depth,
                "words_per_row": store.slices,
                "word_width": store.granule,
            }
            for store in stores(network, mapping)
        ],
    }


def _stream(
    accelerator: Accelerator, name: str, ports: Mapping[str, str], axis: str
) -> dict[str, Any]:
    """Return the ports, the width and the fields of a stream, of AXI if ``axis`` names it there."""
    layout = getattr(accelerator, name).p.shape()
    fields = list(fields_of(layout))
    if axis and name == "o":
        layout = FramedResult(accelerator)
        fields.append(fault_field(accelerator))
    if not axis:
        return {
            **{part: ports[f"{name}__{part}"] for part in ("payload", "valid", "ready")},
            "width": layout.size,
            "fields": [field.to_json() for field in fields],
        }
    return {
        **{part: ports[f"{axis}__{part}"] for part in ("tdata", "tlast", "tvalid", "tready")},
        "width": tdata_width(layout),
        # AXI has a port of its own for `last`.
        "fields": [field.to_json() for field in fields if field.name != "last"],
    }
