"""`spiker train`: train on a data set, in the integers that ship, and save the network."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from spiker_cli.support.files import check_output
from spiker_cli.support.terminal import say, table, write_json
from spiker_hdl.base.checks import check_choice, check_int
from spiker_hdl.model import READOUTS, Network, encoders
from spiker_train.data.images import Dataset, load_dataset

__all__ = ["EPOCHS", "STEPS", "bits", "sizes", "train", "train_quietly"]

STEPS, EPOCHS = 2**16 - 1, 10**6


def train(
    data: str,
    net: str,
    steps: int,
    weights: str,
    potentials: str,
    seed: int,
    encoder: str,
    static: bool,
    readout: str,
    epochs: int | None,
    picture: str | None,
    threads: int,
    output: Path,
    json: Path | None,
) -> int:
    """Train a network, save it, report, and return the exit code."""
    check_output(output, "Output")
    check_output(json, "--json")
    encoders.encoder_of(encoder)
    if not 1 <= steps <= STEPS:
        raise ValueError(f"Steps must be 1 to {STEPS}, not {steps}")
    check_choice("Readout kind", readout, READOUTS)
    if epochs is not None:
        check_int("Epochs", epochs, 2, EPOCHS)
    layers = sizes(net)
    widths = {
        "weights": bits("Weight bits", weights, ("ternary",)),
        "potentials": bits("Potential bits", potentials),
    }
    command = ["spiker", "train", Path(data).name, "--net", net, "--steps", str(steps)]
    command += ["--weights", weights, "--potentials", potentials, "--seed", str(seed)]
    command += ["--encoder", encoder, *(["--static"] if static else [])]
    if readout != "last":
        command += ["--readout", readout]
    if epochs is not None:
        command += ["--epochs", str(epochs)]
    if picture is not None:
        command += ["--picture", picture]
    if threads != 1:
        command += ["--threads", str(threads)]
    command += ["-o", output.name]
    network, report = train_quietly(
        load_dataset(data),
        layers,
        threads,
        steps=steps,
        **widths,
        seed=seed,
        encoder=encoder,
        static=static,
        epochs=epochs,
        readout=readout,
        picture=_sides(picture),
    )
    network = replace(network, notes={**network.note, "command": shlex.join(command)})
    network.save(output)
    report |= {"output": str(output), "digest": network.digest, "weight_bits": network.weight_bits}
    if not write_json(json, report):
        found = report["accuracy"]
        table(
            str(output),
            [
                ("accuracy in real numbers", f"{found['float']:.2%}"),
                ("rounded to integers", f"{found['rounded']:.2%}"),
                ("trained in integers", f"{found['integers']:.2%}"),
                ("spikes a sample", ", ".join(f"{n} {s:.0f}" for n, s in report["spikes"].items())),
                ("weights", f"{network.weight_bits:,} bits"),
                (
                    "pictures shifted",
                    f"by up to {report['shift']} pixels" if report["shift"] else "no",
                ),
                ("seconds", report["seconds"]),
                *(("warning", f"{one} (--picture 28x28)") for one in report["warnings"]),
                *(("warning", one) for one in report["quantization"]["warnings"]),
            ],
        )
    return 0


def _sides(picture: str | None) -> tuple[int, int] | None:
    if picture is None:
        return None
    high, _, wide = picture.partition("x")
    if not (high.isdecimal() and wide.isdecimal() and len(picture) < 12):
        raise ValueError(f"--picture must be a height and a width such as 28x28, not {picture!r}")
    return int(high), int(wide)


def train_quietly(
    data: Dataset, layers: list[int], threads: int, **options: Any
) -> tuple[Network, dict[str, Any]]:
    """Train with a fixed number of threads, on which the last bits of sums depend."""
    import torch  # seconds to load: only once all arguments are known to be good

    from spiker_train import Quantization, train_network

    if not 1 <= threads <= 256:
        raise ValueError(f"Threads must be 1 to 256, not {threads}")
    Quantization(options["weights"], options["potentials"])
    torch.set_num_threads(threads)
    net = "-".join(map(str, layers))
    say(f"Training {net} on {data.name}: in real numbers, then in the integers that ship")
    return train_network(data, net, progress=sys.stdout.isatty(), **options)


def sizes(net: str) -> list[int]:
    """Read sizes of layers, such as ``"784-128-10"``."""
    parts = net.split("-")
    if len(parts) < 2 or not all(
        one.isascii() and one.isdecimal() and len(one) < 8 and int(one) for one in parts
    ):
        raise ValueError(f"--net must be sizes such as 784-128-10, not {net!r}")
    return [int(one) for one in parts]


def bits(what: str, given: str, words: tuple[str, ...] = ()) -> Any:
    """Read bits: ``"4"``, ``"ternary"``, or by layer ``"hidden=4,output=6"``."""
    if "=" not in given:
        return _bits(what, given, given, words)
    found = {}
    for one in given.split(","):
        name, _, value = one.partition("=")
        found[name.strip()] = _bits(what, value.strip(), given, words)
    return found


def _bits(what: str, value: str, given: str, words: tuple[str, ...]) -> int | str:
    if value in words:
        return value
    if not (value.isascii() and value.isdecimal()) or len(value) > 4:
        raise ValueError(f"{what} must be such as 4 or hidden=4,output=6, not {given!r}")
    return int(value)
