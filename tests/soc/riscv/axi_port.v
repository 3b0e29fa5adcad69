// The SIOMMU's way to memory: an AXI4 slave in front of two ports of soc_ram, one for its reads and
// one for its writes.
//
// It takes one burst per direction at a time, which AXI permits; a memory that answers several at
// once lets walks overlap. What lies outside of the memory is answered with DECERR.

`default_nettype none

module soc_axi_port (
    input  wire        clk,
    input  wire        rst,

    input  wire  [3:0] arid,    input  wire  [3:0] awid,
    input  wire [63:0] araddr,  input  wire [63:0] awaddr,
    input  wire  [7:0] arlen,
    input  wire  [2:0] arsize,  input  wire  [2:0] awsize,
    input  wire  [1:0] arburst,
    input  wire        arvalid, input  wire        awvalid,
    output wire        arready, output wire        awready,
    output reg   [3:0] rid,     input  wire [63:0] wdata,
    output reg  [63:0] rdata,   input  wire  [7:0] wstrb,
    output reg   [1:0] rresp,   input  wire        wlast,
    output reg         rlast,   input  wire        wvalid,
    output reg         rvalid,  output wire        wready,
    input  wire        rready,
    output reg   [3:0] bid,
    output reg   [1:0] bresp,
    output reg         bvalid,
    input  wire        bready,

    output wire        read_valid,  output wire        write_valid,
    input  wire        read_ready,  input  wire        write_ready,
    output reg  [63:0] read_addr,   output reg  [63:0] write_addr,
    input  wire [63:0] read_data,   output wire [63:0] write_data,
                                    output wire  [7:0] write_strb,
    input  wire        error                // of the port that is ready
);

localparam [1:0] OKAY = 2'b00, DECERR = 2'b11, WRAP = 2'b10;

// A burst of table entries. A line of leaves comes as a WRAP burst that begins with the entry that is
// needed: at the end of the line its address goes back to the line's beginning.
reg        reading;
reg  [7:0] beats;                           // behind this one
reg [63:0] step, around;                    // bytes of a beat; address bits that change, in a WRAP

wire [63:0] behind = read_addr + step;

assign arready    = !reading;
assign read_valid = reading && !rvalid;

always @(posedge clk) begin
    if (arvalid && arready) begin
        reading   <= 1'b1;
        rid       <= arid;
        read_addr <= araddr;
        beats     <= arlen;
        step      <= 64'd1 << arsize;
        around    <= arburst == WRAP ? ((64'd1 + {56'd0, arlen}) << arsize) - 64'd1 : ~64'd0;
    end
    if (read_valid && read_ready) begin
        rvalid <= 1'b1;
        rdata  <= read_data;
        rresp  <= error ? DECERR : OKAY;
        rlast  <= beats == 8'd0;
    end
    if (rvalid && rready) begin
        rvalid    <= 1'b0;
        reading   <= !rlast;
        beats     <= beats - 8'd1;
        read_addr <= (read_addr & ~around) | (behind & around);
    end
    if (rst) begin
        reading <= 1'b0;
        rvalid  <= 1'b0;
    end
end

// A fault record, or the number of a fence. Its response comes when all of it is in memory: whoever
// sees FQ_TAIL move, or the fence's number, sees all that was written before.
reg        writing;
reg  [2:0] width;

assign awready     = !writing;
assign write_valid = writing && !bvalid && wvalid;
assign write_data  = wdata;
assign write_strb  = wstrb;
assign wready      = write_ready;

always @(posedge clk) begin
    if (awvalid && awready) begin
        writing    <= 1'b1;
        bid        <= awid;
        bresp      <= OKAY;
        write_addr <= awaddr;
        width      <= awsize;
    end
    if (write_valid && write_ready) begin
        write_addr <= write_addr + (64'd1 << width);
        bvalid     <= wlast;
        if (error)
            bresp <= DECERR;
    end
    if (bvalid && bready) begin
        bvalid  <= 1'b0;
        writing <= 1'b0;
    end
    if (rst) begin
        writing <= 1'b0;
        bvalid  <= 1'b0;
    end
end

endmodule

`default_nettype wire
