// A board around its FPGA: an oscillator of 25 MHz, and the PLL's cell, in a simulation of 1 ns steps.

// The clock is wild until the PLL has seen 40 edges of its source; then it is what the dividers make of it.
module EHXPLLL #(
    parameter OUTDIVIDER_MUXA = "", OUTDIVIDER_MUXB = "", OUTDIVIDER_MUXC = "", OUTDIVIDER_MUXD = "",
    parameter PLLRST_ENA = "", INTFB_WAKE = "", STDBY_ENABLE = "", DPHASE_SOURCE = "", FEEDBK_PATH = "",
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_ENABLE = "", CLKOP_DIV = 1, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
    parameter CLKOS_ENABLE = "", CLKOS_DIV = 1, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0
) (
    input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output CLKOP,
    output reg CLKOS,
    output reg LOCK
);
    assign CLKOP = CLKI;
    realtime last = 0, period = 0;
    integer edges = 0;
    initial begin
        CLKOS = 0;
        LOCK = 0;
        if (FEEDBK_PATH != "CLKOP" || CLKOS_ENABLE != "ENABLED" || RST || STDBY) $fatal(1, "mode not modelled");
    end
    always @(posedge CLKI) begin
        period = $realtime - last;
        last = $realtime;
        edges = edges + 1;
        if (edges == 40) LOCK <= 1;
    end
    always begin
        if (LOCK) #(period * CLKI_DIV * CLKOS_DIV / (CLKFB_DIV * CLKOP_DIV) / 2.0) CLKOS = !CLKOS;
        else #3 CLKOS = !CLKOS;
    end
endmodule

module onchip (
    input clk, rst, hold, rx,
    output tx, irq
);
    reg oscillator = 0;
    always #20 oscillator = !oscillator;
    board board (.oscillator(oscillator), .rx(rx), .tx(tx), .irq(irq));
endmodule
