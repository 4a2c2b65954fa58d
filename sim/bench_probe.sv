// What happens on the memory port and in the engine's units, cycle by cycle, into a file: sim/probe.py reads it.
//
// Bound into the bench where a run is to be profiled; others do without, so they stay as fast. While the bench records its
// Nth trace, counted from 0, probeN.bin gets a record of three little-endian 32-bit words for every cycle in which
// something happens:
//
//   cycle     counted from the start, as in the bench's trace
//   what      bit 0..2   load, compute, store: an instruction is complete
//             bit 3..5   load, compute, store: a record is taken        bit 6..8: is first on offer
//             bit 9      a read burst is asked for       bit 10: a word is read        bit 11: a word is written
//             bit 12..16 the array: pixel, wait, weight, bank, short; where that has changed, else 0
//             bit 24..31 words of the read burst - 1
//   address   of the read burst
//
// The events of the array are those that the engine's counters count, in the cycle in which they do.

module bench_probe ();
    integer file = 0, number = 0;
    wire open = bench.trace_file != 0;
    wire [2:0] done = {bench.dut.completion.store_done, bench.dut.completion.compute_done,
                       bench.dut.completion.load_done};
    wire [2:0] valid = {bench.dut.store_queue.valid_0, bench.dut.compute_queue.valid_0,
                        bench.dut.load_queue.valid_0};
    wire [2:0] taken = {bench.dut.store_queue.taken, bench.dut.compute_queue.taken, bench.dut.load_queue.taken};
    wire [4:0] state = {bench.dut.counters.short_now, bench.dut.counters.bank_now, bench.dut.counters.weight_now,
                        bench.dut.counters.wait_now, bench.dut.counters.pixel_now};
    wire asked = bench.arvalid && bench.arready;

    reg [2:0] offered = 0;  // on offer before, and not taken
    reg [4:0] last = 0;
    wire [16:0] what = {state != last ? state : 5'd0, bench.wvalid && bench.wready, bench.rvalid && bench.rready, asked,
                        valid & ~offered, taken, done};

    always @(posedge bench.clk) begin : record
        if (file == 0 && open) begin
            file = $fopen($sformatf("probe%0d.bin", number), "wb");
            number = number + 1;
        end else if (file != 0 && !open) begin
            $fclose(file);
            file = 0;
        end
        offered <= bench.rst ? 0 : valid & ~taken;
        last <= bench.rst ? 0 : state;
        if (file != 0 && !bench.rst && what != 0)
            $fwrite(file, "%u%u%u", bench.now - bench.written, {asked ? bench.arlen : 8'd0, 7'd0, what},
                    asked ? bench.araddr : 32'd0);
    end
endmodule

bind bench bench_probe probe ();
