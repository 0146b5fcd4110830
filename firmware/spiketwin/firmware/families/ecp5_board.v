// Models of the cells that a routed netlist has beside those that Yosys maps to: those between the
// pins of a board and its core, and the port that writes the memories made of look-up tables.
//
// One cycle of the board's clock is one of the core here, whatever the PLL makes of it: a netlist is
// compared cycle by cycle.

module TRELLIS_IO_INPUT (
    input B,
    output O
);
    assign O = B;
endmodule

module TRELLIS_IO_OUTPUT (
    input I, T,
    output B
);
    assign B = I;
endmodule

module EHXPLLL (
    input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC,
    input RST, ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
    output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
    assign {CLKOP, CLKOS, CLKOS2, CLKOS3, CLKINTFB, REFCLK} = {6{CLKI}};
    assign {LOCK, INTLOCK} = 2'b11;
endmodule

// A clock that is stopped while CE is low; CE counts only while the clock is low.
module DCCA (
    input CLKI, CE,
    output CLKO
);
    reg enabled = 0;
    always_latch if (!CLKI) enabled = CE;
    assign CLKO = CLKI & enabled;
endmodule

// The port that writes four look-up tables that are a memory. Which pin is which, nextpnr chooses
// (ecp5/pack.cc).
module TRELLIS_RAMW (
    input A0, B0, C0, D0, A1, B1, C1, D1,
    output WADO0, WADO1, WADO2, WADO3, WDO0, WDO1, WDO2, WDO3
);
    assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
    assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A flip-flop. A board has no reset, so what it holds at power-up counts, which Yosys' model loses.
module TRELLIS_FF #(
    parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR",
    parameter SRMODE = "LSR_OVER_CE", REGSET = "RESET", LSRMODE = "LSR"
) (
    input CLK, LSR, CE, DI, M,
    output reg Q = REGSET == "SET"
);
    generate
        if (CLKMUX != "CLK") $fatal(1, "TRELLIS_FF: no model of CLKMUX %s", CLKMUX);
        if (LSRMUX != "LSR") $fatal(1, "TRELLIS_FF: no model of LSRMUX %s", LSRMUX);
        if (LSRMODE != "LSR") $fatal(1, "TRELLIS_FF: no model of LSRMODE %s", LSRMODE);
    endgenerate

    wire enabled = CEMUX == "1" || (CEMUX == "INV" ? !CE : CE);

    generate
        if (SRMODE == "ASYNC") begin
            always @(posedge CLK, posedge LSR)
                if (LSR) Q <= REGSET == "SET";
                else if (enabled) Q <= DI;
        end else begin
            always @(posedge CLK)
                if (LSR && (SRMODE == "LSR_OVER_CE" || enabled)) Q <= REGSET == "SET";
                else if (enabled) Q <= DI;
        end
    endgenerate
endmodule

// A look-up table, or half of an adder, or a memory of 16 bits; and the choice between two tables.
// The carry of Yosys' model leads nowhere (it declares FCO a second time).
module TRELLIS_COMB #(
    parameter MODE = "LOGIC", CCU2_INJECT1 = "NO", WREMUX = "WRE",
    parameter [15:0] INITVAL = 0,
    parameter IS_Z1 = 0
) (
    input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output F, FCO, OFX
);
    generate
        if (MODE == "LOGIC") begin
            LUT4 #(.INIT(INITVAL)) table_(.A(A), .B(B), .C(C), .D(D), .Z(F));
        end else if (MODE == "CCU2") begin
            wire whole, half;
            LUT4 #(.INIT(INITVAL)) table_(.A(A), .B(B), .C(C), .D(D), .Z(whole));
            LUT2 #(.INIT(INITVAL[3:0])) half_(.A(A), .B(B), .Z(half));
            assign F = CCU2_INJECT1 == "YES" ? whole : whole ^ FCI;
            assign FCO = whole ? FCI : CCU2_INJECT1 == "YES" ? 1'b0 : half;
        end else if (MODE == "DPRAM") begin
            if (WREMUX != "WRE") $fatal(1, "TRELLIS_COMB: no model of WREMUX %s", WREMUX);
            reg [15:0] memory = INITVAL;
            always @(posedge WCK) if (WRE) memory[{WAD3, WAD2, WAD1, WAD0}] <= WD;
            assign F = memory[{A, C, B, D}];
        end else begin
            $fatal(1, "TRELLIS_COMB: no model of MODE %s", MODE);
        end
        if (IS_Z1) begin
            L6MUX21 choice(.D0(FXA), .D1(FXB), .SD(M), .Z(OFX));
        end else begin
            PFUMX choice(.ALUT(F1), .BLUT(F), .C0(M), .Z(OFX));
        end
    endgenerate
endmodule
