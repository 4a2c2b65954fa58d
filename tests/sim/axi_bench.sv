// The engine alone, its ports visible to Python: for a memory and a host that others wrote (cocotbext-axi).
// Python drives the clock, so that it sees what was there before an edge.

module axi_bench #(
    parameter PORT_WIDTH = 64
) ();
    localparam PORT_BYTES = PORT_WIDTH / 8;

    reg clk /*verilator public_flat_rw*/ = 0;
    reg rst /*verilator public_flat_rw*/ = 1;

    wire irq /*verilator public_flat_rd*/;

    wire [7:0] axi_arid /*verilator public_flat_rd*/ = 0;
    wire [31:0] axi_araddr /*verilator public_flat_rd*/;
    wire [7:0] axi_arlen /*verilator public_flat_rd*/;
    wire [2:0] axi_arsize /*verilator public_flat_rd*/;
    wire [1:0] axi_arburst /*verilator public_flat_rd*/;
    wire axi_arvalid /*verilator public_flat_rd*/;
    reg axi_arready /*verilator public_flat_rw*/ = 0;
    reg [7:0] axi_rid /*verilator public_flat_rw*/ = 0;
    reg [PORT_WIDTH-1:0] axi_rdata /*verilator public_flat_rw*/ = 0;
    reg [1:0] axi_rresp /*verilator public_flat_rw*/ = 0;
    reg axi_rlast /*verilator public_flat_rw*/ = 0;
    reg axi_rvalid /*verilator public_flat_rw*/ = 0;
    wire axi_rready /*verilator public_flat_rd*/;

    wire [7:0] axi_awid /*verilator public_flat_rd*/ = 0;
    wire [31:0] axi_awaddr /*verilator public_flat_rd*/;
    wire [7:0] axi_awlen /*verilator public_flat_rd*/;
    wire [2:0] axi_awsize /*verilator public_flat_rd*/;
    wire [1:0] axi_awburst /*verilator public_flat_rd*/;
    wire axi_awvalid /*verilator public_flat_rd*/;
    reg axi_awready /*verilator public_flat_rw*/ = 0;
    wire [PORT_WIDTH-1:0] axi_wdata /*verilator public_flat_rd*/;
    wire [PORT_BYTES-1:0] axi_wstrb /*verilator public_flat_rd*/;
    wire axi_wlast /*verilator public_flat_rd*/;
    wire axi_wvalid /*verilator public_flat_rd*/;
    reg axi_wready /*verilator public_flat_rw*/ = 0;
    reg [7:0] axi_bid /*verilator public_flat_rw*/ = 0;
    reg [1:0] axi_bresp /*verilator public_flat_rw*/ = 0;
    reg axi_bvalid /*verilator public_flat_rw*/ = 0;
    wire axi_bready /*verilator public_flat_rd*/;

    reg [11:0] ctl_awaddr /*verilator public_flat_rw*/ = 0;
    reg ctl_awvalid /*verilator public_flat_rw*/ = 0;
    wire ctl_awready /*verilator public_flat_rd*/;
    reg [31:0] ctl_wdata /*verilator public_flat_rw*/ = 0;
    reg [3:0] ctl_wstrb /*verilator public_flat_rw*/ = 0;
    reg ctl_wvalid /*verilator public_flat_rw*/ = 0;
    wire ctl_wready /*verilator public_flat_rd*/;
    wire [1:0] ctl_bresp /*verilator public_flat_rd*/;
    wire ctl_bvalid /*verilator public_flat_rd*/;
    reg ctl_bready /*verilator public_flat_rw*/ = 0;
    reg [11:0] ctl_araddr /*verilator public_flat_rw*/ = 0;
    reg ctl_arvalid /*verilator public_flat_rw*/ = 0;
    wire ctl_arready /*verilator public_flat_rd*/;
    wire [31:0] ctl_rdata /*verilator public_flat_rd*/;
    wire [1:0] ctl_rresp /*verilator public_flat_rd*/;
    wire ctl_rvalid /*verilator public_flat_rd*/;
    reg ctl_rready /*verilator public_flat_rw*/ = 0;

    engine dut (
        .clk(clk), .rst(rst), .irq(irq),
        .axi__araddr(axi_araddr), .axi__arlen(axi_arlen), .axi__arsize(axi_arsize), .axi__arburst(axi_arburst),
        .axi__arvalid(axi_arvalid), .axi__arready(axi_arready),
        .axi__rdata(axi_rdata), .axi__rresp(axi_rresp), .axi__rlast(axi_rlast), .axi__rvalid(axi_rvalid),
        .axi__rready(axi_rready),
        .axi__awaddr(axi_awaddr), .axi__awlen(axi_awlen), .axi__awsize(axi_awsize), .axi__awburst(axi_awburst),
        .axi__awvalid(axi_awvalid), .axi__awready(axi_awready),
        .axi__wdata(axi_wdata), .axi__wstrb(axi_wstrb), .axi__wlast(axi_wlast), .axi__wvalid(axi_wvalid),
        .axi__wready(axi_wready),
        .axi__bresp(axi_bresp), .axi__bvalid(axi_bvalid), .axi__bready(axi_bready),
        .ctl__awaddr(ctl_awaddr), .ctl__awvalid(ctl_awvalid), .ctl__awready(ctl_awready),
        .ctl__wdata(ctl_wdata), .ctl__wstrb(ctl_wstrb), .ctl__wvalid(ctl_wvalid), .ctl__wready(ctl_wready),
        .ctl__bresp(ctl_bresp), .ctl__bvalid(ctl_bvalid), .ctl__bready(ctl_bready),
        .ctl__araddr(ctl_araddr), .ctl__arvalid(ctl_arvalid), .ctl__arready(ctl_arready),
        .ctl__rdata(ctl_rdata), .ctl__rresp(ctl_rresp), .ctl__rvalid(ctl_rvalid), .ctl__rready(ctl_rready)
    );
endmodule
