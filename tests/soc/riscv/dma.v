// A device that copies memory, and asks the SIOMMU for every address: the requester on port dev0.
//
// The processor writes where from, where to, how much, for which process, and GO. The device asks
// for the page of the source (to be read) and for that of the target (to be written), copies up to
// the end of whichever page ends first, and asks again. It keeps no translation beyond that: a device
// that did would have to be told of every right that is taken away. At the first refusal it stops
// and says why.

`default_nettype none

module soc_dma #(
    parameter [15:0] DEVICE = 16'h0021      // its requester id: the fabric's word, not the device's
) (
    input  wire        clk,
    input  wire        rst,

    // Registers: an access lasts until `ready`.
    input  wire        valid,
    output reg         ready,
    input  wire  [7:0] addr,
    input  wire        write,
    input  wire [31:0] wdata,
    output reg  [31:0] rdata,

    // Requests to the SIOMMU, and its answers.
    output wire        req_valid,   input  wire        rsp_valid,
    input  wire        req_ready,   output wire        rsp_ready,
    output wire        req_ft,      input  wire        rsp_last,
    output wire        req_write,   input  wire  [7:0] rsp_tag,
    output wire [15:0] req_device,  input  wire  [7:0] rsp_cause,
    output wire [19:0] req_pasid,   input  wire  [1:0] rsp_disposition,
    output wire [63:0] req_addr,    input  wire [63:0] rsp_addr,
    output wire  [7:0] req_pages,
    output wire  [7:0] req_tag,

    // Memory, by physical address.
    output wire        mem_valid,
    input  wire        mem_ready,
    output wire [63:0] mem_addr,
    output wire  [7:0] mem_wstrb,
    output wire [63:0] mem_wdata,
    input  wire [63:0] mem_rdata,
    input  wire        mem_error
);

localparam [7:0] SOURCE = 8'h00, TARGET = 8'h08, BYTES = 8'h10, PASID = 8'h14, TAG = 8'h18,
                 GO = 8'h1C, STATUS = 8'h20, MOVED = 8'h24, REFUSED_ADDR = 8'h28, PACE = 8'h30;
localparam [2:0] IDLE = 3'd0, ASK = 3'd1, ANSWER = 3'd2, READ = 3'd3, WRITE = 3'd4;

reg  [2:0] state;
reg [63:0] source, target;                  // virtual; multiples of 8
reg [31:0] left, moved;                     // bytes
reg [19:0] pasid;
reg  [7:0] tag;
reg        of_target;                       // what is asked for: the target's page, or the source's
reg [63:0] from, to, word;                  // physical
reg [12:0] piece;                           // bytes until a page ends, or the copy
reg [15:0] pace, rest;                      // cycles of rest before each word; those to go

reg        refused, wrong;                  // by the SIOMMU; an answer that is none, a bus error
reg  [7:0] cause;
reg  [1:0] disposition;
reg [63:0] refused_addr;

wire busy  = state != IDLE;
wire store = valid && ready && write && !busy;

wire [12:0] source_room = 13'd4096 - {1'b0, source[11:0]};
wire [12:0] target_room = 13'd4096 - {1'b0, target[11:0]};
wire [12:0] room = source_room < target_room ? source_room : target_room;

assign req_valid  = state == ASK;
assign req_ft     = 1'b0;                   // memory; 1 would be a block of a drive
assign req_write  = of_target;
assign req_device = DEVICE;
assign req_pasid  = pasid;
assign req_addr   = of_target ? target : source;
assign req_pages  = 8'd0;                   // one page, so one beat answers
assign req_tag    = tag;                    // one request at a time, so any tag is unique
assign rsp_ready  = state == ANSWER;

assign mem_valid = (state == READ && rest == 16'd0) || state == WRITE;
assign mem_addr  = state == READ ? from : to;
assign mem_wstrb = state == READ ? 8'h00 : 8'hFF;
assign mem_wdata = word;

always @(posedge clk) begin
    rest <= state != READ ? pace : rest == 16'd0 ? 16'd0 : rest - 16'd1;
    case (state)
        IDLE: if (store && addr == GO) begin
            state     <= left == 32'd0 ? IDLE : ASK;
            of_target <= 1'b0;
            moved     <= 32'd0;
            refused   <= 1'b0;
            wrong     <= 1'b0;
        end
        ASK: if (req_ready)
            state <= ANSWER;
        ANSWER: if (rsp_valid) begin
            cause        <= rsp_cause;
            disposition  <= rsp_disposition;
            refused      <= rsp_cause != 8'd0;
            refused_addr <= rsp_addr;
            wrong        <= rsp_tag != tag || !rsp_last;
            of_target    <= 1'b1;
            piece        <= left < {19'd0, room} ? left[12:0] : room;
            if (of_target)
                to <= rsp_addr;
            else
                from <= rsp_addr;
            if (rsp_cause != 8'd0 || rsp_tag != tag || !rsp_last) begin
                of_target <= of_target;     // which of the two was refused
                state     <= IDLE;
            end else
                state <= of_target ? READ : ASK;
        end
        READ: if (mem_ready) begin
            word  <= mem_rdata;
            wrong <= mem_error;
            state <= mem_error ? IDLE : WRITE;
        end
        WRITE: if (mem_ready) begin
            wrong     <= mem_error;
            from      <= from + 64'd8;
            to        <= to + 64'd8;
            source    <= source + 64'd8;
            target    <= target + 64'd8;
            piece     <= piece - 13'd8;
            left      <= left - 32'd8;
            moved     <= mem_error ? moved : moved + 32'd8;
            of_target <= piece != 13'd8;
            state     <= mem_error || left == 32'd8 ? IDLE : piece == 13'd8 ? ASK : READ;
        end
        default: state <= IDLE;
    endcase
    if (store)
        case (addr)
            SOURCE:     source[31:0]  <= wdata;
            SOURCE + 4: source[63:32] <= wdata;
            TARGET:     target[31:0]  <= wdata;
            TARGET + 4: target[63:32] <= wdata;
            BYTES:      left          <= {wdata[31:3], 3'd0};
            PASID:      pasid         <= wdata[19:0];
            TAG:        tag           <= wdata[7:0];
            PACE:       pace          <= wdata[15:0];
            default: ;
        endcase
    if (rst) begin
        state        <= IDLE;
        pace         <= 16'd0;
        moved        <= 32'd0;
        refused      <= 1'b0;
        wrong        <= 1'b0;
        cause        <= 8'd0;
        disposition  <= 2'd0;
        refused_addr <= 64'd0;
    end
end

always @(posedge clk) begin
    ready <= valid && !ready && !rst;
    case (addr)
        STATUS:           rdata <= {14'd0, disposition, cause, 4'd0, of_target, wrong, refused, busy};
        MOVED:            rdata <= moved;
        REFUSED_ADDR:     rdata <= refused_addr[31:0];
        REFUSED_ADDR + 4: rdata <= refused_addr[63:32];
        default:          rdata <= 32'd0;
    endcase
end

endmodule

`default_nettype wire
