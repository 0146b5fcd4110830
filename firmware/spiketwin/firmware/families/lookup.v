// The look-up tables of both families, which simulate faster than the models of Yosys.
//
// A netlist has some ten thousand look-up tables, so each has to take little to compute. INIT is
// constant: if one half of it is all 0 or all 1, the choice between the halves is an AND or an OR;
// if the halves are equal there is no choice, and if they are complements it is an XOR.

// The choice by one input between the outputs of the two halves of a table.
`define CHOICE(input, high, low, high_init, low_init) \
    (high_init == low_init ? low : high_init == ~low_init ? input ^ low : input ? high : low)

module LUT4 #(
    parameter [15:0] INIT = 0
) (
    input A, B, C, D,
    output Z
);
    `define A_(i) (`CHOICE(A, INIT[i + 1], INIT[i], INIT[i + 1 +: 1], INIT[i +: 1]))
    `define B_(i) (`CHOICE(B, `A_(i + 2), `A_(i), INIT[i + 2 +: 2], INIT[i +: 2]))
    `define C_(i) (`CHOICE(C, `B_(i + 4), `B_(i), INIT[i + 4 +: 4], INIT[i +: 4]))
    assign Z = `CHOICE(D, `C_(8), `C_(0), INIT[15:8], INIT[7:0]);
endmodule

module LUT2 #(
    parameter [3:0] INIT = 0
) (
    input A, B,
    output Z
);
    LUT4 #(.INIT({4{INIT}})) table_(.A(A), .B(B), .C(1'b0), .D(1'b0), .Z(Z));
endmodule

module SB_LUT4 #(
    parameter [15:0] LUT_INIT = 0
) (
    input I0, I1, I2, I3,
    output O
);
    LUT4 #(.INIT(LUT_INIT)) table_(.A(I0), .B(I1), .C(I2), .D(I3), .Z(O));
endmodule
