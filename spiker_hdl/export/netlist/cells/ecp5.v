// DP16KD, the block RAM of Lattice's ECP5, as far as netlists of accelerators use it.
//
// Written after Lattice's FPGA-TN-02204, "ECP5 and ECP5-5G Memory Usage Guide": widths, byte
// enables (the lowest address pins of ports of 18 and 36 bits), write modes, resets. Ports of 1, 2
// and 4 bits see the lower 8 of each 9. INITVAL_xx holds 16 words of 18 bits, each in 20, as
// nextpnr reads it. A port of 36 bits takes the data pins of both ports, the lower half those of A,
// as Yosys connects it.
//
// What is not modelled ends the simulation: output registers, inverted clocks, chip selects, two
// clocks, a write during a reset. Where the guide promises nothing, outputs are unknown: for what
// the other port is writing, and for the byte that a WRITETHROUGH does not write.

`timescale 1ns / 1ps

module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
      DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA,
  input CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
      DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
      DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB,
  input CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
      DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter INIT_DATA = "STATIC";
  parameter [319:0] INITVAL_00 = 320'h0;
  parameter [319:0] INITVAL_01 = 320'h0;
  parameter [319:0] INITVAL_02 = 320'h0;
  parameter [319:0] INITVAL_03 = 320'h0;
  parameter [319:0] INITVAL_04 = 320'h0;
  parameter [319:0] INITVAL_05 = 320'h0;
  parameter [319:0] INITVAL_06 = 320'h0;
  parameter [319:0] INITVAL_07 = 320'h0;
  parameter [319:0] INITVAL_08 = 320'h0;
  parameter [319:0] INITVAL_09 = 320'h0;
  parameter [319:0] INITVAL_0A = 320'h0;
  parameter [319:0] INITVAL_0B = 320'h0;
  parameter [319:0] INITVAL_0C = 320'h0;
  parameter [319:0] INITVAL_0D = 320'h0;
  parameter [319:0] INITVAL_0E = 320'h0;
  parameter [319:0] INITVAL_0F = 320'h0;
  parameter [319:0] INITVAL_10 = 320'h0;
  parameter [319:0] INITVAL_11 = 320'h0;
  parameter [319:0] INITVAL_12 = 320'h0;
  parameter [319:0] INITVAL_13 = 320'h0;
  parameter [319:0] INITVAL_14 = 320'h0;
  parameter [319:0] INITVAL_15 = 320'h0;
  parameter [319:0] INITVAL_16 = 320'h0;
  parameter [319:0] INITVAL_17 = 320'h0;
  parameter [319:0] INITVAL_18 = 320'h0;
  parameter [319:0] INITVAL_19 = 320'h0;
  parameter [319:0] INITVAL_1A = 320'h0;
  parameter [319:0] INITVAL_1B = 320'h0;
  parameter [319:0] INITVAL_1C = 320'h0;
  parameter [319:0] INITVAL_1D = 320'h0;
  parameter [319:0] INITVAL_1E = 320'h0;
  parameter [319:0] INITVAL_1F = 320'h0;
  parameter [319:0] INITVAL_20 = 320'h0;
  parameter [319:0] INITVAL_21 = 320'h0;
  parameter [319:0] INITVAL_22 = 320'h0;
  parameter [319:0] INITVAL_23 = 320'h0;
  parameter [319:0] INITVAL_24 = 320'h0;
  parameter [319:0] INITVAL_25 = 320'h0;
  parameter [319:0] INITVAL_26 = 320'h0;
  parameter [319:0] INITVAL_27 = 320'h0;
  parameter [319:0] INITVAL_28 = 320'h0;
  parameter [319:0] INITVAL_29 = 320'h0;
  parameter [319:0] INITVAL_2A = 320'h0;
  parameter [319:0] INITVAL_2B = 320'h0;
  parameter [319:0] INITVAL_2C = 320'h0;
  parameter [319:0] INITVAL_2D = 320'h0;
  parameter [319:0] INITVAL_2E = 320'h0;
  parameter [319:0] INITVAL_2F = 320'h0;
  parameter [319:0] INITVAL_30 = 320'h0;
  parameter [319:0] INITVAL_31 = 320'h0;
  parameter [319:0] INITVAL_32 = 320'h0;
  parameter [319:0] INITVAL_33 = 320'h0;
  parameter [319:0] INITVAL_34 = 320'h0;
  parameter [319:0] INITVAL_35 = 320'h0;
  parameter [319:0] INITVAL_36 = 320'h0;
  parameter [319:0] INITVAL_37 = 320'h0;
  parameter [319:0] INITVAL_38 = 320'h0;
  parameter [319:0] INITVAL_39 = 320'h0;
  parameter [319:0] INITVAL_3A = 320'h0;
  parameter [319:0] INITVAL_3B = 320'h0;
  parameter [319:0] INITVAL_3C = 320'h0;
  parameter [319:0] INITVAL_3D = 320'h0;
  parameter [319:0] INITVAL_3E = 320'h0;
  parameter [319:0] INITVAL_3F = 320'h0;
  localparam [64*320-1:0] INIT = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };

  wire clk = CLKA | CLKB;  // that of a port that is not used is 0
  wire reset_a = RSTA === 1;
  wire reset_b = RSTB === 1;
  wire [13:0] ad_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
    ADA1, ADA0};
  wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
    DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] ad_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
    ADB1, ADB0};
  wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
    DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [71:0] out_a, out_b, kept_a, kept_b;
  wire reading_a, reading_b;
  reg gone_a = 0;  // reset since the last read
  reg gone_b = 0;

  vendor_block_ram #(
    .BITS(14),
    .READ_A(DATA_WIDTH_A),
    .WRITE_A(DATA_WIDTH_A),
    .READ_B(DATA_WIDTH_B),
    .WRITE_B(DATA_WIDTH_B),
    .MODE_A(MODE_A),
    .MODE_B(MODE_B)
  ) ram (
    .clk(clk),
    .enable_a(CEA),
    .enable_b(CEB),
    .address_a(ad_a),
    .address_b(ad_b),
    .write_a({8{WEA}} & enables(DATA_WIDTH_A, ad_a)),
    .write_b({8{WEB}} & enables(DATA_WIDTH_B, ad_b)),
    .data_a({36'h0, di_b, di_a}),
    .data_b({54'h0, di_b}),
    .reset_a(reset_a),
    .reset_b(reset_b),
    .load_a(1'b0),
    .load_b(1'b0),
    .clear_a(1'b0),
    .clear_b(1'b0),
    .out_a(out_a),
    .out_b(out_b),
    .reading_a(reading_a),
    .reading_b(reading_b)
  );

  localparam MODE_A = mode(WRITEMODE_A);
  localparam MODE_B = mode(WRITEMODE_B);

  integer n;
  reg [64*320-1:0] words = INIT;
  initial begin
    for (n = 0; n < 2048; n = n + 1) ram.memory[n] = words[20*(n/2)+9*(n%2)+:9];
    if (!known(DATA_WIDTH_A)) stop("DATA_WIDTH_A must be 1, 2, 4, 9, 18 or 36");
    if (!known(DATA_WIDTH_B)) stop("DATA_WIDTH_B must be 1, 2, 4, 9, 18 or 36");
    if (MODE_A == "") stop("WRITEMODE_A must be NORMAL, WRITETHROUGH or READBEFOREWRITE");
    if (MODE_B == "") stop("WRITEMODE_B must be NORMAL, WRITETHROUGH or READBEFOREWRITE");
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG") stop("REGMODE must be NOREG");
    if (RESETMODE != "SYNC" && RESETMODE != "ASYNC") stop("RESETMODE must be SYNC or ASYNC");
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") stop("CSDECODE must be 0b000");
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") stop("Clocks must not be inverted");
    if (INIT_DATA != "STATIC") stop("INIT_DATA must be STATIC");
  end

  always @(posedge clk) begin
    if (CEA && CEB && CLKA !== CLKB) stop("Clocks must be one");
    if ((CEA && |{CSA2, CSA1, CSA0}) || (CEB && |{CSB2, CSB1, CSB0})) stop("CS must be 0");
    if ((reset_a && CEA && WEA) || (reset_b && CEB && WEB)) stop("Writes must wait for a reset");
    if (CEB && WEB && (DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36))
      stop("B must not write where a port has 36 bits");
    // Narrow ports that read first are none of the guide's.
    if (CEA && WEA && MODE_A == "read_first" && DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18)
      stop("READBEFOREWRITE must be of 9 or 18 bits");
    if (CEB && WEB && MODE_B == "read_first" && DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18)
      stop("READBEFOREWRITE must be of 9 or 18 bits");
  end

  // An asynchronous reset lasts until the next read.
  always @(posedge clk or posedge reset_a)
    if (reset_a) gone_a <= 1;
    else if (reading_a) gone_a <= 0;
  always @(posedge clk or posedge reset_b)
    if (reset_b) gone_b <= 1;
    else if (reading_b) gone_b <= 0;
  always @(posedge reset_a or posedge reset_b)
    if (RESETMODE == "ASYNC" && ASYNC_RESET_RELEASE != "ASYNC")
      stop("ASYNC_RESET_RELEASE must be ASYNC where an asynchronous reset is used");

  assign kept_a = RESETMODE == "ASYNC" && (gone_a || reset_a) ? 0 : out_a;
  assign kept_b = RESETMODE == "ASYNC" && (gone_b || reset_b) ? 0 : out_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? kept_b[17:0] : kept_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? kept_b[35:18] : kept_b[17:0];

  function known(input integer width);
    known = width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
  endfunction

  function [8*15-1:0] mode(input [8*15-1:0] name);
    case (name)
      "NORMAL": mode = "no_change";
      "WRITETHROUGH": mode = "write_first";
      "READBEFOREWRITE": mode = "read_first";
      default: mode = "";
    endcase
  endfunction

  // Which bytes are written where WE is 1.
  function [7:0] enables(input integer width, input [13:0] address);
    enables = width == 36 ? address[3:0] : width == 18 ? address[1:0] : 1;
  endfunction

  task stop(input [8*72-1:0] what);
    begin
      $display("DP16KD %m: %0s", what);
      $fatal;
    end
  endtask
endmodule
