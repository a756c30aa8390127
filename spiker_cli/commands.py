"""The subcommands, in the order in which help lists them. Each loads what it needs as it runs."""

from . import hardware, measures, networks
from .app import app

__all__ = ["COMMANDS", "app"]

COMMANDS = {
    "demo": networks.demo,
    "train": networks.train,
    "import": networks.import_,
    "quantize": networks.quantize,
    "compare": networks.compare,
    "prune": networks.prune,
    "info": networks.info,
    "simulate": measures.simulate,
    "timing": measures.timing,
    "energy": measures.energy,
    "serve": hardware.serve,
    "emit": hardware.emit,
    "build": hardware.build,
    "program": hardware.program,
    "load": hardware.load,
    "boards": hardware.boards,
}

for name, command in COMMANDS.items():
    app.command(name)(command)
