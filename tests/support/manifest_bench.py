"""A Verilog test bench that is written from a manifest alone, and its samples."""

import json
import subprocess
from pathlib import Path

__all__ = ["ManifestBench"]


class ManifestBench:
    """Drive an emitted design with plain streams, with nothing but its manifest."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.manifest = json.loads((directory / "manifest.json").read_text())
        streams = self.manifest["streams"]
        self.inputs = {
            stream["input"]: stream for stream in streams.values() if stream["direction"] == "in"
        }
        (self.result,) = [stream for stream in streams.values() if stream["direction"] == "out"]
        self.fields = {field["name"]: field for field in self.result["fields"]}

    def beats(self, name, sample):
        """Return the payloads of a sample, an array of (steps, channels)."""
        stream = self.inputs[name]
        fields = {field["name"]: field for field in stream["fields"]}
        beats = []
        for n, step in enumerate(sample.tolist()):
            repeated = stream["static"] and n > 0
            if stream["form"] == "words":
                values = fields["values"]
                words = 1 if repeated else -(-stream["channels"] // values["count"])
                for k in range(words):
                    part = step[k * values["count"] : (k + 1) * values["count"]]
                    part = [0] * len(part) if repeated else part
                    beats.append(self._array(values, part))
            else:
                for address, value in enumerate([] if repeated else step):
                    if value:
                        beats.append(
                            self._put(fields["address"], address)
                            | self._put(fields["value"], value)
                        )
                beats.append(self._put(fields["end"], 1))
        beats[-1] |= self._put(fields["last"], 1)
        return beats

    def _array(self, field, values):
        return sum(
            self._put(field | {"offset": field["offset"] + n * field["width"]}, value)
            for n, value in enumerate(values)
        )

    @staticmethod
    def _put(field, value):
        return (value & (1 << field["width"]) - 1) << field["offset"]

    def run(self, samples, count):
        """Send samples by input, without gaps; return the values of each result, by field."""
        lines = [f"reg {self.manifest['clock']['port']} = 0;"]
        clock, reset = self.manifest["clock"]["port"], self.manifest["reset"]["port"]
        lines += [f"reg {reset} = 1;", f"always #5 {clock} = !{clock};"]
        ports = [f".{clock}({clock})", f".{reset}({reset})"]
        for name, stream in self.inputs.items():
            beats = [beat for sample in samples[name] for beat in self.beats(name, sample)]
            width, stem = stream["width"], stream["payload"]
            file = self.directory / f"{stem}.mine"
            file.write_text("".join(f"{beat:x}\n" for beat in beats))
            lines += [
                f"reg [{width - 1}:0] {stem}_m [0:{len(beats) - 1}]; integer {stem}_n = 0;",
                f'initial $readmemh("{file}", {stem}_m);',
                f"wire {stem}_v = !{reset} && {stem}_n < {len(beats)}; wire {stem}_r;",
                f"always @(posedge {clock}) if ({stem}_v && {stem}_r) {stem}_n <= {stem}_n + 1;",
            ]
            ports += [f".{stream['payload']}({stem}_m[{stem}_n])", f".{stream['valid']}({stem}_v)"]
            ports += [f".{stream['ready']}({stem}_r)"]
        out = self.result
        lines += [
            f"wire [{out['width'] - 1}:0] p; wire v; integer done = 0; integer ticks = 0;",
            f"always @(posedge {clock}) begin ticks <= ticks + 1; {reset} <= ticks < 2;",
            f'if (!{reset} && v) begin $display("%h", p); done = done + 1; end',
            f"if (done == {count} || ticks > 1000000) $finish(0); end",
        ]
        ports += [f".{out['payload']}(p)", f".{out['valid']}(v)", f".{out['ready']}(1'b1)"]
        lines.append(f"{self.manifest['top']} dut ({', '.join(ports)});")
        bench = self.directory / "mine.v"
        bench.write_text("module mine;\n" + "\n".join(lines) + "\nendmodule\n")
        design = self.directory / f"{self.manifest['top']}.v"
        path = self.directory / "mine.vvp"
        subprocess.run(["iverilog", "-g2005", "-s", "mine", "-o", path, bench, design], check=True)
        done = subprocess.run(["vvp", "-n", path], check=True, capture_output=True, text=True)
        return [self._fields(int(line, 16)) for line in done.stdout.split()]

    def _fields(self, payload):
        fields = {}
        for name, field in self.fields.items():
            values = []
            for n in range(field.get("count", 1)):
                low = field["offset"] + n * field["width"]
                value = payload >> low & (1 << field["width"]) - 1
                if field["signed"] and value >> field["width"] - 1:
                    value -= 1 << field["width"]
                values.append(value)
            fields[name] = values if "count" in field else values[0]
        return fields
