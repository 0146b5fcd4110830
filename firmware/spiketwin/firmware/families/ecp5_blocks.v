// Models of the ECP5's block RAM and multiplier, of which Yosys has no models.
//
// Written from Lattice's "ECP5 and ECP5-5G Memory Usage Guide" (FPGA-TN-02204) and "ECP5 and
// ECP5-5G sysDSP Usage Guide" (FPGA-TN-02205), and from how Yosys connects the blocks
// (techlibs/lattice/brams_map_16kd.v, dsp_map_18x18.v). Only what Yosys emits is modelled; anything
// else ends the build.
//
// Synthesis assumes that no design uses the result of a read which collides with a write of the
// other port. Here such a read gives the complement of the stored word, so that a design which does
// use one differs from its RTL.
//
// Memories without contents in the bitstream hold at power-up what the simulator gives them.

// One port of the block RAM, which is stored in words of 36 bits: a narrower port reaches a part
// of a word. Widths from 9 on have a ninth bit a byte, which narrower ones do not reach.
module ecp5_ram_port #(
    parameter WIDTH = 18,
    parameter REGMODE = "NOREG", WRITEMODE = "NORMAL", RESETMODE = "SYNC", CSDECODE = "0b000"
) (
    input clk, ce, we, rst,
    input [2:0] cs,
    input [13:0] address,
    input [35:0] di,
    input [35:0] word,             // stored at the address
    input [35:0] written_by_other, // bits of that word that the other port writes meanwhile
    output [35:0] written,         // bits of that word that this port writes
    output [35:0] data,            // values of these bits
    output reg [35:0] q
);
    generate
        if (WIDTH != 1 && WIDTH != 2 && WIDTH != 4 && WIDTH != 9 && WIDTH != 18 && WIDTH != 36)
            $fatal(1, "DP16KD: no model of DATA_WIDTH %0d", WIDTH);
        if (REGMODE != "NOREG") $fatal(1, "DP16KD: no model of REGMODE %s", REGMODE);
        if (CSDECODE != "0b000") $fatal(1, "DP16KD: no model of CSDECODE %s", CSDECODE);
        if (RESETMODE != "SYNC" && RESETMODE != "ASYNC")
            $fatal(1, "DP16KD: no model of RESETMODE %s", RESETMODE);
        if (WRITEMODE != "NORMAL" && WRITEMODE != "WRITETHROUGH" && WRITEMODE != "READBEFOREWRITE")
            $fatal(1, "DP16KD: no model of WRITEMODE %s", WRITEMODE);
        if (WRITEMODE != "NORMAL" && WIDTH == 36)
            $fatal(1, "DP16KD: no model of WRITEMODE %s at 36 bits", WRITEMODE);
    endgenerate

    localparam [35:0] ONES = (37'd1 << WIDTH) - 1;
    // Mask of the address bits that choose bits within a byte.
    localparam [2:0] FINE = WIDTH < 9 ? 8 - WIDTH : 0;

    wire [5:0] offset =
        WIDTH == 36 ? 0 : WIDTH == 18 ? 18 * address[4] : 9 * address[4:3] + (address[2:0] & FINE);
    // Wide ports use the lowest bits of the address as byte enables.
    wire [35:0] enabled =
        WIDTH == 36 ? {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}} :
        WIDTH == 18 ? {{9{address[1]}}, {9{address[0]}}} : ONES;

    wire active = ce && cs == 0;
    wire sync_reset = RESETMODE == "SYNC" && rst;
    wire async_reset = RESETMODE == "ASYNC" && rst;

    assign written = active && we && !sync_reset ? enabled << offset : 0;
    assign data = (di & ONES) << offset;

    wire collides = |(written_by_other & (ONES << offset));
    wire [35:0] old = collides ? ~word : word;
    wire [35:0] now = WRITEMODE == "WRITETHROUGH" ? old & ~written | data & written : old;

    initial q = 0;
    always @(posedge clk or posedge async_reset)
        if (async_reset || sync_reset) q <= 0;
        else if (active && !(we && WRITEMODE == "NORMAL")) q <= now >> offset & ONES;
endmodule

// A block RAM of 18 Kbit, with two ports of 1 to 18 bits; or port A writes 36 bits and port B only
// reads.
module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter GSR = "ENABLED", // the global reset, which no design of ours has
    parameter [319:0]          // each 16 words of 18 bits, one every 20 bits
              INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0,
              INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
              INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
              INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
              INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
              INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
              INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
              INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
              INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
              INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
              INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
              INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
              INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
              INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
              INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
              INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7,
        ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    output
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,

    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    input
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7,
        ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    output
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    generate
        if (CLKAMUX != "CLKA") $fatal(1, "DP16KD: no model of CLKAMUX %s", CLKAMUX);
        if (CLKBMUX != "CLKB") $fatal(1, "DP16KD: no model of CLKBMUX %s", CLKBMUX);
        if (DATA_WIDTH_B == 36 && DATA_WIDTH_A != 36)
            $fatal(1, "DP16KD: no model of DATA_WIDTH_B 36 with DATA_WIDTH_A %0d", DATA_WIDTH_A);
    endgenerate

    wire [13:0] address_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7,
        ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [13:0] address_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7,
        ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    wire [17:0] di_a = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
    };
    wire [17:0] di_b = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0
    };
    wire [35:0] q_a, q_b, written_a, written_b, data_a, data_b;

    // At 36 bits one port has the data pins of both.
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
    } = DATA_WIDTH_B == 36 ? q_b[17:0] : q_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
    } = DATA_WIDTH_B == 36 ? q_b[35:18] : q_b[17:0];

    reg [35:0] mem [0:511];
    wire [35:0] word_a = mem[address_a[13:5]];
    wire [35:0] word_b = mem[address_b[13:5]];
    // A port that is not used has no clock, so it never meets the other one.
    wire meet = CLKA == CLKB && address_a[13:5] == address_b[13:5];

    ecp5_ram_port #(
        .WIDTH(DATA_WIDTH_A), .REGMODE(REGMODE_A), .WRITEMODE(WRITEMODE_A),
        .RESETMODE(RESETMODE), .CSDECODE(CSDECODE_A)
    ) a (
        .clk(CLKA), .ce(CEA), .we(WEA), .rst(RSTA), .cs({CSA2, CSA1, CSA0}),
        .address(address_a), .di({di_b, di_a}), .word(word_a),
        .written_by_other(meet ? written_b : 36'd0), .written(written_a), .data(data_a), .q(q_a)
    );
    ecp5_ram_port #(
        .WIDTH(DATA_WIDTH_B), .REGMODE(REGMODE_B), .WRITEMODE(WRITEMODE_B),
        .RESETMODE(RESETMODE), .CSDECODE(CSDECODE_B)
    ) b (
        .clk(CLKB), .ce(CEB), .we(WEB && DATA_WIDTH_A != 36), .rst(RSTB),
        .cs({CSB2, CSB1, CSB0}), .address(address_b), .di({18'd0, di_b}), .word(word_b),
        .written_by_other(meet ? written_a : 36'd0), .written(written_b), .data(data_b), .q(q_b)
    );

    // Ports that meet both write the whole word; bits that both write are garbage.
    wire [35:0] all_a = meet ? written_a | written_b : written_a;
    wire [35:0] all_b = meet ? written_a | written_b : written_b;
    wire [35:0] both = (data_a & written_a) ^ (data_b & written_b);
    always @(posedge CLKA)
        if (|written_a)
            mem[address_a[13:5]] <= word_a & ~all_a | (meet ? both : data_a & written_a);
    always @(posedge CLKB)
        if (|written_b)
            mem[address_b[13:5]] <= word_b & ~all_b | (meet ? both : data_b & written_b);

    localparam [64 * 320 - 1:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A,
        INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
        INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22,
        INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
        INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
        INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer i;
    initial
        if (INIT != 0) for (i = 0; i < 512; i = i + 1)
            mem[i] = {INIT[(2 * i + 1) * 20 +: 18], INIT[2 * i * 20 +: 18]};
endmodule

// A multiplier of 18 × 18 bits, without registers. Ports of features that are not modelled are
// missing.
module MULT18X18D (
    input
        A17, A16, A15, A14, A13, A12, A11, A10, A9,
        A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input
        B17, B16, B15, B14, B13, B12, B11, B10, B9,
        B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input
        C17, C16, C15, C14, C13, C12, C11, C10, C9,
        C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output
        P35, P34, P33, P32, P31, P30, P29, P28, P27,
        P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9,
        P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire [17:0] a = {
        A17, A16, A15, A14, A13, A12, A11, A10, A9,
        A8, A7, A6, A5, A4, A3, A2, A1, A0
    };
    wire [17:0] b = {
        B17, B16, B15, B14, B13, B12, B11, B10, B9,
        B8, B7, B6, B5, B4, B3, B2, B1, B0
    };
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27,
        P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9,
        P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = {{18{SIGNEDA && a[17]}}, a} * {{18{SIGNEDB && b[17]}}, b};
endmodule
