// The bench of an engine behind a serial line: clock, design, the host's end of the line, a mailbox as in bench.sv.
//
//   command   value              result
//   RESET     cycles of reset    -
//   SEND      bytes              bytes sent of send.bin
//   RECEIVE   bytes              bytes written to receive.bin: those that came, at most so many; waits for them as long
//                                as `patience` cycles go by without any
//   CYCLES    -                  cycles since the reset
//
// Bytes that come are kept until they are asked for.

module bench_uart #(
    parameter DIVISOR = 4
) ();
    localparam [3:0] RESET = 1, SEND = 2, RECEIVE = 3, CYCLES = 4;
    localparam PATIENCE = 400 * DIVISOR;
    localparam QUEUE = 65536;

    reg clk = 0, rst = 1, rx = 1;
    wire tx, irq;
    always #5 clk = !clk;
    reg [31:0] now = 0;
    always @(posedge clk) now <= rst ? 0 : now + 1;

    onchip dut (.clk(clk), .rst(rst), .hold(1'b0), .rx(rx), .tx(tx), .irq(irq));

    reg [3:0] command /*verilator public_flat_rw*/ = 0;
    reg [31:0] value /*verilator public_flat_rw*/ = 0;
    reg request /*verilator public_flat_rw*/ = 0;
    reg ack /*verilator public_flat_rd*/ = 0;
    reg [31:0] result /*verilator public_flat_rd*/ = 0;

    // To the board: start bit, 8 bits, stop bit ------------------------------------------------

    reg [9:0] shifted = '1;
    reg [31:0] bits = 0, left = 0, count = 0, quiet = 0;
    integer file, next;

    // verilator lint_off BLKSEQ
    task automatic step_send();
        if (left != 0) left = left - 1;
        else if (bits != 0) begin
            {shifted, rx} <= {1'b1, shifted};
            bits = bits - 1;
            left = DIVISOR - 1;
        end else if (count < value) begin
            next = $fgetc(file);
            shifted <= {1'b1, next[7:0], 1'b0};
            bits = 10;
            count = count + 1;
        end else begin
            $fclose(file);
            result <= count;
            count = 0;
            ack <= request;
        end
    endtask

    // From the board ---------------------------------------------------------------------------

    reg [7:0] queue[0:QUEUE-1], byte_in = 0;
    reg [15:0] head = 0, tail = 0;
    reg [31:0] in_left = 0, in_bits = 0;
    reg lost = 0;

    task automatic step_receive();
        if (in_bits == 0) begin
            if (!tx) begin
                in_bits = 10;
                in_left = DIVISOR / 2;
            end
        end else if (in_left != 0) in_left = in_left - 1;
        else begin
            if (in_bits > 1) byte_in = {tx, byte_in[7:1]};
            else if (tx) begin
                queue[tail] = byte_in;
                tail = tail + 1;
                quiet = 0;
            end else lost = 1;  // no stop bit
            in_bits = in_bits - 1;
            in_left = DIVISOR - 1;
        end
    endtask

    always @(posedge clk) begin : mailbox
        step_receive();
        quiet = quiet + 1;
        if (rst) begin
            head = tail;
            in_bits = 0;
        end
        if (request != ack)
            case (command)
                RESET: begin
                    rst <= count < value;
                    count = count + 1;
                    if (count > value) begin
                        count = 0;
                        ack <= request;
                    end
                end
                SEND: begin
                    if (count == 0) file = $fopen("send.bin", "rb");
                    step_send();
                    quiet = 0;
                end
                RECEIVE:
                if (tail - head >= value[15:0] || quiet > PATIENCE || lost) begin
                    file = $fopen("receive.bin", "wb");
                    for (count = 0; count < value && head != tail; count = count + 1) begin
                        $fwrite(file, "%c", queue[head]);
                        head = head + 1;
                    end
                    $fclose(file);
                    result <= count;
                    count = 0;
                    ack <= request;
                end
                CYCLES: begin
                    result <= now;
                    ack <= request;
                end
                default: $fatal(1, "bench_uart: no command %0d", command);
            endcase
    end
    // verilator lint_on BLKSEQ
endmodule
