// Two cores of different sizes beside logic of one's own, each on the wires of its UART:
//
//     spiketwin verilog --params tiny --prefix small_ --baud 25000000 --build model small.v
//     spiketwin verilog --params tiny,n_axons=16,n_neurons=16 --prefix large_ large.v
//
// The logic is a light that stays on for a while after the first core was spoken to.
module beside #(
    parameter HOLD = 20000  // cycles
) (
    input  wire clk,
    input  wire rst,       // active high, synchronous to clk
    input  wire rx,        // idle high
    output wire tx,
    input  wire large_rx,  // idle high
    output wire large_tx,
    output wire light
);
    small_PinsTop first (.clk(clk), .rst(rst), .rx(rx), .tx(tx));
    large_PinsTop second (.clk(clk), .rst(rst), .rx(large_rx), .tx(large_tx));

    reg [15:0] left = 0;
    always @(posedge clk)
        if (rst) left <= 0;
        else if (!rx) left <= HOLD;
        else if (left != 0) left <= left - 1;
    assign light = left != 0;
endmodule
