// The bench memory (design.md section 4): an AXI4 subordinate, one word a cycle and direction.
//
// Read and write channels are independent; up to 500 bursts may be outstanding, that is: as many as an engine
// issues. The first beat of a read burst is transferred exactly `latency` cycles after its address if the channel
// is free and the reader ready; then one beat a cycle, bursts in order, no gaps between them. Write data is taken
// as it comes, also before its address; the response is transferred `latency` cycles after the last beat (or after
// the address, if that comes later). A read sees what has been written before the cycle that delivers it.
//
// `stall_*` is the probability, in 1/256, that a channel pauses for a cycle; `seed` 0 turns it off. Word addresses
// `read_error`, `write_error` answer SLVERR; addresses beyond the memory answer DECERR.

module bench_memory #(
    parameter PORT_WIDTH  = 64,
    parameter MEMORY_BITS = 24  // log2 of the bytes
) (
    input clk,
    input rst,
    input [31:0] now,
    input [31:0] latency,
    input [31:0] seed,
    input [7:0] stall_ar,
    input [7:0] stall_r,
    input [7:0] stall_aw,
    input [7:0] stall_w,
    input [7:0] stall_b,
    input [31:0] read_error,
    input [31:0] write_error,
    input [31:0] araddr,
    input [7:0] arlen,
    input arvalid,
    output reg arready,
    output reg [PORT_WIDTH-1:0] rdata,
    output reg [1:0] rresp,
    output reg rlast,
    output reg rvalid,
    input rready,
    input [31:0] awaddr,
    input [7:0] awlen,
    input awvalid,
    output reg awready,
    input [PORT_WIDTH-1:0] wdata,
    input [PORT_WIDTH/8-1:0] wstrb,
    input wlast,
    input wvalid,
    output reg wready,
    output reg [1:0] bresp,
    output reg bvalid,
    input bready
);
    localparam PORT_BYTES = PORT_WIDTH / 8;
    localparam SHIFT = $clog2(PORT_BYTES);
    localparam INDEX = MEMORY_BITS - SHIFT;
    localparam [31:0] DEPTH = 1 << INDEX;
    localparam QUEUE = 512;
    localparam NARROW = PORT_WIDTH < 32 ? 32 / PORT_WIDTH : 1;  // words of 32 bits

    reg [PORT_WIDTH-1:0] words[0:DEPTH-1];
    integer file, got, i;
    reg [NARROW*PORT_WIDTH-1:0] dumped;

    // Fill words from load.bin (each word big-endian, as $fread wants it); `got` is the number read.
    task automatic load(input [31:0] first, input [31:0] count);
        file = $fopen("load.bin", "rb");
        got = $fread(words, file, first, count) / PORT_BYTES;
        $fclose(file);
    endtask

    // Write words to dump.bin, each as whole little-endian 32-bit words.
    task automatic dump(input [31:0] first, input [31:0] count);
        file = $fopen("dump.bin", "wb");
        for (i = 0; i < count; i = i + NARROW) begin
            for (got = 0; got < NARROW; got = got + 1)
                dumped[got*PORT_WIDTH+:PORT_WIDTH] = words[INDEX'(first+i+got)];
            $fwrite(file, "%u", dumped);
        end
        $fclose(file);
    endtask

    // Random pauses, xorshift64 ----------------------------------------------------------------

    reg [63:0] random;

    function automatic [63:0] xorshift(input [63:0] state);
        xorshift = state ^ (state << 13);
        xorshift = xorshift ^ (xorshift >> 7);
        xorshift = xorshift ^ (xorshift << 17);
    endfunction

    always @(posedge clk) if (seed != 0) random <= rst ? {~seed, seed} : xorshift(random);

    wire pause_ar = seed != 0 && random[7:0] < stall_ar;
    wire pause_r = seed != 0 && random[15:8] < stall_r;
    wire pause_aw = seed != 0 && random[23:16] < stall_aw;
    wire pause_w = seed != 0 && random[31:24] < stall_w;
    wire pause_b = seed != 0 && random[39:32] < stall_b;

    // Reads: queue of bursts, then beats ---------------------------------------------------------

    reg [31:0] read_word[0:QUEUE-1], read_due[0:QUEUE-1], read_at;
    reg [7:0] read_last[0:QUEUE-1], read_beat;
    reg [8:0] read_head, read_tail, read_room;

    // verilator lint_off BLKSEQ
    always @(posedge clk) begin : reads
        if (arvalid && arready) begin
            read_word[read_tail] = araddr >> SHIFT;
            read_last[read_tail] = arlen;
            read_due[read_tail] = now + latency;
            read_tail = read_tail + 1;
        end
        if (!rvalid || rready) begin
            rvalid <= 0;
            if (read_head != read_tail && !pause_r && (read_beat != 0 || read_due[read_head] <= now + 1)) begin
                read_at = read_word[read_head] + {24'd0, read_beat};
                rvalid <= 1;
                rdata <= words[read_at[INDEX-1:0]];
                rresp <= read_at >= DEPTH ? 2'd3 : read_at == read_error ? 2'd2 : 2'd0;
                rlast <= read_beat == read_last[read_head];
                if (read_beat == read_last[read_head]) begin
                    read_head = read_head + 1;
                    read_beat = 0;
                end else read_beat = read_beat + 1;
            end
        end
        if (rst) begin
            rvalid <= 0;
            read_head = 0;
            read_tail = 0;
            read_beat = 0;
        end
        read_room = read_head - read_tail - 1;
        arready <= !rst && !pause_ar && read_room > 2;
    end

    // Writes: addresses and data meet, the memory changes, the response waits its turn -----------

    reg [31:0] write_word[0:QUEUE-1], reply_due[0:QUEUE-1], write_at;
    reg [7:0] write_last[0:QUEUE-1], write_beat;
    reg [1:0] reply_code[0:QUEUE-1], write_code;
    reg [8:0] write_head, write_tail, reply_head, reply_tail, data_head, data_tail, reply_room, data_room;
    reg [PORT_WIDTH-1:0] data_word[0:QUEUE-1];
    reg [PORT_BYTES-1:0] data_strobe[0:QUEUE-1];
    reg data_last[0:QUEUE-1];
    reg misplaced = 0;  // wlast came too early or too late

    task automatic write_one();
        write_at = write_word[write_head] + {24'd0, write_beat};
        if (write_at >= DEPTH) write_code = 3;
        else if (write_at == write_error) write_code = 2;
        else if (&data_strobe[data_head]) words[write_at[INDEX-1:0]] = data_word[data_head];
        else
            for (integer lane = 0; lane < PORT_BYTES; lane = lane + 1)
                if (data_strobe[data_head][lane])
                    words[write_at[INDEX-1:0]][8*lane+:8] = data_word[data_head][8*lane+:8];
        if (data_last[data_head] != (write_beat == write_last[write_head])) misplaced = 1;
        data_head = data_head + 1;
        write_beat = write_beat + 1;
        if (write_beat == write_last[write_head] + 8'd1) begin
            reply_due[reply_tail] = now + latency;
            reply_code[reply_tail] = write_code;
            reply_tail = reply_tail + 1;
            write_head = write_head + 1;
            write_beat = 0;
            write_code = 0;
        end
    endtask

    always @(posedge clk) begin : writes
        if (awvalid && awready) begin
            write_word[write_tail] = awaddr >> SHIFT;
            write_last[write_tail] = awlen;
            write_tail = write_tail + 1;
        end
        if (wvalid && wready) begin
            data_word[data_tail] = wdata;
            data_strobe[data_tail] = wstrb;
            data_last[data_tail] = wlast;
            data_tail = data_tail + 1;
        end
        while (write_head != write_tail && data_head != data_tail) write_one();
        if (!bvalid || bready) begin
            bvalid <= 0;
            if (reply_head != reply_tail && !pause_b && reply_due[reply_head] <= now + 1) begin
                bvalid <= 1;
                bresp <= reply_code[reply_head];
                reply_head = reply_head + 1;
            end
        end
        if (rst) begin
            bvalid <= 0;
            {write_head, write_tail, reply_head, reply_tail, data_head, data_tail} = 0;
            {write_beat, write_code, misplaced} = 0;
        end
        reply_room = reply_head - reply_tail - (write_tail - write_head) - 1;
        data_room = data_head - data_tail - 1;
        awready <= !rst && !pause_aw && reply_room > 2;
        wready <= !rst && !pause_w && data_room > 2;
    end
    // verilator lint_on BLKSEQ
endmodule
