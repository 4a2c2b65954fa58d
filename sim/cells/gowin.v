// Behaviour of the Gowin cells that yosys writes for an engine, in the modes it uses; any other mode stops the simulation.
// After Gowin's guides to CFU, BSRAM and DSP (UG288, UG285, UG287) and yosys' maps of the same cells.

/* verilator lint_off DECLFILENAME */
/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off WIDTHTRUNC */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off MULTITOP */
/* verilator lint_off MULTIDRIVEN */

// A level.
module VCC (output V);
    assign V = 1'b1;
endmodule

module GND (output G);
    assign G = 1'b0;
endmodule

// Pads.
module IBUF (input I, output O);
    assign O = I;
endmodule

module OBUF (input I, output O);
    assign O = I;
endmodule

// F = bit {I0} of INIT.
module LUT1 #(
    parameter [1:0] INIT = 0
) (
    input I0,
    output F
);
    assign F = INIT[{I0}];
endmodule

// F = bit {I1, I0} of INIT.
module LUT2 #(
    parameter [3:0] INIT = 0
) (
    input I0, I1,
    output F
);
    assign F = INIT[{I1, I0}];
endmodule

// F = bit {I2, I1, I0} of INIT.
module LUT3 #(
    parameter [7:0] INIT = 0
) (
    input I0, I1, I2,
    output F
);
    assign F = INIT[{I2, I1, I0}];
endmodule

// F = bit {I3, I2, I1, I0} of INIT.
module LUT4 #(
    parameter [15:0] INIT = 0
) (
    input I0, I1, I2, I3,
    output F
);
    assign F = INIT[{I3, I2, I1, I0}];
endmodule

// Joins two functions of 4 inputs.
module MUX2_LUT5 (
    input I0, I1, S0,
    output O
);
    assign O = S0 ? I1 : I0;
endmodule

// Joins two functions of 5 inputs.
module MUX2_LUT6 (
    input I0, I1, S0,
    output O
);
    assign O = S0 ? I1 : I0;
endmodule

// Joins two functions of 6 inputs.
module MUX2_LUT7 (
    input I0, I1, S0,
    output O
);
    assign O = S0 ? I1 : I0;
endmodule

// Joins two functions of 7 inputs.
module MUX2_LUT8 (
    input I0, I1, S0,
    output O
);
    assign O = S0 ? I1 : I0;
endmodule

// A bit of a carry chain that adds (I3 = 1) or subtracts.
module ALU #(
    parameter ALU_MODE = 0
) (
    input I0, I1, I3, CIN,
    output SUM, COUT
);
    initial if (ALU_MODE != 0 && ALU_MODE != 1 && ALU_MODE != 2) $fatal(1, "mode not modelled");
    wire subtract = ALU_MODE == 1 || (ALU_MODE == 2 && !I3);
    wire propagate = I0 ^ I1 ^ subtract;
    assign SUM = propagate ^ CIN;
    assign COUT = propagate ? CIN : I0;
endmodule

// A register; after configuration 0.
module DFF #(
    parameter [0:0] INIT = 1'b0
) (
    input D, CLK,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        Q <= D;
endmodule

// A register; after configuration 0.
module DFFE #(
    parameter [0:0] INIT = 1'b0
) (
    input D, CLK, CE,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        if (CE) Q <= D;
endmodule

// A register; after configuration 0.
module DFFR #(
    parameter [0:0] INIT = 1'b0
) (
    input D, CLK, RESET,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        Q <= RESET ? 1'b0 : D;
endmodule

// A register; after configuration 0.
module DFFRE #(
    parameter [0:0] INIT = 1'b0
) (
    input D, CLK, CE, RESET,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        if (RESET) Q <= 1'b0;
        else if (CE) Q <= D;
endmodule

// A register; after configuration 1.
module DFFS #(
    parameter [0:0] INIT = 1'b1
) (
    input D, CLK, SET,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        Q <= SET ? 1'b1 : D;
endmodule

// A register; after configuration 1.
module DFFSE #(
    parameter [0:0] INIT = 1'b1
) (
    input D, CLK, CE, SET,
    output reg Q
);
    initial Q = INIT;
    always @(posedge CLK)
        if (SET) Q <= 1'b1;
        else if (CE) Q <= D;
endmodule

// 16 words of 4 bits in look-up tables: one write port, an asynchronous read port.
module RAM16SDP4 #(
    parameter [15:0] INIT_0 = 0,
    parameter [15:0] INIT_1 = 0,
    parameter [15:0] INIT_2 = 0,
    parameter [15:0] INIT_3 = 0
) (
    input [3:0] DI, WAD, RAD,
    input CLK, WRE,
    output [3:0] DO
);
    reg [3:0] words[0:15];
    integer i;
    initial for (i = 0; i < 16; i = i + 1) words[i] = {INIT_3[i], INIT_2[i], INIT_1[i], INIT_0[i]};
    always @(posedge CLK) if (WRE) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule

// The same of 1 bit.
module RAM16SDP1 #(
    parameter [15:0] INIT_0 = 0
) (
    input DI,
    input [3:0] WAD, RAD,
    input CLK, WRE,
    output DO
);
    reg words[0:15];
    integer i;
    initial for (i = 0; i < 16; i = i + 1) words[i] = INIT_0[i];
    always @(posedge CLK) if (WRE) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule

// The same of 2 bits.
module RAM16SDP2 #(
    parameter [15:0] INIT_0 = 0,
    parameter [15:0] INIT_1 = 0
) (
    input [1:0] DI,
    input [3:0] WAD, RAD,
    input CLK, WRE,
    output [1:0] DO
);
    reg [1:0] words[0:15];
    integer i;
    initial for (i = 0; i < 16; i = i + 1) words[i] = {INIT_1[i], INIT_0[i]};
    always @(posedge CLK) if (WRE) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule

// Registers at the inputs, after the partial products and at the output; each one bypassed if its parameter is 0.
module MULT9X9 #(
    parameter [0:0] AREG = 0,
    parameter [0:0] BREG = 0,
    parameter [0:0] OUT_REG = 0,
    parameter [0:0] PIPE_REG = 0,
    parameter [0:0] ASIGN_REG = 0,
    parameter [0:0] BSIGN_REG = 0,
    parameter [0:0] SOA_REG = 0,
    parameter MULT_RESET_MODE = "SYNC"
) (
    input [8:0] A, B, SIA, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [17:0] DOUT,
    output [8:0] SOA, SOB
);
    reg [9:0] a_reg = 0, b_reg = 0;
    reg [17:0] product_reg = 0, out_reg = 0;
    wire [9:0] a = {ASIGN & A[8], A}, b = {BSIGN & B[8], B};
    wire [9:0] a_in = AREG ? a_reg : a, b_in = BREG ? b_reg : b;
    wire signed [19:0] product = $signed(a_in) * $signed(b_in);
    wire [17:0] product_in = PIPE_REG ? product_reg : product[17:0];
    initial if (ASEL || BSEL || ASIGN_REG || BSIGN_REG || MULT_RESET_MODE != "SYNC") $fatal(1, "mode not modelled");
    always @(posedge CLK)
        if (RESET) begin
            a_reg <= 0;
            b_reg <= 0;
            product_reg <= 0;
            out_reg <= 0;
        end else if (CE) begin
            a_reg <= a;
            b_reg <= b;
            product_reg <= product[17:0];
            out_reg <= product_in;
        end
    assign DOUT = OUT_REG ? out_reg : product_in;
    assign {SOA, SOB} = 0;
endmodule

// Registers at the inputs, after the partial products and at the output; each one bypassed if its parameter is 0.
module MULT18X18 #(
    parameter [0:0] AREG = 0,
    parameter [0:0] BREG = 0,
    parameter [0:0] OUT_REG = 0,
    parameter [0:0] PIPE_REG = 0,
    parameter [0:0] ASIGN_REG = 0,
    parameter [0:0] BSIGN_REG = 0,
    parameter [0:0] SOA_REG = 0,
    parameter MULT_RESET_MODE = "SYNC"
) (
    input [17:0] A, B, SIA, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [35:0] DOUT,
    output [17:0] SOA, SOB
);
    reg [18:0] a_reg = 0, b_reg = 0;
    reg [35:0] product_reg = 0, out_reg = 0;
    wire [18:0] a = {ASIGN & A[17], A}, b = {BSIGN & B[17], B};
    wire [18:0] a_in = AREG ? a_reg : a, b_in = BREG ? b_reg : b;
    wire signed [37:0] product = $signed(a_in) * $signed(b_in);
    wire [35:0] product_in = PIPE_REG ? product_reg : product[35:0];
    initial if (ASEL || BSEL || ASIGN_REG || BSIGN_REG || MULT_RESET_MODE != "SYNC") $fatal(1, "mode not modelled");
    always @(posedge CLK)
        if (RESET) begin
            a_reg <= 0;
            b_reg <= 0;
            product_reg <= 0;
            out_reg <= 0;
        end else if (CE) begin
            a_reg <= a;
            b_reg <= b;
            product_reg <= product[35:0];
            out_reg <= product_in;
        end
    assign DOUT = OUT_REG ? out_reg : product_in;
    assign {SOA, SOB} = 0;
endmodule

// Port A writes, port B reads, without the register on the way out. The address ends at pin 13; pins 0 up of port A enable
// bytes in words of two and four. A read of the word being written gives the inverse of both: nobody may use it.
module SDPB #(
    parameter [255:0] INIT_RAM_00 = 0,
    parameter [255:0] INIT_RAM_01 = 0,
    parameter [255:0] INIT_RAM_02 = 0,
    parameter [255:0] INIT_RAM_03 = 0,
    parameter [255:0] INIT_RAM_04 = 0,
    parameter [255:0] INIT_RAM_05 = 0,
    parameter [255:0] INIT_RAM_06 = 0,
    parameter [255:0] INIT_RAM_07 = 0,
    parameter [255:0] INIT_RAM_08 = 0,
    parameter [255:0] INIT_RAM_09 = 0,
    parameter [255:0] INIT_RAM_0A = 0,
    parameter [255:0] INIT_RAM_0B = 0,
    parameter [255:0] INIT_RAM_0C = 0,
    parameter [255:0] INIT_RAM_0D = 0,
    parameter [255:0] INIT_RAM_0E = 0,
    parameter [255:0] INIT_RAM_0F = 0,
    parameter [255:0] INIT_RAM_10 = 0,
    parameter [255:0] INIT_RAM_11 = 0,
    parameter [255:0] INIT_RAM_12 = 0,
    parameter [255:0] INIT_RAM_13 = 0,
    parameter [255:0] INIT_RAM_14 = 0,
    parameter [255:0] INIT_RAM_15 = 0,
    parameter [255:0] INIT_RAM_16 = 0,
    parameter [255:0] INIT_RAM_17 = 0,
    parameter [255:0] INIT_RAM_18 = 0,
    parameter [255:0] INIT_RAM_19 = 0,
    parameter [255:0] INIT_RAM_1A = 0,
    parameter [255:0] INIT_RAM_1B = 0,
    parameter [255:0] INIT_RAM_1C = 0,
    parameter [255:0] INIT_RAM_1D = 0,
    parameter [255:0] INIT_RAM_1E = 0,
    parameter [255:0] INIT_RAM_1F = 0,
    parameter [255:0] INIT_RAM_20 = 0,
    parameter [255:0] INIT_RAM_21 = 0,
    parameter [255:0] INIT_RAM_22 = 0,
    parameter [255:0] INIT_RAM_23 = 0,
    parameter [255:0] INIT_RAM_24 = 0,
    parameter [255:0] INIT_RAM_25 = 0,
    parameter [255:0] INIT_RAM_26 = 0,
    parameter [255:0] INIT_RAM_27 = 0,
    parameter [255:0] INIT_RAM_28 = 0,
    parameter [255:0] INIT_RAM_29 = 0,
    parameter [255:0] INIT_RAM_2A = 0,
    parameter [255:0] INIT_RAM_2B = 0,
    parameter [255:0] INIT_RAM_2C = 0,
    parameter [255:0] INIT_RAM_2D = 0,
    parameter [255:0] INIT_RAM_2E = 0,
    parameter [255:0] INIT_RAM_2F = 0,
    parameter [255:0] INIT_RAM_30 = 0,
    parameter [255:0] INIT_RAM_31 = 0,
    parameter [255:0] INIT_RAM_32 = 0,
    parameter [255:0] INIT_RAM_33 = 0,
    parameter [255:0] INIT_RAM_34 = 0,
    parameter [255:0] INIT_RAM_35 = 0,
    parameter [255:0] INIT_RAM_36 = 0,
    parameter [255:0] INIT_RAM_37 = 0,
    parameter [255:0] INIT_RAM_38 = 0,
    parameter [255:0] INIT_RAM_39 = 0,
    parameter [255:0] INIT_RAM_3A = 0,
    parameter [255:0] INIT_RAM_3B = 0,
    parameter [255:0] INIT_RAM_3C = 0,
    parameter [255:0] INIT_RAM_3D = 0,
    parameter [255:0] INIT_RAM_3E = 0,
    parameter [255:0] INIT_RAM_3F = 0,
    parameter [0:0] READ_MODE = 0,
    parameter BIT_WIDTH_0 = 32,
    parameter BIT_WIDTH_1 = 32,
    parameter [2:0] BLK_SEL_0 = 0,
    parameter [2:0] BLK_SEL_1 = 0,
    parameter RESET_MODE = "SYNC"
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [31:0] DI,
    output [31:0] DO
);
    localparam W = BIT_WIDTH_0;
    localparam LOW = W == 32 ? 5 : W == 16 ? 4 : W == 8 ? 3 : W == 4 ? 2 : W == 2 ? 1 : 0;
    initial
        if (BIT_WIDTH_0 != BIT_WIDTH_1 || READ_MODE || BLKSELA != BLK_SEL_0 || BLKSELB != BLK_SEL_1 || RESETA || RESETB)
            $fatal(1, "mode not modelled");
    localparam [64*256-1:0] INIT = {
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};
    reg [W-1:0] ram [(16384 >> LOW) - 1:0];
    reg [31:0] out = 0;
    integer i;
    initial for (i = 0; i < 16384 >> LOW; i = i + 1) ram[i] = INIT[i * W +: W];
    wire [3:0] enable = W == 32 ? ADA[3:0] : W == 16 ? {2'b00, ADA[1:0]} : 4'b0001;
    wire [13:0] wa = ADA >> LOW, ra = ADB >> LOW;
    always @(posedge CLKA)
        if (CEA)
            for (i = 0; i < W; i = i + 1)
                if (enable[i / 8]) ram[wa][i] <= DI[i];
    always @(posedge CLKB)
        if (CEB) out <= CEA && |enable && wa == ra ? ~ram[ra] : {{32 - W{1'b0}}, ram[ra]};
    assign DO = out;
endmodule

// Port A writes, port B reads, without the register on the way out. The address ends at pin 13; pins 0 up of port A enable
// bytes in words of two and four. A read of the word being written gives the inverse of both: nobody may use it.
module SDPX9B #(
    parameter [287:0] INIT_RAM_00 = 0,
    parameter [287:0] INIT_RAM_01 = 0,
    parameter [287:0] INIT_RAM_02 = 0,
    parameter [287:0] INIT_RAM_03 = 0,
    parameter [287:0] INIT_RAM_04 = 0,
    parameter [287:0] INIT_RAM_05 = 0,
    parameter [287:0] INIT_RAM_06 = 0,
    parameter [287:0] INIT_RAM_07 = 0,
    parameter [287:0] INIT_RAM_08 = 0,
    parameter [287:0] INIT_RAM_09 = 0,
    parameter [287:0] INIT_RAM_0A = 0,
    parameter [287:0] INIT_RAM_0B = 0,
    parameter [287:0] INIT_RAM_0C = 0,
    parameter [287:0] INIT_RAM_0D = 0,
    parameter [287:0] INIT_RAM_0E = 0,
    parameter [287:0] INIT_RAM_0F = 0,
    parameter [287:0] INIT_RAM_10 = 0,
    parameter [287:0] INIT_RAM_11 = 0,
    parameter [287:0] INIT_RAM_12 = 0,
    parameter [287:0] INIT_RAM_13 = 0,
    parameter [287:0] INIT_RAM_14 = 0,
    parameter [287:0] INIT_RAM_15 = 0,
    parameter [287:0] INIT_RAM_16 = 0,
    parameter [287:0] INIT_RAM_17 = 0,
    parameter [287:0] INIT_RAM_18 = 0,
    parameter [287:0] INIT_RAM_19 = 0,
    parameter [287:0] INIT_RAM_1A = 0,
    parameter [287:0] INIT_RAM_1B = 0,
    parameter [287:0] INIT_RAM_1C = 0,
    parameter [287:0] INIT_RAM_1D = 0,
    parameter [287:0] INIT_RAM_1E = 0,
    parameter [287:0] INIT_RAM_1F = 0,
    parameter [287:0] INIT_RAM_20 = 0,
    parameter [287:0] INIT_RAM_21 = 0,
    parameter [287:0] INIT_RAM_22 = 0,
    parameter [287:0] INIT_RAM_23 = 0,
    parameter [287:0] INIT_RAM_24 = 0,
    parameter [287:0] INIT_RAM_25 = 0,
    parameter [287:0] INIT_RAM_26 = 0,
    parameter [287:0] INIT_RAM_27 = 0,
    parameter [287:0] INIT_RAM_28 = 0,
    parameter [287:0] INIT_RAM_29 = 0,
    parameter [287:0] INIT_RAM_2A = 0,
    parameter [287:0] INIT_RAM_2B = 0,
    parameter [287:0] INIT_RAM_2C = 0,
    parameter [287:0] INIT_RAM_2D = 0,
    parameter [287:0] INIT_RAM_2E = 0,
    parameter [287:0] INIT_RAM_2F = 0,
    parameter [287:0] INIT_RAM_30 = 0,
    parameter [287:0] INIT_RAM_31 = 0,
    parameter [287:0] INIT_RAM_32 = 0,
    parameter [287:0] INIT_RAM_33 = 0,
    parameter [287:0] INIT_RAM_34 = 0,
    parameter [287:0] INIT_RAM_35 = 0,
    parameter [287:0] INIT_RAM_36 = 0,
    parameter [287:0] INIT_RAM_37 = 0,
    parameter [287:0] INIT_RAM_38 = 0,
    parameter [287:0] INIT_RAM_39 = 0,
    parameter [287:0] INIT_RAM_3A = 0,
    parameter [287:0] INIT_RAM_3B = 0,
    parameter [287:0] INIT_RAM_3C = 0,
    parameter [287:0] INIT_RAM_3D = 0,
    parameter [287:0] INIT_RAM_3E = 0,
    parameter [287:0] INIT_RAM_3F = 0,
    parameter [0:0] READ_MODE = 0,
    parameter BIT_WIDTH_0 = 36,
    parameter BIT_WIDTH_1 = 36,
    parameter [2:0] BLK_SEL_0 = 0,
    parameter [2:0] BLK_SEL_1 = 0,
    parameter RESET_MODE = "SYNC"
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [35:0] DI,
    output [35:0] DO
);
    localparam W = BIT_WIDTH_0;
    localparam LOW = W == 36 ? 5 : W == 18 ? 4 : 3;
    initial
        if (BIT_WIDTH_0 != BIT_WIDTH_1 || READ_MODE || BLKSELA != BLK_SEL_0 || BLKSELB != BLK_SEL_1 || RESETA || RESETB)
            $fatal(1, "mode not modelled");
    localparam [64*288-1:0] INIT = {
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};
    reg [W-1:0] ram [(16384 >> LOW) - 1:0];
    reg [35:0] out = 0;
    integer i;
    initial for (i = 0; i < 16384 >> LOW; i = i + 1) ram[i] = INIT[i * W +: W];
    wire [3:0] enable = W == 36 ? ADA[3:0] : W == 18 ? {2'b00, ADA[1:0]} : 4'b0001;
    wire [13:0] wa = ADA >> LOW, ra = ADB >> LOW;
    always @(posedge CLKA)
        if (CEA)
            for (i = 0; i < W; i = i + 1)
                if (enable[i / 9]) ram[wa][i] <= DI[i];
    always @(posedge CLKB)
        if (CEB) out <= CEA && |enable && wa == ra ? ~ram[ra] : {{36 - W{1'b0}}, ram[ra]};
    assign DO = out;
endmodule

// Both ports write and read, without the register on the way out. A read of a word being written gives its inverse:
// nobody may use it. The pins are as of the memory above.
module DPB #(
    parameter [255:0] INIT_RAM_00 = 0,
    parameter [255:0] INIT_RAM_01 = 0,
    parameter [255:0] INIT_RAM_02 = 0,
    parameter [255:0] INIT_RAM_03 = 0,
    parameter [255:0] INIT_RAM_04 = 0,
    parameter [255:0] INIT_RAM_05 = 0,
    parameter [255:0] INIT_RAM_06 = 0,
    parameter [255:0] INIT_RAM_07 = 0,
    parameter [255:0] INIT_RAM_08 = 0,
    parameter [255:0] INIT_RAM_09 = 0,
    parameter [255:0] INIT_RAM_0A = 0,
    parameter [255:0] INIT_RAM_0B = 0,
    parameter [255:0] INIT_RAM_0C = 0,
    parameter [255:0] INIT_RAM_0D = 0,
    parameter [255:0] INIT_RAM_0E = 0,
    parameter [255:0] INIT_RAM_0F = 0,
    parameter [255:0] INIT_RAM_10 = 0,
    parameter [255:0] INIT_RAM_11 = 0,
    parameter [255:0] INIT_RAM_12 = 0,
    parameter [255:0] INIT_RAM_13 = 0,
    parameter [255:0] INIT_RAM_14 = 0,
    parameter [255:0] INIT_RAM_15 = 0,
    parameter [255:0] INIT_RAM_16 = 0,
    parameter [255:0] INIT_RAM_17 = 0,
    parameter [255:0] INIT_RAM_18 = 0,
    parameter [255:0] INIT_RAM_19 = 0,
    parameter [255:0] INIT_RAM_1A = 0,
    parameter [255:0] INIT_RAM_1B = 0,
    parameter [255:0] INIT_RAM_1C = 0,
    parameter [255:0] INIT_RAM_1D = 0,
    parameter [255:0] INIT_RAM_1E = 0,
    parameter [255:0] INIT_RAM_1F = 0,
    parameter [255:0] INIT_RAM_20 = 0,
    parameter [255:0] INIT_RAM_21 = 0,
    parameter [255:0] INIT_RAM_22 = 0,
    parameter [255:0] INIT_RAM_23 = 0,
    parameter [255:0] INIT_RAM_24 = 0,
    parameter [255:0] INIT_RAM_25 = 0,
    parameter [255:0] INIT_RAM_26 = 0,
    parameter [255:0] INIT_RAM_27 = 0,
    parameter [255:0] INIT_RAM_28 = 0,
    parameter [255:0] INIT_RAM_29 = 0,
    parameter [255:0] INIT_RAM_2A = 0,
    parameter [255:0] INIT_RAM_2B = 0,
    parameter [255:0] INIT_RAM_2C = 0,
    parameter [255:0] INIT_RAM_2D = 0,
    parameter [255:0] INIT_RAM_2E = 0,
    parameter [255:0] INIT_RAM_2F = 0,
    parameter [255:0] INIT_RAM_30 = 0,
    parameter [255:0] INIT_RAM_31 = 0,
    parameter [255:0] INIT_RAM_32 = 0,
    parameter [255:0] INIT_RAM_33 = 0,
    parameter [255:0] INIT_RAM_34 = 0,
    parameter [255:0] INIT_RAM_35 = 0,
    parameter [255:0] INIT_RAM_36 = 0,
    parameter [255:0] INIT_RAM_37 = 0,
    parameter [255:0] INIT_RAM_38 = 0,
    parameter [255:0] INIT_RAM_39 = 0,
    parameter [255:0] INIT_RAM_3A = 0,
    parameter [255:0] INIT_RAM_3B = 0,
    parameter [255:0] INIT_RAM_3C = 0,
    parameter [255:0] INIT_RAM_3D = 0,
    parameter [255:0] INIT_RAM_3E = 0,
    parameter [255:0] INIT_RAM_3F = 0,
    parameter [0:0] READ_MODE0 = 0,
    parameter [0:0] READ_MODE1 = 0,
    parameter [1:0] WRITE_MODE0 = 0,
    parameter [1:0] WRITE_MODE1 = 0,
    parameter BIT_WIDTH_0 = 16,
    parameter BIT_WIDTH_1 = 16,
    parameter [2:0] BLK_SEL_0 = 0,
    parameter [2:0] BLK_SEL_1 = 0,
    parameter RESET_MODE = "SYNC"
) (
    input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [15:0] DIA, DIB,
    output [15:0] DOA, DOB
);
    localparam W = BIT_WIDTH_0;
    localparam LOW = W == 16 ? 4 : W == 8 ? 3 : W == 4 ? 2 : W == 2 ? 1 : 0;
    initial
        if (BIT_WIDTH_0 != BIT_WIDTH_1 || READ_MODE0 || READ_MODE1 || BLKSELA != BLK_SEL_0 || BLKSELB != BLK_SEL_1 || RESETA
            || RESETB)
            $fatal(1, "mode not modelled");
    localparam [64*256-1:0] INIT = {
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};
    reg [W-1:0] ram [(16384 >> LOW) - 1:0];
    reg [15:0] out_a = 0, out_b = 0;
    integer i;
    initial for (i = 0; i < 16384 >> LOW; i = i + 1) ram[i] = INIT[i * W +: W];
    wire [1:0] enable_a = W == 16 ? ADA[1:0] : 2'b01, enable_b = W == 16 ? ADB[1:0] : 2'b01;
    wire [13:0] word_a = ADA >> LOW, word_b = ADB >> LOW;
    always @(posedge CLKA)
        if (CEA) begin
            if (WREA)
                for (i = 0; i < W; i = i + 1)
                    if (enable_a[i / 8]) ram[word_a][i] <= DIA[i];
            out_a <= WREA || (CEB && WREB && word_a == word_b) ? ~ram[word_a] : {{16 - W{1'b0}}, ram[word_a]};
        end
    always @(posedge CLKB)
        if (CEB) begin
            if (WREB)
                for (i = 0; i < W; i = i + 1)
                    if (enable_b[i / 8]) ram[word_b][i] <= DIB[i];
            out_b <= WREB || (CEA && WREA && word_a == word_b) ? ~ram[word_b] : {{16 - W{1'b0}}, ram[word_b]};
        end
    assign DOA = out_a, DOB = out_b;
endmodule

// Both ports write and read, without the register on the way out. A read of a word being written gives its inverse:
// nobody may use it. The pins are as of the memory above.
module DPX9B #(
    parameter [287:0] INIT_RAM_00 = 0,
    parameter [287:0] INIT_RAM_01 = 0,
    parameter [287:0] INIT_RAM_02 = 0,
    parameter [287:0] INIT_RAM_03 = 0,
    parameter [287:0] INIT_RAM_04 = 0,
    parameter [287:0] INIT_RAM_05 = 0,
    parameter [287:0] INIT_RAM_06 = 0,
    parameter [287:0] INIT_RAM_07 = 0,
    parameter [287:0] INIT_RAM_08 = 0,
    parameter [287:0] INIT_RAM_09 = 0,
    parameter [287:0] INIT_RAM_0A = 0,
    parameter [287:0] INIT_RAM_0B = 0,
    parameter [287:0] INIT_RAM_0C = 0,
    parameter [287:0] INIT_RAM_0D = 0,
    parameter [287:0] INIT_RAM_0E = 0,
    parameter [287:0] INIT_RAM_0F = 0,
    parameter [287:0] INIT_RAM_10 = 0,
    parameter [287:0] INIT_RAM_11 = 0,
    parameter [287:0] INIT_RAM_12 = 0,
    parameter [287:0] INIT_RAM_13 = 0,
    parameter [287:0] INIT_RAM_14 = 0,
    parameter [287:0] INIT_RAM_15 = 0,
    parameter [287:0] INIT_RAM_16 = 0,
    parameter [287:0] INIT_RAM_17 = 0,
    parameter [287:0] INIT_RAM_18 = 0,
    parameter [287:0] INIT_RAM_19 = 0,
    parameter [287:0] INIT_RAM_1A = 0,
    parameter [287:0] INIT_RAM_1B = 0,
    parameter [287:0] INIT_RAM_1C = 0,
    parameter [287:0] INIT_RAM_1D = 0,
    parameter [287:0] INIT_RAM_1E = 0,
    parameter [287:0] INIT_RAM_1F = 0,
    parameter [287:0] INIT_RAM_20 = 0,
    parameter [287:0] INIT_RAM_21 = 0,
    parameter [287:0] INIT_RAM_22 = 0,
    parameter [287:0] INIT_RAM_23 = 0,
    parameter [287:0] INIT_RAM_24 = 0,
    parameter [287:0] INIT_RAM_25 = 0,
    parameter [287:0] INIT_RAM_26 = 0,
    parameter [287:0] INIT_RAM_27 = 0,
    parameter [287:0] INIT_RAM_28 = 0,
    parameter [287:0] INIT_RAM_29 = 0,
    parameter [287:0] INIT_RAM_2A = 0,
    parameter [287:0] INIT_RAM_2B = 0,
    parameter [287:0] INIT_RAM_2C = 0,
    parameter [287:0] INIT_RAM_2D = 0,
    parameter [287:0] INIT_RAM_2E = 0,
    parameter [287:0] INIT_RAM_2F = 0,
    parameter [287:0] INIT_RAM_30 = 0,
    parameter [287:0] INIT_RAM_31 = 0,
    parameter [287:0] INIT_RAM_32 = 0,
    parameter [287:0] INIT_RAM_33 = 0,
    parameter [287:0] INIT_RAM_34 = 0,
    parameter [287:0] INIT_RAM_35 = 0,
    parameter [287:0] INIT_RAM_36 = 0,
    parameter [287:0] INIT_RAM_37 = 0,
    parameter [287:0] INIT_RAM_38 = 0,
    parameter [287:0] INIT_RAM_39 = 0,
    parameter [287:0] INIT_RAM_3A = 0,
    parameter [287:0] INIT_RAM_3B = 0,
    parameter [287:0] INIT_RAM_3C = 0,
    parameter [287:0] INIT_RAM_3D = 0,
    parameter [287:0] INIT_RAM_3E = 0,
    parameter [287:0] INIT_RAM_3F = 0,
    parameter [0:0] READ_MODE0 = 0,
    parameter [0:0] READ_MODE1 = 0,
    parameter [1:0] WRITE_MODE0 = 0,
    parameter [1:0] WRITE_MODE1 = 0,
    parameter BIT_WIDTH_0 = 18,
    parameter BIT_WIDTH_1 = 18,
    parameter [2:0] BLK_SEL_0 = 0,
    parameter [2:0] BLK_SEL_1 = 0,
    parameter RESET_MODE = "SYNC"
) (
    input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [17:0] DIA, DIB,
    output [17:0] DOA, DOB
);
    localparam W = BIT_WIDTH_0;
    localparam LOW = W == 18 ? 4 : 3;
    initial
        if (BIT_WIDTH_0 != BIT_WIDTH_1 || READ_MODE0 || READ_MODE1 || BLKSELA != BLK_SEL_0 || BLKSELB != BLK_SEL_1 || RESETA
            || RESETB)
            $fatal(1, "mode not modelled");
    localparam [64*288-1:0] INIT = {
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};
    reg [W-1:0] ram [(16384 >> LOW) - 1:0];
    reg [17:0] out_a = 0, out_b = 0;
    integer i;
    initial for (i = 0; i < 16384 >> LOW; i = i + 1) ram[i] = INIT[i * W +: W];
    wire [1:0] enable_a = W == 18 ? ADA[1:0] : 2'b01, enable_b = W == 18 ? ADB[1:0] : 2'b01;
    wire [13:0] word_a = ADA >> LOW, word_b = ADB >> LOW;
    always @(posedge CLKA)
        if (CEA) begin
            if (WREA)
                for (i = 0; i < W; i = i + 1)
                    if (enable_a[i / 9]) ram[word_a][i] <= DIA[i];
            out_a <= WREA || (CEB && WREB && word_a == word_b) ? ~ram[word_a] : {{18 - W{1'b0}}, ram[word_a]};
        end
    always @(posedge CLKB)
        if (CEB) begin
            if (WREB)
                for (i = 0; i < W; i = i + 1)
                    if (enable_b[i / 9]) ram[word_b][i] <= DIB[i];
            out_b <= WREB || (CEA && WREA && word_a == word_b) ? ~ram[word_b] : {{18 - W{1'b0}}, ram[word_b]};
        end
    assign DOA = out_a, DOB = out_b;
endmodule
