"""A self-checking test bench in Verilog."""

from collections.abc import Mapping
from string import Template

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.model.mapping.reload import LOAD_BITS
from spiker_hdl.rtl import Accelerator

from .common import Check, checks_of, connections, feeds_of, substitutes

__all__ = ["verilog_bench"]

_BENCH = Template("""\
// Runs the samples in vectors/ through $top and compares every result.
//
// Prints "PASS <n> samples", with the number of generated samples apart, and ends with status 0; or
// prints "FAIL", the sample, the field, the expected and the actual value, and ends with another
// status. From this directory:
//
//   iverilog -g2005 -o sim.vvp $top.v $bench.v && vvp -n sim.vvp
//
// +samples=<n>     stop after n samples
// +stalls=<seed>   pause every stream at random (cycles are then not compared)
// +back_to_back    offer samples without waiting for results (cycles are then not compared);
//                  otherwise each sample is offered once the accelerator is idle
// +vcd=<file>      write the waveforms of all signals

`timescale 1ns / 1ps

module $bench;
  localparam SAMPLES = $samples;
  localparam USER_SAMPLES = $user_samples;  // the samples after these are generated
  localparam TIMED = $timed;  // number of samples whose cycles are known
  localparam TIMEOUT = $timeout;  // cycles without a result after which something is wrong

  reg clk = 0;
  reg rst = 1;
  always #5 clk = !clk;

  integer samples = SAMPLES;
  integer stalls = 0;
  reg back_to_back = 0;
  integer done = 0;  // results so far
  integer started = 0;  // samples that may have begun
  integer quiet = 0;  // cycles since the last result
  integer ticks = 0;
  integer n;
  reg failed = 0;
  reg [31:0] noise = 1;  // random number that decides which streams pause
  reg [8 * 256:1] file;

  reg [$high:0] expected [0:SAMPLES-1];
  reg [$high:0] expected_result;
  reg [$high:0] previous_payload = 0;
  reg stalled = 0;  // a result was offered and not taken
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
    // A random number of 0 would stay 0 for ever.
    if (stalls != 0) noise = stalls;
    if ($$value$$plusargs("vcd=%s", file)) begin
      $$dumpfile(file);
      $$dumpvars(0, $bench);
    end
  end

  // One step of a xorshift generator: the same numbers in every simulator.
  function [31:0] shuffled(input [31:0] x);
    begin
      shuffled = x ^ (x << 13);
      shuffled = shuffled ^ (shuffled >> 17);
      shuffled = shuffled ^ (shuffled << 5);
    end
  endfunction

  // Reset lasts for the first cycles. Unless samples are offered back to back, one starts when the
  // result of the one before has been taken and nothing of it is inside: so its cycles are those of
  // a sample on its own.
  always @(posedge clk) begin
    ticks <= ticks + 1;
    rst <= ticks < 3;
    noise <= shuffled(noise);
    if (!rst && (back_to_back || (idle && !o_valid && started == done))) started <= started + 1;
  end
$sources
  // Results: each is compared in the cycle in which it is transferred.
  always @(posedge clk) if (!rst && !failed) begin
    quiet <= quiet + 1;
    // Until a result is taken, valid and payload must stay as they are.
    stalled <= o_valid && !o_ready;
    previous_payload <= o_payload;
    if (stalled && (o_valid !== 1 || o_payload !== previous_payload)) begin
      failed = 1;
      $$display("FAIL sample %0d: result must stay until it is taken", done);
    end
    if (o_valid === 1 && o_ready) begin
      quiet <= 0;
      if (done == samples) begin
        failed = 1;
        $$display("FAIL: more than %0d results", samples);
      end else begin
        expected_result = expected[done];
$checks        done <= done + 1;
      end
    end
    if (done < samples && quiet > TIMEOUT) begin
      failed = 1;
      $$display("FAIL sample %0d: no result in %0d cycles", done, quiet);
    end
    if (failed) begin
      $$fatal;
    // Behind the last result, a while without another one must pass.
    end else if (done == samples && quiet > 99) begin
      if (samples > USER_SAMPLES && USER_SAMPLES > 0)
        $$display("PASS %0d samples and %0d generated samples", USER_SAMPLES,
                  samples - USER_SAMPLES);
      else if (samples > USER_SAMPLES) $$display("PASS %0d samples, all generated", samples);
      else $$display("PASS %0d samples", samples);
      $$finish(0);
    end
  end
endmodule
""")

_DECLARATIONS = Template("""
  // Input $label.
  reg [$width:0] ${port}_beats [0:$last];  // the highest bit marks a sample's last beat
  reg [$high:0] ${port}_payload = 0;
  reg ${port}_valid = 0;
  wire ${port}_ready;
  integer ${port}_next = 0;
  integer ${port}_sample = 0;
""")

_SOURCE = Template("""
  // Input $label: a beat is offered, with valid and payload unchanged, until it is transferred. The
  // source pauses between beats alone, and goes on to a sample once that may start.
  always @(posedge clk) if (!rst) begin
    if (${port}_valid && ${port}_ready) begin
      if (${port}_beats[${port}_next][$width]) ${port}_sample = ${port}_sample + 1;
      ${port}_next = ${port}_next + 1;
      ${port}_valid <= 0;
    end
    if ((!${port}_valid || ${port}_ready) && ${port}_sample < samples
        && ${port}_sample < started && (stalls == 0 || noise[$bit])) begin
      ${port}_payload <= ${port}_beats[${port}_next][$high:0];
      ${port}_valid <= 1;
    end
  end
""")

_CHECK = Template("""\
        for (n = 0; n < $count; n = n + 1)
          if ($condition!failed
              && o_payload[$at +: $width] !== expected_result[$at +: $width]) begin
            failed = 1;
            $$display("FAIL sample %0d: $label: expected %0d, found %0d", done,$index
                      $sign(expected_result[$at +: $width]), $sign(o_payload[$at +: $width]));
          end
""")


def verilog_bench(
    accelerator: Accelerator, vectors: Vectors, *, top: str, ports: Mapping[str, str], dut: str = ""
) -> str:
    """Return a test bench in Verilog-2001 (and ``$fatal``, which simulators of today know).

    Parameters
    ----------
    accelerator : Accelerator
        The accelerator that is tested.
    vectors : Vectors
        Samples and expected results.
    top : str
        Name of its topmost module.
    ports : mapping of str to str
        Name of each port in Verilog, by its name in Amaranth.
    dut : str, optional
        Name of an adapter around it, which then has these ports.
    """
    feeds = [*feeds_of(accelerator, vectors)]
    ties = {"payload": f"{LOAD_BITS}'d0", "valid": "1'b0", "ready": ""}
    return _BENCH.substitute(
        substitutes(vectors, top, ports, dut),
        declarations="".join(_DECLARATIONS.substitute(feed.substitutes) for feed in feeds),
        connections=connections(accelerator, vectors, ports, "    .{port}({signal}),\n", ties),
        reads="".join(
            f'    $readmemh("vectors/{feed.port}.hex", {feed.port}_beats);\n' for feed in feeds
        ),
        sources="".join(_SOURCE.substitute(feed.substitutes) for feed in feeds),
        checks="".join(map(_check, checks_of(accelerator, vectors))),
    )


def _check(check: Check) -> str:
    field = check.field
    label = f"{check.what} %0d" if field.count else check.what
    return _CHECK.substitute(
        count=max(1, field.count),
        condition="done < TIMED && stalls == 0 && !back_to_back && " if check.timed else "",
        at=f"{field.offset} + {field.width} * n",
        width=field.width,
        label=f"{label} of {check.node}" if check.node else label,
        index=" n," if field.count else "",
        sign="$signed" if field.signed else "$unsigned",
    )
