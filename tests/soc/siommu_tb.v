// The smallest bench in plain Verilog: reset, a register, and a translation in BYPASS. It says PASS, or
// FAIL and why, and ends with a status.
`timescale 1ns / 1ps
`default_nettype none

module siommu_tb;
    localparam [11:0] ID = 12'h000, CTRL = 12'h010;
    localparam BYPASS = 32'd2;

    reg         clk = 0, rst = 1;
    reg  [11:0] araddr = 0, awaddr = 0;
    reg         arvalid = 0, awvalid = 0, wvalid = 0;
    reg  [31:0] wdata = 0;
    wire        arready, awready, wready, bvalid, rvalid;
    wire [31:0] rdata;
    reg         req_valid = 0;
    reg  [63:0] req_addr = 0;
    wire        req_ready, rsp_valid, rsp_last;
    wire  [7:0] rsp_cause, rsp_tag;
    wire [63:0] rsp_addr;
    integer     waited;

    always #2.5 clk = ~clk;

    siommu dut (
        .clk(clk), .rst(rst),
        .dev0_req_valid(req_valid), .dev0_req_ready(req_ready), .dev0_req_ft(1'b1),
        .dev0_req_write(1'b0), .dev0_req_device(16'h0010), .dev0_req_pasid(20'd7),
        .dev0_req_addr(req_addr), .dev0_req_pages(8'd0), .dev0_req_tag(8'd42),
        .dev0_rsp_valid(rsp_valid), .dev0_rsp_ready(1'b1), .dev0_rsp_tag(rsp_tag),
        .dev0_rsp_last(rsp_last), .dev0_rsp_cause(rsp_cause), .dev0_rsp_addr(rsp_addr),
        .m_axi_arready(1'b0), .m_axi_awready(1'b0), .m_axi_wready(1'b0),
        .m_axi_bvalid(1'b0), .m_axi_bid(4'd0), .m_axi_bresp(2'b00),
        .m_axi_rvalid(1'b0), .m_axi_rid(4'd0), .m_axi_rdata(64'd0), .m_axi_rresp(2'b00),
        .m_axi_rlast(1'b0),
        .s_axil_araddr(araddr), .s_axil_arprot(3'b000), .s_axil_arvalid(arvalid),
        .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rvalid(rvalid),
        .s_axil_rready(1'b1), .s_axil_awaddr(awaddr), .s_axil_awprot(3'b000),
        .s_axil_awvalid(awvalid), .s_axil_awready(awready), .s_axil_wdata(wdata),
        .s_axil_wstrb(4'b1111), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bvalid(bvalid), .s_axil_bready(1'b1)
    );

    task fail(input [8*40-1:0] why);
        begin
            $display("FAIL: %0s", why);
            $finish_and_return(1);
        end
    endtask

    // A step of the clock; inputs change behind the edge. Nothing here takes longer than a while.
    task step;
        begin
            @(posedge clk);
            #0.5 waited = waited + 1;
            if (waited > 1000) fail("the core does not answer");
        end
    endtask

    task write(input [11:0] address, input [31:0] value);
        begin
            awaddr = address; wdata = value; awvalid = 1; wvalid = 1;
            while (!(awready && wready)) step;
            step;
            awvalid = 0; wvalid = 0;
            while (!bvalid) step;
            step;
        end
    endtask

    task read(input [11:0] address, input [31:0] wanted);
        begin
            araddr = address; arvalid = 1;
            while (!arready) step;
            step;
            arvalid = 0;
            while (!rvalid) step;
            if (rdata !== wanted) fail("a register reads something else");
            step;
        end
    endtask

    task translate(input [63:0] address, input [7:0] cause);
        begin
            req_addr = address; req_valid = 1;
            while (!req_ready) step;
            step;
            req_valid = 0;
            while (!rsp_valid) step;
            if (rsp_cause !== cause || rsp_tag !== 8'd42 || !rsp_last) fail("another cause or tag");
            if (cause == 0 && rsp_addr !== address) fail("another address");
            step;
        end
    endtask

    initial begin
        waited = 0;
        repeat (3) step;
        rst = 0;
        read(ID, 32'h5349_4f4d);
        translate(64'h0123_4567_89ab_cdef, 8'd1);       // CORE_OFF: refused until software says so
        write(CTRL, BYPASS);
        translate(64'h0000_0067_89ab_cdef, 8'd0);
        $display("PASS");
        $finish_and_return(0);
    end
endmodule

`default_nettype wire
