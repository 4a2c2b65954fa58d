// The bench: clock, engine, bench memory, control port master, trace of the outputs.
//
// Nothing crosses into the simulation while the engine runs: Python (sim/cocotb_engine.py) sets `command`, `operand`
// and `value`, inverts `request` and waits until `ack` equals it. A command takes its cycles here:
//
//   command   operand            value                result
//   RESET     -                  cycles of reset      -
//   LOAD      first word         words                words read from load.bin (each word big-endian)
//   DUMP      first word         words                words written to dump.bin (as little-endian 32-bit words)
//   WRITE     register address   data                 cycle of the transfer
//   READ      register address   -                    data
//   WAIT      -                  cycles, 0: forever   1: interrupt, 0: so many cycles passed
//   TRACE     number of a file   1: open, 0: close    -
//   SET       which setting      data                 -
//   STATUS    -                  -                    what went wrong on the memory port, see `violation`
//
// Cycles count from the end of the reset. A trace record is `cycle - cycle of the last register write` (the start,
// that is), address, codes; each padded to whole little-endian 32-bit words.
//
// The engine's outputs are watched at `SYSTOLITH_TRACE` (defined as the path of the instance that has trace_valid,
// trace_addr, trace_codes); without it there is no trace.

module bench #(
    parameter PORT_WIDTH  = 64,
    parameter MEMORY_BITS = 24,  // log2 of the memory's bytes
    parameter TRACE_WIDTH = 64   // bits of trace_codes
) ();
    localparam PORT_BYTES = PORT_WIDTH / 8;
    localparam TRACE_WORDS = (TRACE_WIDTH + 31) / 32;
    localparam [3:0] RESET = 1, LOAD = 2, DUMP = 3, WRITE = 4, READ = 5, WAIT = 6, TRACE = 7, SET = 8, STATUS = 9;

    reg clk = 0;
    reg rst = 1;
    always #5 clk = !clk;

    reg [31:0] now = 0;
    always @(posedge clk) now <= rst ? 0 : now + 1;

    // Engine and memory ------------------------------------------------------------------------

    wire [31:0] araddr, awaddr;
    wire [7:0] arlen, awlen;
    wire [2:0] arsize, awsize;
    wire [1:0] arburst, awburst, rresp, bresp;
    wire arvalid, arready, rvalid, rready, rlast, awvalid, awready, wvalid, wready, wlast, bvalid, bready;
    wire [PORT_WIDTH-1:0] rdata, wdata;
    wire [PORT_BYTES-1:0] wstrb;

    reg [11:0] ctl_addr = 0;
    reg [31:0] ctl_wdata = 0;
    reg ctl_awvalid = 0, ctl_wvalid = 0, ctl_bready = 0, ctl_arvalid = 0, ctl_rready = 0;
    wire ctl_awready, ctl_wready, ctl_bvalid, ctl_arready, ctl_rvalid, irq;
    wire [31:0] ctl_rdata;
    wire [1:0] ctl_bresp, ctl_rresp;

    engine dut (
        .clk(clk), .rst(rst), .irq(irq),
        .axi__araddr(araddr), .axi__arlen(arlen), .axi__arsize(arsize), .axi__arburst(arburst),
        .axi__arvalid(arvalid), .axi__arready(arready),
        .axi__rdata(rdata), .axi__rresp(rresp), .axi__rlast(rlast), .axi__rvalid(rvalid), .axi__rready(rready),
        .axi__awaddr(awaddr), .axi__awlen(awlen), .axi__awsize(awsize), .axi__awburst(awburst),
        .axi__awvalid(awvalid), .axi__awready(awready),
        .axi__wdata(wdata), .axi__wstrb(wstrb), .axi__wlast(wlast), .axi__wvalid(wvalid), .axi__wready(wready),
        .axi__bresp(bresp), .axi__bvalid(bvalid), .axi__bready(bready),
        .ctl__awaddr(ctl_addr), .ctl__awvalid(ctl_awvalid), .ctl__awready(ctl_awready),
        .ctl__wdata(ctl_wdata), .ctl__wstrb(4'hF), .ctl__wvalid(ctl_wvalid), .ctl__wready(ctl_wready),
        .ctl__bresp(ctl_bresp), .ctl__bvalid(ctl_bvalid), .ctl__bready(ctl_bready),
        .ctl__araddr(ctl_addr), .ctl__arvalid(ctl_arvalid), .ctl__arready(ctl_arready),
        .ctl__rdata(ctl_rdata), .ctl__rresp(ctl_rresp), .ctl__rvalid(ctl_rvalid), .ctl__rready(ctl_rready)
    );

    reg [31:0] latency = 30, seed = 0, read_error = '1, write_error = '1;
    reg [7:0] stall_ar = 0, stall_r = 0, stall_aw = 0, stall_w = 0, stall_b = 0;

    bench_memory #(.PORT_WIDTH(PORT_WIDTH), .MEMORY_BITS(MEMORY_BITS)) memory (.*);

    // Mailbox ----------------------------------------------------------------------------------

    reg [3:0] command /*verilator public_flat_rw*/ = 0;
    reg [31:0] operand /*verilator public_flat_rw*/ = 0;
    reg [31:0] value /*verilator public_flat_rw*/ = 0;
    reg request /*verilator public_flat_rw*/ = 0;
    reg ack /*verilator public_flat_rd*/ = 0;
    reg [31:0] result /*verilator public_flat_rd*/ = 0;

    reg [31:0] count = 0;    // cycles this command has taken
    reg [31:0] written = 0;  // cycle of the last register write
    integer trace_file = 0;

    task automatic set();
        case (operand)
            0: latency <= value;
            1: seed <= value;
            2: {stall_r, stall_ar} <= value[15:0];
            3: {stall_b, stall_w, stall_aw} <= value[23:0];
            4: read_error <= value;
            5: write_error <= value;
            default: $fatal(1, "bench: no setting %0d", operand);
        endcase
    endtask

    task automatic done();
        ack <= request;
        count <= 0;
    endtask

    always @(posedge clk) begin : mailbox
        if (ctl_awvalid && ctl_awready) ctl_awvalid <= 0;
        if (ctl_arvalid && ctl_arready) ctl_arvalid <= 0;
        if (ctl_wvalid && ctl_wready) begin
            ctl_wvalid <= 0;
            written <= now;
            result <= now;
        end
        if (request != ack) begin
            count <= count + 1;
            case (command)
                RESET: begin
                    rst <= count < value;
                    {ctl_awvalid, ctl_wvalid, ctl_bready, ctl_arvalid, ctl_rready} <= 0;
                    if (count >= value) done();
                end
                LOAD: begin
                    memory.load(operand, value);
                    result <= memory.got;
                    done();
                end
                DUMP: begin
                    memory.dump(operand, value);
                    result <= value;
                    done();
                end
                WRITE:
                if (count == 0) begin
                    {ctl_awvalid, ctl_wvalid, ctl_bready} <= 3'b111;
                    ctl_addr <= operand[11:0];
                    ctl_wdata <= value;
                end else if (ctl_bvalid && ctl_bready) begin
                    ctl_bready <= 0;
                    done();
                end
                READ:
                if (count == 0) begin
                    {ctl_arvalid, ctl_rready} <= 2'b11;
                    ctl_addr <= operand[11:0];
                end else if (ctl_rvalid && ctl_rready) begin
                    ctl_rready <= 0;
                    result <= ctl_rdata;
                    done();
                end
                WAIT:
                if (irq || (value != 0 && count >= value)) begin
                    result <= {31'd0, irq};
                    done();
                end
                TRACE: begin
                    if (trace_file != 0) $fclose(trace_file);
                    trace_file = value == 0 ? 0 : $fopen($sformatf("trace%0d.bin", operand), "wb");
                    done();
                end
                SET: begin
                    set();
                    done();
                end
                STATUS: begin
                    result <= violation;
                    done();
                end
                default: $fatal(1, "bench: no command %0d", command);
            endcase
        end
    end

    // Trace ------------------------------------------------------------------------------------

`ifdef SYSTOLITH_TRACE
    always @(posedge clk)
        if (trace_file != 0 && `SYSTOLITH_TRACE.trace_valid && !rst)
            $fwrite(trace_file, "%u%u%u", now - written, 32'(`SYSTOLITH_TRACE.trace_addr),
                    (32 * TRACE_WORDS)'(`SYSTOLITH_TRACE.trace_codes));
`endif

    // Protocol checks --------------------------------------------------------------------------

    localparam [2:0] SIZE = $clog2(PORT_BYTES);
    localparam HELD = 45, HELD_W = PORT_WIDTH + PORT_BYTES + 2;

    reg [31:0] violation = 0;  // since the reset, a bit each:
    // 0: burst that is not INCR or not of the full width  1: address not aligned to the port
    // 2: burst crosses 4096 bytes  3, 4, 5: address read, address write, data took back or changed an offer
    // 6: WLAST too early or too late

    reg [HELD-1:0] held_ar = 0, held_aw = 0;
    reg [HELD_W-1:0] held_w = 0;
    wire [HELD-1:0] offer_ar = {arvalid, araddr, arlen, arsize, 1'b0};
    wire [HELD-1:0] offer_aw = {awvalid, awaddr, awlen, awsize, 1'b0};
    wire [HELD_W-1:0] offer_w = {wvalid, wdata, wstrb, wlast};

    function automatic [31:0] burst(input [31:0] addr, input [7:0] len, input [2:0] size, input [1:0] kind);
        burst = 0;
        burst[0] = kind != 2'b01 || size != SIZE;
        burst[1] = (addr & (PORT_BYTES - 1)) != 0;
        burst[2] = {20'd0, addr[11:0]} + ({24'd0, len} + 1) * PORT_BYTES > 4096;
    endfunction

    reg [31:0] found;
    // verilator lint_off BLKSEQ
    always @(posedge clk) begin : checks
        found = 0;
        if (arvalid) found = found | burst(araddr, arlen, arsize, arburst);
        if (awvalid) found = found | burst(awaddr, awlen, awsize, awburst);
        if (held_ar[HELD-1] && held_ar != offer_ar) found[3] = 1;
        if (held_aw[HELD-1] && held_aw != offer_aw) found[4] = 1;
        if (held_w[HELD_W-1] && held_w != offer_w) found[5] = 1;
        if (memory.misplaced) found[6] = 1;
        held_ar <= arready || rst ? 0 : offer_ar;
        held_aw <= awready || rst ? 0 : offer_aw;
        held_w <= wready || rst ? 0 : offer_w;
        violation <= rst ? 0 : violation | found;
    end
endmodule
