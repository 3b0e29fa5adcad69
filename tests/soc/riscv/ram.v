// Main memory of the example: 64 bits wide, one access per cycle, the answer a cycle later.
//
// Each of its ports speaks as PicoRV32 does: `valid` and what goes with it stay until `ready`, which
// lasts one cycle and comes with the data of a read. The lowest port that waits is served first; none
// can starve the others, since each pauses for a cycle after its `ready`. An access outside of the
// memory does nothing and comes back with `error`.

`default_nettype none

module soc_ram #(
    parameter integer    PORTS = 4,
    parameter integer    LOG2 = 22,                 // 2^LOG2 bytes ...
    parameter     [63:0] BASE = 64'h8000_0000       // ... from this address on
) (
    input  wire                clk,
    input  wire                rst,
    input  wire    [PORTS-1:0] valid,
    output reg     [PORTS-1:0] ready,
    input  wire [64*PORTS-1:0] addr,                // of bytes; the lowest three bits count for nothing
    input  wire  [8*PORTS-1:0] wstrb,               // a bit for each byte to write; a read has none
    input  wire [64*PORTS-1:0] wdata,
    output reg          [63:0] rdata,               // of the port that is ready
    output reg                 error
);

reg [63:0] words [0:(1 << (LOG2 - 3)) - 1];
reg [8*1024-1:0] file;

// The firmware is loaded before the first cycle. All else is what it was at power-up: anything.
initial if ($value$plusargs("firmware=%s", file)) $readmemh(file, words);

reg [PORTS-1:0] chosen;
reg      [63:0] address, data;
reg       [7:0] strobe;
integer         port, lane;

always @* begin
    chosen  = {PORTS{1'b0}};
    address = 64'd0;
    strobe  = 8'd0;
    data    = 64'd0;
    for (port = PORTS - 1; port >= 0; port = port - 1)
        if (valid[port] && !ready[port]) begin
            chosen       = {PORTS{1'b0}};
            chosen[port] = 1'b1;
            address      = addr[64*port +: 64];
            strobe       = wstrb[8*port +: 8];
            data         = wdata[64*port +: 64];
        end
end

wire present = address[63:LOG2] == BASE[63:LOG2];

always @(posedge clk) begin
    ready <= rst ? {PORTS{1'b0}} : chosen;
    error <= !present;
    rdata <= present ? words[address[LOG2-1:3]] : 64'd0;
    if (chosen != 0 && present && !rst)
        for (lane = 0; lane < 8; lane = lane + 1)
            if (strobe[lane])
                words[address[LOG2-1:3]][8*lane +: 8] <= data[8*lane +: 8];
end

endmodule

`default_nettype wire
