// What block RAMs of several vendors have in common: two ports on a memory of bytes with parity.
//
// Ports are 1, 2 or 4 bits wide, and then without parity; or 9, 18, 36 or 72. A width of 0 is no
// port. Addresses count bits without parity. Both ports have one clock: the models around this see
// to that. What vendors leave open is unknown (x): a read of what the other port is writing, unless
// that reads first. Both ports' writing the same bits ends the simulation.

`timescale 1ns / 1ps

module vendor_block_ram #(
  parameter BITS = 14,  // of an address
  parameter READ_A = 9,  // widths
  parameter WRITE_A = 9,
  parameter READ_B = 9,
  parameter WRITE_B = 9,
  parameter MODE_A = "no_change",  // when it writes it puts out: "no_change" | "write_first" |
  parameter MODE_B = "no_change",  // "read_first"
  parameter OLD_A = 0,  // whether the other port may read what this overwrites, if read_first
  parameter OLD_B = 0,
  parameter MERGE = 0,  // whether write_first reads the bytes that it does not write
  parameter OUTPUT_A = 0,  // whether there is a register behind the port
  parameter OUTPUT_B = 0,
  parameter [71:0] INITIAL_A = 0,
  parameter [71:0] INITIAL_B = 0,
  parameter [71:0] RESET_A = 0,
  parameter [71:0] RESET_B = 0
) (
  input clk,
  input enable_a, enable_b,
  input [BITS-1:0] address_a, address_b,
  input [7:0] write_a, write_b,  // by byte; narrower ports have the first
  input [71:0] data_a, data_b,
  input reset_a, reset_b,  // what was read
  input load_a, load_b,  // the output register
  input clear_a, clear_b,  // the output register
  output [71:0] out_a, out_b,
  output reading_a, reading_b  // this clock edge
);
  // Bytes of the widest port.
  localparam WIDEST = 72 * (READ_A == 72 || WRITE_A == 72 || READ_B == 72 || WRITE_B == 72)
      | 36 * (READ_A == 36 || WRITE_A == 36 || READ_B == 36 || WRITE_B == 36)
      | 18 * (READ_A == 18 || WRITE_A == 18 || READ_B == 18 || WRITE_B == 18);
  localparam BYTES = WIDEST >= 72 ? 8 : WIDEST >= 36 ? 4 : WIDEST >= 18 ? 2 : 1;

  reg [8:0] memory[0:(1<<BITS-3)-1];  // parity on top; filled by the model around this
  reg [71:0] latch_a = INITIAL_A;
  reg [71:0] latch_b = INITIAL_B;
  reg [71:0] register_a = INITIAL_A;
  reg [71:0] register_b = INITIAL_B;
  reg [71:0] old_a, old_b, own_a, own_b, other_a, other_b;

  wire writing_a = enable_a && |(write_a & bytes(WRITE_A));
  wire writing_b = enable_b && |(write_b & bytes(WRITE_B));
  assign reading_a = enable_a && READ_A != 0 && !(writing_a && MODE_A == "no_change");
  assign reading_b = enable_b && READ_B != 0 && !(writing_b && MODE_B == "no_change");
  assign out_a = OUTPUT_A ? register_a : latch_a;
  assign out_b = OUTPUT_B ? register_b : latch_b;

  // Bytes of a port, as a mask.
  function [7:0] bytes(input integer width);
    bytes = width == 0 ? 0 : width < 18 ? 1 : (1 << width / 9) - 1;
  endfunction

  // Where the first byte of a port lies.
  function integer first(input integer address, input integer width);
    first = width < 18 ? address >> 3 : (address >> 3) & ~(width / 9 - 1);
  endfunction

  // Where a narrow port begins in its byte.
  function integer offset(input integer address, input integer width);
    offset = width < 9 ? address & 7 & ~(width - 1) : 0;
  endfunction

  // What a port would read.
  function [71:0] read(input integer address, input integer width);
    integer k;
    begin
      read = 0;
      for (k = 0; k < BYTES; k = k + 1)
        if (9 * k < width) read[9*k+:9] = memory[first(address, width)+k];
      if (width < 9) read = read >> offset(address, width) & ((1 << width) - 1);
    end
  endfunction

  // Which bits of a byte a port writes.
  function [8:0] written(
    input integer where, input integer address, input integer width, input [7:0] enables
  );
    integer k;
    begin
      k = where - first(address, width);
      if (k < 0 || k >= BYTES || !(bytes(width) >> k & enables >> k & 1)) written = 0;
      else if (width < 9) written = (1 << width) - 1 << offset(address, width);
      else written = 9'h1ff;
    end
  endfunction

  // Which bits of what one port reads are written by a port.
  function [71:0] seen(
    input integer address, input integer width,
    input integer writer, input integer writes, input [7:0] enables
  );
    integer k;
    begin
      seen = 0;
      for (k = 0; k < BYTES; k = k + 1)
        if (9 * k < width)
          seen[9*k+:9] = written(first(address, width) + k, writer, writes, enables);
      if (width < 9) seen = seen >> offset(address, width) & ((1 << width) - 1);
    end
  endfunction

  task write(
    input integer address, input integer width, input [7:0] enables, input [71:0] data
  );
    integer k, where;
    reg [8:0] mask;
    for (k = 0; k < BYTES; k = k + 1) begin
      where = first(address, width) + k;
      mask = written(where, address, width, enables);
      if (mask != 0)
        memory[where] = memory[where] & ~mask | data[9*k+:9] << offset(address, width) & mask;
    end
  endtask

  always @(posedge clk) begin
    old_a = read(address_a, READ_A);
    old_b = read(address_b, READ_B);
    own_a = writing_a ? seen(address_a, READ_A, address_a, WRITE_A, write_a) : 0;
    own_b = writing_b ? seen(address_b, READ_B, address_b, WRITE_B, write_b) : 0;
    other_a = writing_b ? seen(address_a, READ_A, address_b, WRITE_B, write_b) : 0;
    other_b = writing_a ? seen(address_b, READ_B, address_a, WRITE_A, write_a) : 0;
    if (writing_a && writing_b && seen(address_a, WRITE_A, address_b, WRITE_B, write_b)
        & seen(address_a, WRITE_A, address_a, WRITE_A, write_a)) begin
      $display("%m: ports must not write the same place at once");
      $fatal;
    end
    if (writing_a) write(address_a, WRITE_A, write_a, data_a);
    if (writing_b) write(address_b, WRITE_B, write_b, data_b);
    if (OUTPUT_A && clear_a) register_a <= RESET_A;
    else if (OUTPUT_A && load_a) register_a <= latch_a;
    if (OUTPUT_B && clear_b) register_b <= RESET_B;
    else if (OUTPUT_B && load_b) register_b <= latch_b;
    if (reset_a) latch_a <= RESET_A;
    else if (reading_a)
      latch_a <= put(
        old_a, read(address_a, READ_A), own_a, other_a, MODE_A == "write_first",
        OLD_B && MODE_B == "read_first", writing_a);
    if (reset_b) latch_b <= RESET_B;
    else if (reading_b)
      latch_b <= put(
        old_b, read(address_b, READ_B), own_b, other_b, MODE_B == "write_first",
        OLD_A && MODE_A == "read_first", writing_b);
  end

  // What a port puts out.
  function [71:0] put(
    input [71:0] old, input [71:0] now, input [71:0] own, input [71:0] other, input through,
    input other_old, input writing
  );
    begin
      put = through ? old & ~own | now & own : old;
      if (through && writing && !MERGE) put = put & own | {72{1'bx}} & ~own;
      if (!other_old) put = put & ~other | {72{1'bx}} & other;
    end
  endfunction
endmodule
