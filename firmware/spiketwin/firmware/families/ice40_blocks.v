// Models of the iCE40's memories, in place of those of Yosys.
//
// Written from Lattice's "Memory Usage Guide for iCE40 Devices" (FPGA-TN-02002) and "iCE40
// UltraPlus SPRAM Usage Guide" (FPGA-TN-02022). They differ from Yosys' models in outputs that the
// chip does not define.
//
// Memories without contents in the bitstream hold at power-up what the simulator gives them.

// A block RAM of 4 Kbit with a write port and a read port: 256 × 16, 512 × 8, 1024 × 4 or 2048 × 2
// bits.
//
// Synthesis assumes that no design uses the result of a read which collides with a write. Here such
// a read gives the complement of the stored word, so that a design which does use one differs from
// its RTL.
module SB_RAM40_4K #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
              INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0,
              INIT_4 = 0, INIT_5 = 0, INIT_6 = 0, INIT_7 = 0,
              INIT_8 = 0, INIT_9 = 0, INIT_A = 0, INIT_B = 0,
              INIT_C = 0, INIT_D = 0, INIT_E = 0, INIT_F = 0
) (
    input RCLK, RCLKE, RE, WCLK, WCLKE, WE,
    input [10:0] RADDR, WADDR,
    input [15:0] WDATA, MASK,
    output [15:0] RDATA
);
    generate
        if (READ_MODE < 0 || READ_MODE > 3)
            $fatal(1, "SB_RAM40_4K: no model of READ_MODE %0d", READ_MODE);
        if (WRITE_MODE < 0 || WRITE_MODE > 3)
            $fatal(1, "SB_RAM40_4K: no model of WRITE_MODE %0d", WRITE_MODE);
    endgenerate

    reg [15:0] mem [0:255];
    wire [15:0] written, data, span;
    reg [15:0] q;

    // In mode m a word is divided into groups of 2**m bits, and the upper bits of the address
    // choose one bit of each group. The data pin of a group is that of its first bit, or (m = 3) of
    // its fourth, or (m = 2) of its second.
    genvar i;
    generate
        for (i = 0; i < 16; i = i + 1) begin : bits
            localparam W_BIT = i % (1 << WRITE_MODE);
            localparam W_PIN = i - W_BIT + (WRITE_MODE < 2 ? 0 : 2 * WRITE_MODE - 3);
            localparam R_BIT = i % (1 << READ_MODE);
            wire [2:0] w_chosen = WADDR[10:8] & (1 << WRITE_MODE) - 1;
            wire [2:0] r_chosen = RADDR[10:8] & (1 << READ_MODE) - 1;
            assign data[i] = WRITE_MODE == 0 ? WDATA[i] : WDATA[W_PIN];
            assign written[i] =
                WCLKE && WE && (WRITE_MODE == 0 ? !MASK[i] : w_chosen == W_BIT);
            assign span[i] = r_chosen == R_BIT;
        end
        for (i = 0; i < 16; i = i + (1 << READ_MODE)) begin : pins
            localparam PIN = READ_MODE < 2 ? 0 : 2 * READ_MODE - 3;
            wire [(1 << READ_MODE) - 1:0] group = q[i +: 1 << READ_MODE];
            assign RDATA[i +: 1 << READ_MODE] = |group << PIN;
        end
    endgenerate

    // A port that is not used has no clock, so it never meets the other one.
    wire collides = RCLK == WCLK && RADDR[7:0] == WADDR[7:0] && |(written & span);
    wire [15:0] word = mem[RADDR[7:0]];

    always @(posedge RCLK) if (RE && RCLKE) q <= (collides ? ~word : word) & span;
    always @(posedge WCLK)
        if (|written) mem[WADDR[7:0]] <= mem[WADDR[7:0]] & ~written | data & written;

    localparam [16 * 256 - 1:0] INIT = {
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    };
    integer word_index;
    initial
        if (INIT != 0) for (word_index = 0; word_index < 256; word_index = word_index + 1)
            mem[word_index] = INIT[16 * word_index +: 16];
endmodule

// A memory of 256 Kbit with one port. The chip does not define its contents at power-up nor its
// output after a write, so both are garbage here.
module SB_SPRAM256KA (
    input CLOCK, CHIPSELECT, WREN, STANDBY, SLEEP, POWEROFF, // POWEROFF is active low
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    output reg [15:0] DATAOUT
);
    reg [15:0] mem [0:16383];
    wire [15:0] word = mem[ADDRESS];
    wire [15:0] written = {{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};

    always @(posedge CLOCK) begin
        if (STANDBY || SLEEP || !POWEROFF) $fatal(1, "SB_SPRAM256KA: no model of low power");
        if (CHIPSELECT) begin
            DATAOUT <= WREN ? ~word : word;
            if (WREN) mem[ADDRESS] <= word & ~written | DATAIN & written;
        end
    end

    integer i;
    initial
        for (i = 0; i < 16384; i = i + 1) mem[i] = mem[i] ^ 16'(40503 * (i + 1));
endmodule
