// RAMB18E1 and RAMB36E1, the block RAMs of Xilinx' series 7, as far as netlists of accelerators use
// them.
//
// Written after Xilinx' UG473, "7 Series FPGAs Memory Resources": widths, byte-wide write enables,
// write modes, output registers, resets, contents, and what one port reads of what the other writes
// (old data if that is READ_FIRST, nothing certain otherwise).
//
// What is not modelled ends the simulation: two clocks, inverted clocks, error correction,
// cascades, contents from files, and simple dual port with a write port of less than full width.

`timescale 1ns / 1ps

module RAMB18E1 (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DIADI, DIBDI,
  input [1:0] DIPADIP, DIPBDIP,
  input [1:0] WEA,
  input [3:0] WEBWE,
  output [15:0] DOADO, DOBDO,
  output [1:0] DOPADOP, DOPBDOP
);
  parameter integer DOA_REG = 0;
  parameter integer DOB_REG = 0;
  parameter [17:0] INIT_A = 18'h0;
  parameter [17:0] INIT_B = 18'h0;
  parameter INIT_FILE = "NONE";
  parameter RAM_MODE = "TDP";
  parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE";
  parameter integer READ_WIDTH_A = 0;
  parameter integer READ_WIDTH_B = 0;
  parameter RSTREG_PRIORITY_A = "RSTREG";
  parameter RSTREG_PRIORITY_B = "RSTREG";
  parameter SIM_COLLISION_CHECK = "ALL";
  parameter SIM_DEVICE = "7SERIES";
  parameter [17:0] SRVAL_A = 18'h0;
  parameter [17:0] SRVAL_B = 18'h0;
  parameter WRITE_MODE_A = "WRITE_FIRST";
  parameter WRITE_MODE_B = "WRITE_FIRST";
  parameter integer WRITE_WIDTH_A = 0;
  parameter integer WRITE_WIDTH_B = 0;
  parameter [0:0] IS_CLKARDCLK_INVERTED = 0;
  parameter [0:0] IS_CLKBWRCLK_INVERTED = 0;
  parameter [0:0] IS_ENARDEN_INVERTED = 0;
  parameter [0:0] IS_ENBWREN_INVERTED = 0;
  parameter [0:0] IS_RSTRAMARSTRAM_INVERTED = 0;
  parameter [0:0] IS_RSTRAMB_INVERTED = 0;
  parameter [0:0] IS_RSTREGARSTREG_INVERTED = 0;
  parameter [0:0] IS_RSTREGB_INVERTED = 0;
  parameter [255:0] INIT_00 = 256'h0;
  parameter [255:0] INIT_01 = 256'h0;
  parameter [255:0] INIT_02 = 256'h0;
  parameter [255:0] INIT_03 = 256'h0;
  parameter [255:0] INIT_04 = 256'h0;
  parameter [255:0] INIT_05 = 256'h0;
  parameter [255:0] INIT_06 = 256'h0;
  parameter [255:0] INIT_07 = 256'h0;
  parameter [255:0] INIT_08 = 256'h0;
  parameter [255:0] INIT_09 = 256'h0;
  parameter [255:0] INIT_0A = 256'h0;
  parameter [255:0] INIT_0B = 256'h0;
  parameter [255:0] INIT_0C = 256'h0;
  parameter [255:0] INIT_0D = 256'h0;
  parameter [255:0] INIT_0E = 256'h0;
  parameter [255:0] INIT_0F = 256'h0;
  parameter [255:0] INIT_10 = 256'h0;
  parameter [255:0] INIT_11 = 256'h0;
  parameter [255:0] INIT_12 = 256'h0;
  parameter [255:0] INIT_13 = 256'h0;
  parameter [255:0] INIT_14 = 256'h0;
  parameter [255:0] INIT_15 = 256'h0;
  parameter [255:0] INIT_16 = 256'h0;
  parameter [255:0] INIT_17 = 256'h0;
  parameter [255:0] INIT_18 = 256'h0;
  parameter [255:0] INIT_19 = 256'h0;
  parameter [255:0] INIT_1A = 256'h0;
  parameter [255:0] INIT_1B = 256'h0;
  parameter [255:0] INIT_1C = 256'h0;
  parameter [255:0] INIT_1D = 256'h0;
  parameter [255:0] INIT_1E = 256'h0;
  parameter [255:0] INIT_1F = 256'h0;
  parameter [255:0] INIT_20 = 256'h0;
  parameter [255:0] INIT_21 = 256'h0;
  parameter [255:0] INIT_22 = 256'h0;
  parameter [255:0] INIT_23 = 256'h0;
  parameter [255:0] INIT_24 = 256'h0;
  parameter [255:0] INIT_25 = 256'h0;
  parameter [255:0] INIT_26 = 256'h0;
  parameter [255:0] INIT_27 = 256'h0;
  parameter [255:0] INIT_28 = 256'h0;
  parameter [255:0] INIT_29 = 256'h0;
  parameter [255:0] INIT_2A = 256'h0;
  parameter [255:0] INIT_2B = 256'h0;
  parameter [255:0] INIT_2C = 256'h0;
  parameter [255:0] INIT_2D = 256'h0;
  parameter [255:0] INIT_2E = 256'h0;
  parameter [255:0] INIT_2F = 256'h0;
  parameter [255:0] INIT_30 = 256'h0;
  parameter [255:0] INIT_31 = 256'h0;
  parameter [255:0] INIT_32 = 256'h0;
  parameter [255:0] INIT_33 = 256'h0;
  parameter [255:0] INIT_34 = 256'h0;
  parameter [255:0] INIT_35 = 256'h0;
  parameter [255:0] INIT_36 = 256'h0;
  parameter [255:0] INIT_37 = 256'h0;
  parameter [255:0] INIT_38 = 256'h0;
  parameter [255:0] INIT_39 = 256'h0;
  parameter [255:0] INIT_3A = 256'h0;
  parameter [255:0] INIT_3B = 256'h0;
  parameter [255:0] INIT_3C = 256'h0;
  parameter [255:0] INIT_3D = 256'h0;
  parameter [255:0] INIT_3E = 256'h0;
  parameter [255:0] INIT_3F = 256'h0;
  parameter [255:0] INITP_00 = 256'h0;
  parameter [255:0] INITP_01 = 256'h0;
  parameter [255:0] INITP_02 = 256'h0;
  parameter [255:0] INITP_03 = 256'h0;
  parameter [255:0] INITP_04 = 256'h0;
  parameter [255:0] INITP_05 = 256'h0;
  parameter [255:0] INITP_06 = 256'h0;
  parameter [255:0] INITP_07 = 256'h0;
  localparam [64*256-1:0] INIT = {
    INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38, INIT_37, INIT_36,
    INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C,
    INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22,
    INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
    INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10, INIT_0F, INIT_0E,
    INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, INIT_07, INIT_06, INIT_05, INIT_04,
    INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [8*256-1:0] INITP = {
    INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };

  localparam SIMPLE = RAM_MODE == "SDP";  // A reads and B writes, either in full width
  localparam USED_A = READ_WIDTH_A != 0 || WRITE_WIDTH_A != 0;
  localparam USED_B = READ_WIDTH_B != 0 || WRITE_WIDTH_B != 0;
  localparam [71:0] INITIAL_A = READ_WIDTH_A == 36 ? {INIT_B, INIT_A} : INIT_A;
  localparam [71:0] RESET_A = READ_WIDTH_A == 36 ? {SRVAL_B, SRVAL_A} : SRVAL_A;

  wire enable_a = USED_A && ENARDEN ^ IS_ENARDEN_INVERTED;
  wire enable_b = USED_B && ENBWREN ^ IS_ENBWREN_INVERTED;
  wire reset_a = RSTRAMARSTRAM ^ IS_RSTRAMARSTRAM_INVERTED;
  wire reset_b = RSTRAMB ^ IS_RSTRAMB_INVERTED;
  wire clear_a = RSTREGARSTREG ^ IS_RSTREGARSTREG_INVERTED;
  wire clear_b = RSTREGB ^ IS_RSTREGB_INVERTED;
  wire [17:0] data_a = {
    DIPADIP[1], DIADI[15:8], DIPADIP[0], DIADI[7:0]
  };
  wire [17:0] data_b = {
    DIPBDIP[1], DIBDI[15:8], DIPBDIP[0], DIBDI[7:0]
  };
  wire [71:0] out_a, out_b;
  wire [17:0] upper = SIMPLE ? out_a[35:18] : out_b[17:0];

  vendor_block_ram #(
    .BITS(14),
    .READ_A(READ_WIDTH_A),
    .WRITE_A(WRITE_WIDTH_A),
    .READ_B(READ_WIDTH_B),
    .WRITE_B(WRITE_WIDTH_B),
    .MODE_A(mode(WRITE_MODE_A)),
    .MODE_B(mode(WRITE_MODE_B)),
    .OLD_A(1),
    .OLD_B(1),
    .MERGE(1),
    .OUTPUT_A(DOA_REG),
    .OUTPUT_B(DOB_REG),
    .INITIAL_A(INITIAL_A),
    .INITIAL_B(INIT_B),
    .RESET_A(RESET_A),
    .RESET_B(SRVAL_B)
  ) ram (
    .clk(USED_A ? CLKARDCLK : CLKBWRCLK),
    .enable_a(enable_a),
    .enable_b(enable_b),
    .address_a(ADDRARDADDR[13:0]),
    .address_b(ADDRBWRADDR[13:0]),
    .write_a({6'h0, WEA}),
    .write_b({4'h0, WEBWE}),
    .data_a({54'h0, data_a}),
    .data_b(SIMPLE ? {36'h0, data_b, data_a} : {54'h0, data_b}),
    .reset_a(enable_a && reset_a),
    .reset_b(enable_b && reset_b),
    .load_a(REGCEAREGCE),
    .load_b(REGCEB),
    .clear_a(clear_a && (RSTREG_PRIORITY_A == "RSTREG" || REGCEAREGCE)),
    .clear_b(clear_b && (RSTREG_PRIORITY_B == "RSTREG" || REGCEB)),
    .out_a(out_a),
    .out_b(out_b),
    .reading_a(),
    .reading_b()
  );

  assign {DOPADOP[0], DOADO[7:0]} = out_a[8:0];
  assign {DOPADOP[1], DOADO[15:8]} = out_a[17:9];
  assign {DOPBDOP[0], DOBDO[7:0]} = upper[8:0];
  assign {DOPBDOP[1], DOBDO[15:8]} = upper[17:9];

  integer n;
  reg [64*256-1:0] data = INIT;
  reg [8*256-1:0] parity = INITP;
  initial begin
    for (n = 0; n < 2048; n = n + 1) ram.memory[n] = {parity[n], data[8*n+:8]};
    if (RAM_MODE != "TDP" && RAM_MODE != "SDP") stop("RAM_MODE must be TDP or SDP");
    if (!known(READ_WIDTH_A, SIMPLE)) stop("READ_WIDTH_A must be a width of the block");
    if (!known(WRITE_WIDTH_A, 0)) stop("WRITE_WIDTH_A must be a width of the block");
    if (!known(READ_WIDTH_B, 0)) stop("READ_WIDTH_B must be a width of the block");
    if (!known(WRITE_WIDTH_B, SIMPLE)) stop("WRITE_WIDTH_B must be a width of the block");
    if (SIMPLE && (READ_WIDTH_B != 0 || WRITE_WIDTH_A != 0)) stop("SDP must read A and write B");
    if (SIMPLE && WRITE_WIDTH_B != 0 && WRITE_WIDTH_B != 36)
      stop("WRITE_WIDTH_B must be 36 in SDP");
    if (SIMPLE && WRITE_MODE_A != WRITE_MODE_B) stop("WRITE_MODE must be the same twice in SDP");
    if (SIMPLE && WRITE_MODE_A == "NO_CHANGE") stop("WRITE_MODE must not be NO_CHANGE in SDP");
    if (mode(WRITE_MODE_A) == "" || mode(WRITE_MODE_B) == "")
      stop("WRITE_MODE must be WRITE_FIRST, READ_FIRST or NO_CHANGE");
    if ((RSTREG_PRIORITY_A != "RSTREG" && RSTREG_PRIORITY_A != "REGCE")
        || (RSTREG_PRIORITY_B != "RSTREG" && RSTREG_PRIORITY_B != "REGCE"))
      stop("RSTREG_PRIORITY must be RSTREG or REGCE");
    if (IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED) stop("Clocks must not be inverted");
    if (INIT_FILE != "NONE") stop("INIT_FILE must be NONE");
  end

  always @(posedge CLKARDCLK)
    if (enable_a && enable_b && CLKBWRCLK !== 1) stop("Clocks must be one");
  always @(posedge CLKBWRCLK)
    if (enable_a && enable_b && CLKARDCLK !== 1) stop("Clocks must be one");

  function known(input integer width, input full);
    known = width == 0 || width == 1 || width == 2 || width == 4 || width == 9 || width == 18
        || width == 18 || (full && width == 36);
  endfunction

  function [8*11-1:0] mode(input [8*11-1:0] name);
    case (name)
      "WRITE_FIRST": mode = "write_first";
      "READ_FIRST": mode = "read_first";
      "NO_CHANGE": mode = "no_change";
      default: mode = "";
    endcase
  endfunction

  task stop(input [8*72-1:0] what);
    begin
      $display("RAMB18E1 %m: %0s", what);
      $fatal;
    end
  endtask
endmodule

module RAMB36E1 (
  input CASCADEINA, CASCADEINB, INJECTDBITERR, INJECTSBITERR,
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [15:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DIADI, DIBDI,
  input [3:0] DIPADIP, DIPBDIP,
  input [3:0] WEA,
  input [7:0] WEBWE,
  output CASCADEOUTA, CASCADEOUTB, SBITERR, DBITERR,
  output [7:0] ECCPARITY,
  output [8:0] RDADDRECC,
  output [31:0] DOADO, DOBDO,
  output [3:0] DOPADOP, DOPBDOP
);
  parameter integer DOA_REG = 0;
  parameter integer DOB_REG = 0;
  parameter [35:0] INIT_A = 36'h0;
  parameter [35:0] INIT_B = 36'h0;
  parameter INIT_FILE = "NONE";
  parameter RAM_MODE = "TDP";
  parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE";
  parameter integer READ_WIDTH_A = 0;
  parameter integer READ_WIDTH_B = 0;
  parameter RSTREG_PRIORITY_A = "RSTREG";
  parameter RSTREG_PRIORITY_B = "RSTREG";
  parameter SIM_COLLISION_CHECK = "ALL";
  parameter SIM_DEVICE = "7SERIES";
  parameter [35:0] SRVAL_A = 36'h0;
  parameter [35:0] SRVAL_B = 36'h0;
  parameter WRITE_MODE_A = "WRITE_FIRST";
  parameter WRITE_MODE_B = "WRITE_FIRST";
  parameter integer WRITE_WIDTH_A = 0;
  parameter integer WRITE_WIDTH_B = 0;
  parameter [0:0] IS_CLKARDCLK_INVERTED = 0;
  parameter [0:0] IS_CLKBWRCLK_INVERTED = 0;
  parameter [0:0] IS_ENARDEN_INVERTED = 0;
  parameter [0:0] IS_ENBWREN_INVERTED = 0;
  parameter [0:0] IS_RSTRAMARSTRAM_INVERTED = 0;
  parameter [0:0] IS_RSTRAMB_INVERTED = 0;
  parameter [0:0] IS_RSTREGARSTREG_INVERTED = 0;
  parameter [0:0] IS_RSTREGB_INVERTED = 0;
  parameter EN_ECC_READ = "FALSE";
  parameter EN_ECC_WRITE = "FALSE";
  parameter RAM_EXTENSION_A = "NONE";
  parameter RAM_EXTENSION_B = "NONE";
  parameter [255:0] INIT_00 = 256'h0;
  parameter [255:0] INIT_01 = 256'h0;
  parameter [255:0] INIT_02 = 256'h0;
  parameter [255:0] INIT_03 = 256'h0;
  parameter [255:0] INIT_04 = 256'h0;
  parameter [255:0] INIT_05 = 256'h0;
  parameter [255:0] INIT_06 = 256'h0;
  parameter [255:0] INIT_07 = 256'h0;
  parameter [255:0] INIT_08 = 256'h0;
  parameter [255:0] INIT_09 = 256'h0;
  parameter [255:0] INIT_0A = 256'h0;
  parameter [255:0] INIT_0B = 256'h0;
  parameter [255:0] INIT_0C = 256'h0;
  parameter [255:0] INIT_0D = 256'h0;
  parameter [255:0] INIT_0E = 256'h0;
  parameter [255:0] INIT_0F = 256'h0;
  parameter [255:0] INIT_10 = 256'h0;
  parameter [255:0] INIT_11 = 256'h0;
  parameter [255:0] INIT_12 = 256'h0;
  parameter [255:0] INIT_13 = 256'h0;
  parameter [255:0] INIT_14 = 256'h0;
  parameter [255:0] INIT_15 = 256'h0;
  parameter [255:0] INIT_16 = 256'h0;
  parameter [255:0] INIT_17 = 256'h0;
  parameter [255:0] INIT_18 = 256'h0;
  parameter [255:0] INIT_19 = 256'h0;
  parameter [255:0] INIT_1A = 256'h0;
  parameter [255:0] INIT_1B = 256'h0;
  parameter [255:0] INIT_1C = 256'h0;
  parameter [255:0] INIT_1D = 256'h0;
  parameter [255:0] INIT_1E = 256'h0;
  parameter [255:0] INIT_1F = 256'h0;
  parameter [255:0] INIT_20 = 256'h0;
  parameter [255:0] INIT_21 = 256'h0;
  parameter [255:0] INIT_22 = 256'h0;
  parameter [255:0] INIT_23 = 256'h0;
  parameter [255:0] INIT_24 = 256'h0;
  parameter [255:0] INIT_25 = 256'h0;
  parameter [255:0] INIT_26 = 256'h0;
  parameter [255:0] INIT_27 = 256'h0;
  parameter [255:0] INIT_28 = 256'h0;
  parameter [255:0] INIT_29 = 256'h0;
  parameter [255:0] INIT_2A = 256'h0;
  parameter [255:0] INIT_2B = 256'h0;
  parameter [255:0] INIT_2C = 256'h0;
  parameter [255:0] INIT_2D = 256'h0;
  parameter [255:0] INIT_2E = 256'h0;
  parameter [255:0] INIT_2F = 256'h0;
  parameter [255:0] INIT_30 = 256'h0;
  parameter [255:0] INIT_31 = 256'h0;
  parameter [255:0] INIT_32 = 256'h0;
  parameter [255:0] INIT_33 = 256'h0;
  parameter [255:0] INIT_34 = 256'h0;
  parameter [255:0] INIT_35 = 256'h0;
  parameter [255:0] INIT_36 = 256'h0;
  parameter [255:0] INIT_37 = 256'h0;
  parameter [255:0] INIT_38 = 256'h0;
  parameter [255:0] INIT_39 = 256'h0;
  parameter [255:0] INIT_3A = 256'h0;
  parameter [255:0] INIT_3B = 256'h0;
  parameter [255:0] INIT_3C = 256'h0;
  parameter [255:0] INIT_3D = 256'h0;
  parameter [255:0] INIT_3E = 256'h0;
  parameter [255:0] INIT_3F = 256'h0;
  parameter [255:0] INIT_40 = 256'h0;
  parameter [255:0] INIT_41 = 256'h0;
  parameter [255:0] INIT_42 = 256'h0;
  parameter [255:0] INIT_43 = 256'h0;
  parameter [255:0] INIT_44 = 256'h0;
  parameter [255:0] INIT_45 = 256'h0;
  parameter [255:0] INIT_46 = 256'h0;
  parameter [255:0] INIT_47 = 256'h0;
  parameter [255:0] INIT_48 = 256'h0;
  parameter [255:0] INIT_49 = 256'h0;
  parameter [255:0] INIT_4A = 256'h0;
  parameter [255:0] INIT_4B = 256'h0;
  parameter [255:0] INIT_4C = 256'h0;
  parameter [255:0] INIT_4D = 256'h0;
  parameter [255:0] INIT_4E = 256'h0;
  parameter [255:0] INIT_4F = 256'h0;
  parameter [255:0] INIT_50 = 256'h0;
  parameter [255:0] INIT_51 = 256'h0;
  parameter [255:0] INIT_52 = 256'h0;
  parameter [255:0] INIT_53 = 256'h0;
  parameter [255:0] INIT_54 = 256'h0;
  parameter [255:0] INIT_55 = 256'h0;
  parameter [255:0] INIT_56 = 256'h0;
  parameter [255:0] INIT_57 = 256'h0;
  parameter [255:0] INIT_58 = 256'h0;
  parameter [255:0] INIT_59 = 256'h0;
  parameter [255:0] INIT_5A = 256'h0;
  parameter [255:0] INIT_5B = 256'h0;
  parameter [255:0] INIT_5C = 256'h0;
  parameter [255:0] INIT_5D = 256'h0;
  parameter [255:0] INIT_5E = 256'h0;
  parameter [255:0] INIT_5F = 256'h0;
  parameter [255:0] INIT_60 = 256'h0;
  parameter [255:0] INIT_61 = 256'h0;
  parameter [255:0] INIT_62 = 256'h0;
  parameter [255:0] INIT_63 = 256'h0;
  parameter [255:0] INIT_64 = 256'h0;
  parameter [255:0] INIT_65 = 256'h0;
  parameter [255:0] INIT_66 = 256'h0;
  parameter [255:0] INIT_67 = 256'h0;
  parameter [255:0] INIT_68 = 256'h0;
  parameter [255:0] INIT_69 = 256'h0;
  parameter [255:0] INIT_6A = 256'h0;
  parameter [255:0] INIT_6B = 256'h0;
  parameter [255:0] INIT_6C = 256'h0;
  parameter [255:0] INIT_6D = 256'h0;
  parameter [255:0] INIT_6E = 256'h0;
  parameter [255:0] INIT_6F = 256'h0;
  parameter [255:0] INIT_70 = 256'h0;
  parameter [255:0] INIT_71 = 256'h0;
  parameter [255:0] INIT_72 = 256'h0;
  parameter [255:0] INIT_73 = 256'h0;
  parameter [255:0] INIT_74 = 256'h0;
  parameter [255:0] INIT_75 = 256'h0;
  parameter [255:0] INIT_76 = 256'h0;
  parameter [255:0] INIT_77 = 256'h0;
  parameter [255:0] INIT_78 = 256'h0;
  parameter [255:0] INIT_79 = 256'h0;
  parameter [255:0] INIT_7A = 256'h0;
  parameter [255:0] INIT_7B = 256'h0;
  parameter [255:0] INIT_7C = 256'h0;
  parameter [255:0] INIT_7D = 256'h0;
  parameter [255:0] INIT_7E = 256'h0;
  parameter [255:0] INIT_7F = 256'h0;
  parameter [255:0] INITP_00 = 256'h0;
  parameter [255:0] INITP_01 = 256'h0;
  parameter [255:0] INITP_02 = 256'h0;
  parameter [255:0] INITP_03 = 256'h0;
  parameter [255:0] INITP_04 = 256'h0;
  parameter [255:0] INITP_05 = 256'h0;
  parameter [255:0] INITP_06 = 256'h0;
  parameter [255:0] INITP_07 = 256'h0;
  parameter [255:0] INITP_08 = 256'h0;
  parameter [255:0] INITP_09 = 256'h0;
  parameter [255:0] INITP_0A = 256'h0;
  parameter [255:0] INITP_0B = 256'h0;
  parameter [255:0] INITP_0C = 256'h0;
  parameter [255:0] INITP_0D = 256'h0;
  parameter [255:0] INITP_0E = 256'h0;
  parameter [255:0] INITP_0F = 256'h0;
  localparam [128*256-1:0] INIT = {
    INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78, INIT_77, INIT_76,
    INIT_75, INIT_74, INIT_73, INIT_72, INIT_71, INIT_70, INIT_6F, INIT_6E, INIT_6D, INIT_6C,
    INIT_6B, INIT_6A, INIT_69, INIT_68, INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62,
    INIT_61, INIT_60, INIT_5F, INIT_5E, INIT_5D, INIT_5C, INIT_5B, INIT_5A, INIT_59, INIT_58,
    INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50, INIT_4F, INIT_4E,
    INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48, INIT_47, INIT_46, INIT_45, INIT_44,
    INIT_43, INIT_42, INIT_41, INIT_40, INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A,
    INIT_39, INIT_38, INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30,
    INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26,
    INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C,
    INIT_1B, INIT_1A, INIT_19, INIT_18, INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12,
    INIT_11, INIT_10, INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
    INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [16*256-1:0] INITP = {
    INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08, INITP_07,
    INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };

  localparam SIMPLE = RAM_MODE == "SDP";  // A reads and B writes, either in full width
  localparam USED_A = READ_WIDTH_A != 0 || WRITE_WIDTH_A != 0;
  localparam USED_B = READ_WIDTH_B != 0 || WRITE_WIDTH_B != 0;
  localparam [71:0] INITIAL_A = READ_WIDTH_A == 72 ? {INIT_B, INIT_A} : INIT_A;
  localparam [71:0] RESET_A = READ_WIDTH_A == 72 ? {SRVAL_B, SRVAL_A} : SRVAL_A;

  wire enable_a = USED_A && ENARDEN ^ IS_ENARDEN_INVERTED;
  wire enable_b = USED_B && ENBWREN ^ IS_ENBWREN_INVERTED;
  wire reset_a = RSTRAMARSTRAM ^ IS_RSTRAMARSTRAM_INVERTED;
  wire reset_b = RSTRAMB ^ IS_RSTRAMB_INVERTED;
  wire clear_a = RSTREGARSTREG ^ IS_RSTREGARSTREG_INVERTED;
  wire clear_b = RSTREGB ^ IS_RSTREGB_INVERTED;
  wire [35:0] data_a = {
    DIPADIP[3], DIADI[31:24], DIPADIP[2], DIADI[23:16], DIPADIP[1], DIADI[15:8], DIPADIP[0],
    DIADI[7:0]
  };
  wire [35:0] data_b = {
    DIPBDIP[3], DIBDI[31:24], DIPBDIP[2], DIBDI[23:16], DIPBDIP[1], DIBDI[15:8], DIPBDIP[0],
    DIBDI[7:0]
  };
  wire [71:0] out_a, out_b;
  wire [35:0] upper = SIMPLE ? out_a[71:36] : out_b[35:0];

  vendor_block_ram #(
    .BITS(15),
    .READ_A(READ_WIDTH_A),
    .WRITE_A(WRITE_WIDTH_A),
    .READ_B(READ_WIDTH_B),
    .WRITE_B(WRITE_WIDTH_B),
    .MODE_A(mode(WRITE_MODE_A)),
    .MODE_B(mode(WRITE_MODE_B)),
    .OLD_A(1),
    .OLD_B(1),
    .MERGE(1),
    .OUTPUT_A(DOA_REG),
    .OUTPUT_B(DOB_REG),
    .INITIAL_A(INITIAL_A),
    .INITIAL_B(INIT_B),
    .RESET_A(RESET_A),
    .RESET_B(SRVAL_B)
  ) ram (
    .clk(USED_A ? CLKARDCLK : CLKBWRCLK),
    .enable_a(enable_a),
    .enable_b(enable_b),
    .address_a(ADDRARDADDR[14:0]),
    .address_b(ADDRBWRADDR[14:0]),
    .write_a({4'h0, WEA}),
    .write_b(WEBWE),
    .data_a({36'h0, data_a}),
    .data_b(SIMPLE ? {data_b, data_a} : {36'h0, data_b}),
    .reset_a(enable_a && reset_a),
    .reset_b(enable_b && reset_b),
    .load_a(REGCEAREGCE),
    .load_b(REGCEB),
    .clear_a(clear_a && (RSTREG_PRIORITY_A == "RSTREG" || REGCEAREGCE)),
    .clear_b(clear_b && (RSTREG_PRIORITY_B == "RSTREG" || REGCEB)),
    .out_a(out_a),
    .out_b(out_b),
    .reading_a(),
    .reading_b()
  );

  assign {DOPADOP[0], DOADO[7:0]} = out_a[8:0];
  assign {DOPADOP[1], DOADO[15:8]} = out_a[17:9];
  assign {DOPADOP[2], DOADO[23:16]} = out_a[26:18];
  assign {DOPADOP[3], DOADO[31:24]} = out_a[35:27];
  assign {DOPBDOP[0], DOBDO[7:0]} = upper[8:0];
  assign {DOPBDOP[1], DOBDO[15:8]} = upper[17:9];
  assign {DOPBDOP[2], DOBDO[23:16]} = upper[26:18];
  assign {DOPBDOP[3], DOBDO[31:24]} = upper[35:27];
  assign {CASCADEOUTA, CASCADEOUTB, SBITERR, DBITERR, ECCPARITY, RDADDRECC} = {21{1'bx}};

  integer n;
  reg [128*256-1:0] data = INIT;
  reg [16*256-1:0] parity = INITP;
  initial begin
    for (n = 0; n < 4096; n = n + 1) ram.memory[n] = {parity[n], data[8*n+:8]};
    if (RAM_MODE != "TDP" && RAM_MODE != "SDP") stop("RAM_MODE must be TDP or SDP");
    if (!known(READ_WIDTH_A, SIMPLE)) stop("READ_WIDTH_A must be a width of the block");
    if (!known(WRITE_WIDTH_A, 0)) stop("WRITE_WIDTH_A must be a width of the block");
    if (!known(READ_WIDTH_B, 0)) stop("READ_WIDTH_B must be a width of the block");
    if (!known(WRITE_WIDTH_B, SIMPLE)) stop("WRITE_WIDTH_B must be a width of the block");
    if (SIMPLE && (READ_WIDTH_B != 0 || WRITE_WIDTH_A != 0)) stop("SDP must read A and write B");
    if (SIMPLE && WRITE_WIDTH_B != 0 && WRITE_WIDTH_B != 72)
      stop("WRITE_WIDTH_B must be 72 in SDP");
    if (SIMPLE && WRITE_MODE_A != WRITE_MODE_B) stop("WRITE_MODE must be the same twice in SDP");
    if (SIMPLE && WRITE_MODE_A == "NO_CHANGE") stop("WRITE_MODE must not be NO_CHANGE in SDP");
    if (mode(WRITE_MODE_A) == "" || mode(WRITE_MODE_B) == "")
      stop("WRITE_MODE must be WRITE_FIRST, READ_FIRST or NO_CHANGE");
    if ((RSTREG_PRIORITY_A != "RSTREG" && RSTREG_PRIORITY_A != "REGCE")
        || (RSTREG_PRIORITY_B != "RSTREG" && RSTREG_PRIORITY_B != "REGCE"))
      stop("RSTREG_PRIORITY must be RSTREG or REGCE");
    if (IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED) stop("Clocks must not be inverted");
    if (INIT_FILE != "NONE") stop("INIT_FILE must be NONE");
    if (EN_ECC_READ != "FALSE" || EN_ECC_WRITE != "FALSE") stop("EN_ECC must be FALSE");
    if (RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE")
      stop("RAM_EXTENSION must be NONE");
  end

  always @(posedge CLKARDCLK)
    if (enable_a && enable_b && CLKBWRCLK !== 1) stop("Clocks must be one");
  always @(posedge CLKBWRCLK)
    if (enable_a && enable_b && CLKARDCLK !== 1) stop("Clocks must be one");

  function known(input integer width, input full);
    known = width == 0 || width == 1 || width == 2 || width == 4 || width == 9 || width == 18
        || width == 36 || (full && width == 72);
  endfunction

  function [8*11-1:0] mode(input [8*11-1:0] name);
    case (name)
      "WRITE_FIRST": mode = "write_first";
      "READ_FIRST": mode = "read_first";
      "NO_CHANGE": mode = "no_change";
      default: mode = "";
    endcase
  endfunction

  task stop(input [8*72-1:0] what);
    begin
      $display("RAMB36E1 %m: %0s", what);
      $fatal;
    end
  endtask
endmodule
