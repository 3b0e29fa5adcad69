// A small system around the SIOMMU: a RISC-V processor (PicoRV32), memory, a device that copies.
//
//     PicoRV32 ---+--- memory ----+----------------+
//                 |               | tables, queues | data, at translated addresses
//                 +--- registers: | AXI4           |
//                 |    AXI4-Lite  |                |
//                 +----------- SIOMMU ---------- device (soc_dma)
//                 |              requests: dev0    |
//                 +--- registers ------------------+
//                 +--- console, end of the simulation, interrupt lines
//
//     0x1000_0000   console and the like, see below
//     0x1001_0000   the device's registers, see dma.v
//     0x1002_0000   the SIOMMU's registers
//     0x8000_0000   memory, 4 MiB; the firmware begins here
//
// The core is the preset `small` with RISC-V tables: one device port, no processor port. Another
// preset has more ports, to be tied off as in docs/example_soc.v.

`default_nettype none

module riscv_soc (
    input  wire        clk,
    input  wire        rst,
    output reg         console,             // one cycle for each character ...
    output reg   [7:0] character,           // ... and which
    output reg         ended,               // the firmware has ended, with this status
    output reg  [31:0] status,
    output wire        trap                 // the processor met what it cannot execute
);

localparam [19:0] SYSTEM_PAGE = 20'h1000_0, DEVICE_PAGE = 20'h1001_0, SIOMMU_PAGE = 20'h1002_0;
localparam  [9:0] MEMORY = 10'h200;         // 0x8000_0000, in units of 4 MiB
localparam [11:0] CONSOLE = 12'h000, END = 12'h004, INTERRUPTS = 12'h008, BUS_ERRORS = 12'h00C;

/* verilator lint_off PINMISSING */          // of processor and core, outputs that nobody uses

// -- the processor ---------------------------------------------------------------------------------

wire        mem_valid, mem_instr, mem_ready;
wire [31:0] mem_addr, mem_wdata, mem_rdata;
wire  [3:0] mem_wstrb;

picorv32 #(
    .PROGADDR_RESET(32'h8000_0000), .BARREL_SHIFTER(1), .ENABLE_FAST_MUL(1), .ENABLE_DIV(1)
) processor (
    .clk(clk), .resetn(!rst), .trap(trap),
    .mem_valid(mem_valid), .mem_instr(mem_instr), .mem_ready(mem_ready), .mem_addr(mem_addr),
    .mem_wdata(mem_wdata), .mem_wstrb(mem_wstrb), .mem_rdata(mem_rdata),
    .pcpi_wr(1'b0), .pcpi_rd(32'd0), .pcpi_wait(1'b0), .pcpi_ready(1'b0), .irq(32'd0)
);

wire to_memory = mem_valid && mem_addr[31:22] == MEMORY;
wire to_device = mem_valid && mem_addr[31:12] == DEVICE_PAGE;
wire to_siommu = mem_valid && mem_addr[31:12] == SIOMMU_PAGE;
wire to_system = mem_valid && mem_addr[31:12] == SYSTEM_PAGE;
wire to_nobody = mem_valid && !(to_memory || to_device || to_siommu || to_system);

wire        memory_ready, device_ready, siommu_ready;
reg         system_ready;
wire [63:0] memory_data;
wire [31:0] device_data, siommu_data;
reg  [31:0] system_data;

assign mem_ready = memory_ready || device_ready || siommu_ready || system_ready;
assign mem_rdata = to_memory ? (mem_addr[2] ? memory_data[63:32] : memory_data[31:0])
                 : to_device ? device_data : to_siommu ? siommu_data : system_data;

// -- console, end, interrupt lines, errors ---------------------------------------------------------

// PicoRV32 has no exception for an access that a bus answers with an error. They are counted, so that
// none is lost; BUS_ERRORS tells how many there were, and reading it begins anew.
wire       siommu_error;
reg  [7:0] errors;
wire [2:0] interrupts;

always @(posedge clk) begin
    system_ready <= (to_system || to_nobody) && !system_ready && !rst;
    system_data  <= !to_system ? 32'd0
                  : mem_addr[11:0] == INTERRUPTS ? {29'd0, interrupts}
                  : mem_addr[11:0] == BUS_ERRORS ? {24'd0, errors} : 32'd0;
    console      <= to_system && system_ready && mem_wstrb[0] && mem_addr[11:0] == CONSOLE;
    character    <= mem_wdata[7:0];
    if (to_system && system_ready && mem_wstrb[0] && mem_addr[11:0] == END) begin
        ended  <= 1'b1;
        status <= mem_wdata;
    end
    if (siommu_error || (to_nobody && system_ready))
        errors <= errors + 8'd1;
    else if (to_system && system_ready && mem_wstrb == 4'd0 && mem_addr[11:0] == BUS_ERRORS)
        errors <= 8'd0;
    if (rst) begin
        console <= 1'b0;
        ended   <= 1'b0;
        errors  <= 8'd0;
    end
end

// -- memory: whose port comes first is served first -----------------------------------------------

wire        fetch_valid, record_valid, copy_valid, fetch_ready, record_ready, copy_ready;
wire [63:0] fetch_addr, record_addr, record_data, copy_addr, copy_data;
wire  [7:0] record_strb, copy_strb;
wire        memory_error;

soc_ram #(.PORTS(4)) memory (
    .clk(clk), .rst(rst),
    .valid({to_memory, copy_valid, fetch_valid, record_valid}),
    .ready({memory_ready, copy_ready, fetch_ready, record_ready}),
    .addr({{32'd0, mem_addr}, copy_addr, fetch_addr, record_addr}),
    .wstrb({mem_addr[2] ? {mem_wstrb, 4'd0} : {4'd0, mem_wstrb}, copy_strb, 8'd0, record_strb}),
    .wdata({mem_wdata, mem_wdata, copy_data, 64'd0, record_data}),
    .rdata(memory_data), .error(memory_error)
);

// -- the device ------------------------------------------------------------------------------------

wire        req_valid, req_ready, req_ft, req_write, rsp_valid, rsp_ready, rsp_last;
wire [15:0] req_device;
wire [19:0] req_pasid;
wire [63:0] req_addr, rsp_addr;
wire  [7:0] req_pages, req_tag, rsp_tag, rsp_cause;
wire  [1:0] rsp_disposition;

soc_dma device (
    .clk(clk), .rst(rst),
    .valid(to_device), .ready(device_ready), .addr(mem_addr[7:0]), .write(mem_wstrb != 4'd0),
    .wdata(mem_wdata), .rdata(device_data),
    .req_valid(req_valid), .req_ready(req_ready), .req_ft(req_ft), .req_write(req_write),
    .req_device(req_device), .req_pasid(req_pasid), .req_addr(req_addr), .req_pages(req_pages),
    .req_tag(req_tag),
    .rsp_valid(rsp_valid), .rsp_ready(rsp_ready), .rsp_last(rsp_last), .rsp_tag(rsp_tag),
    .rsp_cause(rsp_cause), .rsp_disposition(rsp_disposition), .rsp_addr(rsp_addr),
    .mem_valid(copy_valid), .mem_ready(copy_ready), .mem_addr(copy_addr), .mem_wstrb(copy_strb),
    .mem_wdata(copy_data), .mem_rdata(memory_data), .mem_error(memory_error)
);

// -- the SIOMMU: registers, memory, the core itself ------------------------------------------------

wire        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
wire [31:0] awaddr, wdata, araddr, rdata;
wire  [2:0] awprot, arprot;
wire  [3:0] wstrb;
wire  [1:0] bresp, rresp;

// It comes with PicoRV32. It has no place for BRESP and RRESP, hence the counter above.
picorv32_axi_adapter registers (
    .clk(clk), .resetn(!rst),
    .mem_axi_awvalid(awvalid), .mem_axi_awready(awready), .mem_axi_awaddr(awaddr),
    .mem_axi_awprot(awprot), .mem_axi_wvalid(wvalid), .mem_axi_wready(wready),
    .mem_axi_wdata(wdata), .mem_axi_wstrb(wstrb), .mem_axi_bvalid(bvalid),
    .mem_axi_bready(bready), .mem_axi_arvalid(arvalid), .mem_axi_arready(arready),
    .mem_axi_araddr(araddr), .mem_axi_arprot(arprot), .mem_axi_rvalid(rvalid),
    .mem_axi_rready(rready), .mem_axi_rdata(rdata),
    .mem_valid(to_siommu), .mem_instr(mem_instr), .mem_ready(siommu_ready), .mem_addr(mem_addr),
    .mem_wdata(mem_wdata), .mem_wstrb(mem_wstrb), .mem_rdata(siommu_data)
);

assign siommu_error = (bvalid && bready && bresp[1]) || (rvalid && rready && rresp[1]);

wire  [3:0] m_arid, m_awid, m_rid, m_bid;
wire [63:0] m_araddr, m_awaddr, m_rdata, m_wdata;
wire  [7:0] m_arlen, m_wstrb;
wire  [2:0] m_arsize, m_awsize;
wire  [1:0] m_arburst, m_rresp, m_bresp;
wire        m_arvalid, m_arready, m_awvalid, m_awready, m_rlast, m_rvalid, m_rready;
wire        m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;

soc_axi_port port (
    .clk(clk), .rst(rst),
    .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize), .arburst(m_arburst),
    .arvalid(m_arvalid), .arready(m_arready),
    .rid(m_rid), .rdata(m_rdata), .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid),
    .rready(m_rready),
    .awid(m_awid), .awaddr(m_awaddr), .awsize(m_awsize), .awvalid(m_awvalid),
    .awready(m_awready),
    .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast), .wvalid(m_wvalid), .wready(m_wready),
    .bid(m_bid), .bresp(m_bresp), .bvalid(m_bvalid), .bready(m_bready),
    .read_valid(fetch_valid), .read_ready(fetch_ready), .read_addr(fetch_addr),
    .read_data(memory_data),
    .write_valid(record_valid), .write_ready(record_ready), .write_addr(record_addr),
    .write_data(record_data), .write_strb(record_strb), .error(memory_error)
);

siommu siommu (
    .clk(clk), .rst(rst),

    .dev0_req_valid(req_valid), .dev0_req_ready(req_ready), .dev0_req_ft(req_ft),
    .dev0_req_write(req_write), .dev0_req_device(req_device), .dev0_req_pasid(req_pasid),
    .dev0_req_addr(req_addr), .dev0_req_pages(req_pages), .dev0_req_tag(req_tag),
    .dev0_rsp_valid(rsp_valid), .dev0_rsp_ready(rsp_ready), .dev0_rsp_tag(rsp_tag),
    .dev0_rsp_last(rsp_last), .dev0_rsp_cause(rsp_cause),
    .dev0_rsp_disposition(rsp_disposition), .dev0_rsp_addr(rsp_addr),

    .m_axi_arid(m_arid), .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen),
    .m_axi_arsize(m_arsize), .m_axi_arburst(m_arburst), .m_axi_arvalid(m_arvalid),
    .m_axi_arready(m_arready),
    .m_axi_rid(m_rid), .m_axi_rdata(m_rdata), .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast),
    .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready),
    .m_axi_awid(m_awid), .m_axi_awaddr(m_awaddr), .m_axi_awsize(m_awsize),
    .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready),
    .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast),
    .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready),
    .m_axi_bid(m_bid), .m_axi_bresp(m_bresp), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready),

    .s_axil_awaddr(awaddr[11:0]), .s_axil_awprot(awprot), .s_axil_awvalid(awvalid),
    .s_axil_awready(awready), .s_axil_wdata(wdata), .s_axil_wstrb(wstrb),
    .s_axil_wvalid(wvalid), .s_axil_wready(wready), .s_axil_bresp(bresp),
    .s_axil_bvalid(bvalid), .s_axil_bready(bready), .s_axil_araddr(araddr[11:0]),
    .s_axil_arprot(arprot), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
    .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid),
    .s_axil_rready(rready),

    .irq_command(interrupts[0]), .irq_fault(interrupts[1]), .irq_counter(interrupts[2])
);
/* verilator lint_on PINMISSING */
endmodule

`default_nettype wire
