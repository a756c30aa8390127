"""A self-checking test bench in Verilog."""

from collections.abc import Mapping
from string import Template

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.model.mapping.reload import LOAD_BITS
from spiker_hdl.rtl import Accelerator

from .common import Check, bench_name, checks_of, feeds_of

__all__ = ["verilog_bench"]

_BENCH = Template("""\
// Runs the samples in vectors/ through $top and compares every result.
//
// Prints "PASS <n> samples", and how many were made up beside these, and ends with status 0; or
// prints "FAIL", the sample, the field, what was expected and what was found, and ends with
// another. From this directory:
//
//   iverilog -g2005 -o sim.vvp $top.v $bench.v && vvp -n sim.vvp
//
// +samples=<n>     stop after n samples
// +stalls=<seed>   pause at random on every stream (cycles are then not compared)
// +back_to_back    offer samples without waiting for results (cycles are then not compared);
//                  otherwise each is offered once all has come to rest
// +vcd=<file>      write the waveforms of all signals

`timescale 1ns / 1ps

module $bench;
  localparam SAMPLES = $samples;
  localparam GIVEN = $given;  // the samples behind these are made up
  localparam TIMED = $timed;  // of how many samples the cycles are known
  localparam TIMEOUT = $timeout;  // cycles without a result after which something is wrong

  reg clk = 0;
  reg rst = 1;
  always #5 clk = !clk;

  integer samples = SAMPLES;
  integer stalls = 0;
  reg back_to_back = 0;
  integer done = 0;  // results so far
  integer open = 0;  // samples that may have begun
  integer quiet = 0;  // cycles since something happened
  integer ticks = 0;
  integer n;
  reg failed = 0;
  reg [31:0] noise = 1;  // decides who pauses
  reg [8 * 256:1] file;

  reg [$high:0] expected [0:SAMPLES-1];
  reg [$high:0] wanted;
  reg [$high:0] earlier = 0;
  reg held = 0;
  wire [$high:0] o_payload;
  wire o_valid;
  wire o_ready = !rst && (stalls == 0 || noise[31]);
  wire idle;
$declarations
  $dut dut (
    .clk(clk),
    .rst(rst),
$connections    .o_payload(o_payload),
    .o_valid(o_valid),
    .o_ready(o_ready),
    .$idle(idle)
  );

  initial begin
    $$readmemh("vectors/expected.hex", expected);
$reads    if (!$$value$$plusargs("samples=%d", samples) || samples > SAMPLES) samples = SAMPLES;
    if (!$$value$$plusargs("stalls=%d", stalls)) stalls = 0;
    back_to_back = $$test$$plusargs("back_to_back");
    if (stalls != 0) noise = stalls;
    if ($$value$$plusargs("vcd=%s", file)) begin
      $$dumpfile(file);
      $$dumpvars(0, $bench);
    end
  end

  function [31:0] shuffled(input [31:0] x);
    begin
      shuffled = x ^ (x << 13);
      shuffled = shuffled ^ (shuffled >> 17);
      shuffled = shuffled ^ (shuffled << 5);
    end
  endfunction

  always @(posedge clk) begin
    ticks <= ticks + 1;
    rst <= ticks < 3;
    noise <= shuffled(noise);
    if (!rst && (back_to_back || (idle && !o_valid && open == done))) open <= open + 1;
  end
$sources
  // Results.
  always @(posedge clk) if (!rst && !failed) begin
    quiet <= quiet + 1;
    held <= o_valid && !o_ready;
    earlier <= o_payload;
    if (held && (o_valid !== 1 || o_payload !== earlier)) begin
      failed = 1;
      $$display("FAIL sample %0d: result must stay until it is taken", done);
    end
    if (o_valid === 1 && o_ready) begin
      quiet <= 0;
      if (done == samples) begin
        failed = 1;
        $$display("FAIL: more than %0d results", samples);
      end else begin
        wanted = expected[done];
$checks        done <= done + 1;
      end
    end
    if (done < samples && quiet > TIMEOUT) begin
      failed = 1;
      $$display("FAIL sample %0d: no result in %0d cycles", done, quiet);
    end
    if (failed) begin
      $$fatal;
    end else if (done == samples && quiet > 99) begin
      if (samples > GIVEN && GIVEN > 0)
        $$display("PASS %0d samples and %0d that are made up", GIVEN, samples - GIVEN);
      else if (samples > GIVEN) $$display("PASS %0d samples that are made up", samples);
      else $$display("PASS %0d samples", samples);
      $$finish(0);
    end
  end
endmodule
""")

_DECLARATIONS = Template("""
  // Input $label.
  reg [$width:0] ${port}_beats [0:$last];  // each with a mark of the sample's end on top
  reg [$high:0] ${port}_payload = 0;
  reg ${port}_valid = 0;
  wire ${port}_ready;
  integer ${port}_next = 0;
  integer ${port}_sample = 0;
""")

_SOURCE = Template("""
  // A beat is offered until it is taken.
  always @(posedge clk) if (!rst) begin
    if (${port}_valid && ${port}_ready) begin
      if (${port}_beats[${port}_next][$width]) ${port}_sample = ${port}_sample + 1;
      ${port}_next = ${port}_next + 1;
      ${port}_valid <= 0;
    end
    if ((!${port}_valid || ${port}_ready) && ${port}_sample < samples
        && ${port}_sample < open && (stalls == 0 || noise[$bit])) begin
      ${port}_payload <= ${port}_beats[${port}_next][$high:0];
      ${port}_valid <= 1;
    end
  end
""")

_CHECK = Template("""\
        for (n = 0; n < $count; n = n + 1)
          if ($condition!failed && o_payload[$at +: $width] !== wanted[$at +: $width]) begin
            failed = 1;
            $$display("FAIL sample %0d: $label: expected %0d, found %0d", done,$index
                      $sign(wanted[$at +: $width]), $sign(o_payload[$at +: $width]));
          end
""")


def verilog_bench(
    accelerator: Accelerator, vectors: Vectors, *, top: str, ports: Mapping[str, str], dut: str = ""
) -> str:
    """Return a test bench in Verilog-2001 (and ``$fatal``, which simulators of today know).

    Parameters
    ----------
    accelerator : Accelerator
        What is tested.
    vectors : Vectors
        With what.
    top : str
        Name of its module.
    ports : mapping of str to str
        Name of each port in Verilog, by its name in Amaranth.
    dut : str, optional
        Module around it with these ports, where it has others.
    """
    declarations, connections, reads, sources = "", "", "", ""
    for feed in feeds_of(accelerator, vectors):
        port = feed.port
        at = {
            "port": port,
            "label": feed.label,
            "width": feed.width,
            "high": feed.width - 1,
            "last": feed.beats - 1,
            "bit": feed.noise,
        }
        declarations += _DECLARATIONS.substitute(at)
        sources += _SOURCE.substitute(at)
        reads += f'    $readmemh("vectors/{port}.hex", {port}_beats);\n'
        for one in ("payload", "valid", "ready"):
            connections += f"    .{ports[f'{port}__{one}']}({port}_{one}),\n"
    if accelerator.mapping.writable:
        ties = {"payload": f"{LOAD_BITS}'d0", "valid": "1'b0", "ready": ""}
        for one, level in ties.items():
            connections += f"    .{ports[f'load__{one}']}({level}),\n"
    return _BENCH.substitute(
        top=top,
        dut=dut or top,
        bench=bench_name(top),
        idle=ports["idle"],
        samples=vectors.samples,
        given=vectors.given,
        timed=vectors.timed,
        timeout=vectors.timeout,
        high=vectors.width - 1,
        declarations=declarations,
        connections=connections,
        reads=reads,
        sources=sources,
        checks="".join(map(_check, checks_of(accelerator, vectors))),
    )


def _check(check: Check) -> str:
    field = check.field
    what = f"{check.what} %0d" if field.count else check.what
    return _CHECK.substitute(
        count=max(1, field.count),
        condition="done < TIMED && stalls == 0 && !back_to_back && " if check.timed else "",
        at=f"{field.offset} + {field.width} * n",
        width=field.width,
        label=f"{what} of {check.of}" if check.of else what,
        index=" n," if field.count else "",
        sign="$signed" if field.signed else "$unsigned",
    )
