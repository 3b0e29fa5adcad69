-- The module siommu_axi_bridge in a wrapper with the same ports: copy the instance, or give the
-- wrapper's ports the names of your design. `siommu template --language vhdl` wrote it for
-- BridgeConfig(data_width=64, id_width=4, outstanding=8); the sections (§) are those of
-- docs/specification.md.

library ieee;
use ieee.std_logic_1164.all;

entity siommu_axi_bridge_wrapper is
    port (
        -- One clock; a synchronous reset, active high
        clk                 : in  std_logic;
        rst                 : in  std_logic;
        -- AXI4 slave, for the device (§9)
        s_axi_awid          : in  std_logic_vector(3 downto 0);
        s_axi_awaddr        : in  std_logic_vector(63 downto 0);
        s_axi_awlen         : in  std_logic_vector(7 downto 0);
        s_axi_awsize        : in  std_logic_vector(2 downto 0);
        s_axi_awburst       : in  std_logic_vector(1 downto 0);
        s_axi_awlock        : in  std_logic;
        s_axi_awcache       : in  std_logic_vector(3 downto 0);
        s_axi_awprot        : in  std_logic_vector(2 downto 0);
        s_axi_awqos         : in  std_logic_vector(3 downto 0);
        s_axi_awregion      : in  std_logic_vector(3 downto 0);
        s_axi_awuser        : in  std_logic_vector(35 downto 0);
        s_axi_awvalid       : in  std_logic;
        s_axi_awready       : out std_logic;
        s_axi_arid          : in  std_logic_vector(3 downto 0);
        s_axi_araddr        : in  std_logic_vector(63 downto 0);
        s_axi_arlen         : in  std_logic_vector(7 downto 0);
        s_axi_arsize        : in  std_logic_vector(2 downto 0);
        s_axi_arburst       : in  std_logic_vector(1 downto 0);
        s_axi_arlock        : in  std_logic;
        s_axi_arcache       : in  std_logic_vector(3 downto 0);
        s_axi_arprot        : in  std_logic_vector(2 downto 0);
        s_axi_arqos         : in  std_logic_vector(3 downto 0);
        s_axi_arregion      : in  std_logic_vector(3 downto 0);
        s_axi_aruser        : in  std_logic_vector(35 downto 0);
        s_axi_arvalid       : in  std_logic;
        s_axi_arready       : out std_logic;
        s_axi_wdata         : in  std_logic_vector(63 downto 0);
        s_axi_wstrb         : in  std_logic_vector(7 downto 0);
        s_axi_wlast         : in  std_logic;
        s_axi_wvalid        : in  std_logic;
        s_axi_wready        : out std_logic;
        s_axi_bid           : out std_logic_vector(3 downto 0);
        s_axi_bresp         : out std_logic_vector(1 downto 0);
        s_axi_bvalid        : out std_logic;
        s_axi_bready        : in  std_logic;
        s_axi_rid           : out std_logic_vector(3 downto 0);
        s_axi_rdata         : out std_logic_vector(63 downto 0);
        s_axi_rresp         : out std_logic_vector(1 downto 0);
        s_axi_rlast         : out std_logic;
        s_axi_rvalid        : out std_logic;
        s_axi_rready        : in  std_logic;
        -- AXI4 master, to main memory (§9)
        m_axi_awid          : out std_logic_vector(3 downto 0);
        m_axi_awaddr        : out std_logic_vector(63 downto 0);
        m_axi_awlen         : out std_logic_vector(7 downto 0);
        m_axi_awsize        : out std_logic_vector(2 downto 0);
        m_axi_awburst       : out std_logic_vector(1 downto 0);
        m_axi_awlock        : out std_logic;
        m_axi_awcache       : out std_logic_vector(3 downto 0);
        m_axi_awprot        : out std_logic_vector(2 downto 0);
        m_axi_awqos         : out std_logic_vector(3 downto 0);
        m_axi_awregion      : out std_logic_vector(3 downto 0);
        m_axi_awvalid       : out std_logic;
        m_axi_awready       : in  std_logic;
        m_axi_arid          : out std_logic_vector(3 downto 0);
        m_axi_araddr        : out std_logic_vector(63 downto 0);
        m_axi_arlen         : out std_logic_vector(7 downto 0);
        m_axi_arsize        : out std_logic_vector(2 downto 0);
        m_axi_arburst       : out std_logic_vector(1 downto 0);
        m_axi_arlock        : out std_logic;
        m_axi_arcache       : out std_logic_vector(3 downto 0);
        m_axi_arprot        : out std_logic_vector(2 downto 0);
        m_axi_arqos         : out std_logic_vector(3 downto 0);
        m_axi_arregion      : out std_logic_vector(3 downto 0);
        m_axi_arvalid       : out std_logic;
        m_axi_arready       : in  std_logic;
        m_axi_wdata         : out std_logic_vector(63 downto 0);
        m_axi_wstrb         : out std_logic_vector(7 downto 0);
        m_axi_wlast         : out std_logic;
        m_axi_wvalid        : out std_logic;
        m_axi_wready        : in  std_logic;
        m_axi_bid           : in  std_logic_vector(3 downto 0);
        m_axi_bresp         : in  std_logic_vector(1 downto 0);
        m_axi_bvalid        : in  std_logic;
        m_axi_bready        : out std_logic;
        m_axi_rid           : in  std_logic_vector(3 downto 0);
        m_axi_rdata         : in  std_logic_vector(63 downto 0);
        m_axi_rresp         : in  std_logic_vector(1 downto 0);
        m_axi_rlast         : in  std_logic;
        m_axi_rvalid        : in  std_logic;
        m_axi_rready        : out std_logic;
        -- To a device port of the module siommu (§9, §2.1)
        mmu_req_ft          : out std_logic;
        mmu_req_write       : out std_logic;
        mmu_req_device      : out std_logic_vector(15 downto 0);
        mmu_req_pasid       : out std_logic_vector(19 downto 0);
        mmu_req_addr        : out std_logic_vector(63 downto 0);
        mmu_req_pages       : out std_logic_vector(7 downto 0);
        mmu_req_tag         : out std_logic_vector(7 downto 0);
        mmu_req_valid       : out std_logic;
        mmu_req_ready       : in  std_logic;
        mmu_rsp_tag         : in  std_logic_vector(7 downto 0);
        mmu_rsp_last        : in  std_logic;
        mmu_rsp_cause       : in  std_logic_vector(7 downto 0);
        mmu_rsp_disposition : in  std_logic_vector(1 downto 0);
        mmu_rsp_addr        : in  std_logic_vector(63 downto 0);
        mmu_rsp_pages       : in  std_logic_vector(7 downto 0);
        mmu_rsp_read        : in  std_logic;
        mmu_rsp_write       : in  std_logic;
        mmu_rsp_size        : in  std_logic_vector(1 downto 0);
        mmu_rsp_valid       : in  std_logic;
        mmu_rsp_ready       : out std_logic;
        -- A refused burst (§9)
        fault               : out std_logic
    );
end entity siommu_axi_bridge_wrapper;

architecture wrapper of siommu_axi_bridge_wrapper is

    component siommu_axi_bridge is
        port (
            -- One clock; a synchronous reset, active high
            clk                 : in  std_logic;
            rst                 : in  std_logic;
            -- AXI4 slave, for the device (§9)
            s_axi_awid          : in  std_logic_vector(3 downto 0);
            s_axi_awaddr        : in  std_logic_vector(63 downto 0);
            s_axi_awlen         : in  std_logic_vector(7 downto 0);
            s_axi_awsize        : in  std_logic_vector(2 downto 0);
            s_axi_awburst       : in  std_logic_vector(1 downto 0);
            s_axi_awlock        : in  std_logic;
            s_axi_awcache       : in  std_logic_vector(3 downto 0);
            s_axi_awprot        : in  std_logic_vector(2 downto 0);
            s_axi_awqos         : in  std_logic_vector(3 downto 0);
            s_axi_awregion      : in  std_logic_vector(3 downto 0);
            s_axi_awuser        : in  std_logic_vector(35 downto 0);
            s_axi_awvalid       : in  std_logic;
            s_axi_awready       : out std_logic;
            s_axi_arid          : in  std_logic_vector(3 downto 0);
            s_axi_araddr        : in  std_logic_vector(63 downto 0);
            s_axi_arlen         : in  std_logic_vector(7 downto 0);
            s_axi_arsize        : in  std_logic_vector(2 downto 0);
            s_axi_arburst       : in  std_logic_vector(1 downto 0);
            s_axi_arlock        : in  std_logic;
            s_axi_arcache       : in  std_logic_vector(3 downto 0);
            s_axi_arprot        : in  std_logic_vector(2 downto 0);
            s_axi_arqos         : in  std_logic_vector(3 downto 0);
            s_axi_arregion      : in  std_logic_vector(3 downto 0);
            s_axi_aruser        : in  std_logic_vector(35 downto 0);
            s_axi_arvalid       : in  std_logic;
            s_axi_arready       : out std_logic;
            s_axi_wdata         : in  std_logic_vector(63 downto 0);
            s_axi_wstrb         : in  std_logic_vector(7 downto 0);
            s_axi_wlast         : in  std_logic;
            s_axi_wvalid        : in  std_logic;
            s_axi_wready        : out std_logic;
            s_axi_bid           : out std_logic_vector(3 downto 0);
            s_axi_bresp         : out std_logic_vector(1 downto 0);
            s_axi_bvalid        : out std_logic;
            s_axi_bready        : in  std_logic;
            s_axi_rid           : out std_logic_vector(3 downto 0);
            s_axi_rdata         : out std_logic_vector(63 downto 0);
            s_axi_rresp         : out std_logic_vector(1 downto 0);
            s_axi_rlast         : out std_logic;
            s_axi_rvalid        : out std_logic;
            s_axi_rready        : in  std_logic;
            -- AXI4 master, to main memory (§9)
            m_axi_awid          : out std_logic_vector(3 downto 0);
            m_axi_awaddr        : out std_logic_vector(63 downto 0);
            m_axi_awlen         : out std_logic_vector(7 downto 0);
            m_axi_awsize        : out std_logic_vector(2 downto 0);
            m_axi_awburst       : out std_logic_vector(1 downto 0);
            m_axi_awlock        : out std_logic;
            m_axi_awcache       : out std_logic_vector(3 downto 0);
            m_axi_awprot        : out std_logic_vector(2 downto 0);
            m_axi_awqos         : out std_logic_vector(3 downto 0);
            m_axi_awregion      : out std_logic_vector(3 downto 0);
            m_axi_awvalid       : out std_logic;
            m_axi_awready       : in  std_logic;
            m_axi_arid          : out std_logic_vector(3 downto 0);
            m_axi_araddr        : out std_logic_vector(63 downto 0);
            m_axi_arlen         : out std_logic_vector(7 downto 0);
            m_axi_arsize        : out std_logic_vector(2 downto 0);
            m_axi_arburst       : out std_logic_vector(1 downto 0);
            m_axi_arlock        : out std_logic;
            m_axi_arcache       : out std_logic_vector(3 downto 0);
            m_axi_arprot        : out std_logic_vector(2 downto 0);
            m_axi_arqos         : out std_logic_vector(3 downto 0);
            m_axi_arregion      : out std_logic_vector(3 downto 0);
            m_axi_arvalid       : out std_logic;
            m_axi_arready       : in  std_logic;
            m_axi_wdata         : out std_logic_vector(63 downto 0);
            m_axi_wstrb         : out std_logic_vector(7 downto 0);
            m_axi_wlast         : out std_logic;
            m_axi_wvalid        : out std_logic;
            m_axi_wready        : in  std_logic;
            m_axi_bid           : in  std_logic_vector(3 downto 0);
            m_axi_bresp         : in  std_logic_vector(1 downto 0);
            m_axi_bvalid        : in  std_logic;
            m_axi_bready        : out std_logic;
            m_axi_rid           : in  std_logic_vector(3 downto 0);
            m_axi_rdata         : in  std_logic_vector(63 downto 0);
            m_axi_rresp         : in  std_logic_vector(1 downto 0);
            m_axi_rlast         : in  std_logic;
            m_axi_rvalid        : in  std_logic;
            m_axi_rready        : out std_logic;
            -- To a device port of the module siommu (§9, §2.1)
            mmu_req_ft          : out std_logic;
            mmu_req_write       : out std_logic;
            mmu_req_device      : out std_logic_vector(15 downto 0);
            mmu_req_pasid       : out std_logic_vector(19 downto 0);
            mmu_req_addr        : out std_logic_vector(63 downto 0);
            mmu_req_pages       : out std_logic_vector(7 downto 0);
            mmu_req_tag         : out std_logic_vector(7 downto 0);
            mmu_req_valid       : out std_logic;
            mmu_req_ready       : in  std_logic;
            mmu_rsp_tag         : in  std_logic_vector(7 downto 0);
            mmu_rsp_last        : in  std_logic;
            mmu_rsp_cause       : in  std_logic_vector(7 downto 0);
            mmu_rsp_disposition : in  std_logic_vector(1 downto 0);
            mmu_rsp_addr        : in  std_logic_vector(63 downto 0);
            mmu_rsp_pages       : in  std_logic_vector(7 downto 0);
            mmu_rsp_read        : in  std_logic;
            mmu_rsp_write       : in  std_logic;
            mmu_rsp_size        : in  std_logic_vector(1 downto 0);
            mmu_rsp_valid       : in  std_logic;
            mmu_rsp_ready       : out std_logic;
            -- A refused burst (§9)
            fault               : out std_logic
        );
    end component siommu_axi_bridge;

begin

    instance : component siommu_axi_bridge
        port map (
            -- One clock; a synchronous reset, active high
            clk                 => clk,
            rst                 => rst,
            -- AXI4 slave, for the device (§9)
            s_axi_awid          => s_axi_awid,
            s_axi_awaddr        => s_axi_awaddr,
            s_axi_awlen         => s_axi_awlen,
            s_axi_awsize        => s_axi_awsize,
            s_axi_awburst       => s_axi_awburst,
            s_axi_awlock        => s_axi_awlock,
            s_axi_awcache       => s_axi_awcache,
            s_axi_awprot        => s_axi_awprot,
            s_axi_awqos         => s_axi_awqos,
            s_axi_awregion      => s_axi_awregion,
            s_axi_awuser        => s_axi_awuser,
            s_axi_awvalid       => s_axi_awvalid,
            s_axi_awready       => s_axi_awready,
            s_axi_arid          => s_axi_arid,
            s_axi_araddr        => s_axi_araddr,
            s_axi_arlen         => s_axi_arlen,
            s_axi_arsize        => s_axi_arsize,
            s_axi_arburst       => s_axi_arburst,
            s_axi_arlock        => s_axi_arlock,
            s_axi_arcache       => s_axi_arcache,
            s_axi_arprot        => s_axi_arprot,
            s_axi_arqos         => s_axi_arqos,
            s_axi_arregion      => s_axi_arregion,
            s_axi_aruser        => s_axi_aruser,
            s_axi_arvalid       => s_axi_arvalid,
            s_axi_arready       => s_axi_arready,
            s_axi_wdata         => s_axi_wdata,
            s_axi_wstrb         => s_axi_wstrb,
            s_axi_wlast         => s_axi_wlast,
            s_axi_wvalid        => s_axi_wvalid,
            s_axi_wready        => s_axi_wready,
            s_axi_bid           => s_axi_bid,
            s_axi_bresp         => s_axi_bresp,
            s_axi_bvalid        => s_axi_bvalid,
            s_axi_bready        => s_axi_bready,
            s_axi_rid           => s_axi_rid,
            s_axi_rdata         => s_axi_rdata,
            s_axi_rresp         => s_axi_rresp,
            s_axi_rlast         => s_axi_rlast,
            s_axi_rvalid        => s_axi_rvalid,
            s_axi_rready        => s_axi_rready,
            -- AXI4 master, to main memory (§9)
            m_axi_awid          => m_axi_awid,
            m_axi_awaddr        => m_axi_awaddr,
            m_axi_awlen         => m_axi_awlen,
            m_axi_awsize        => m_axi_awsize,
            m_axi_awburst       => m_axi_awburst,
            m_axi_awlock        => m_axi_awlock,
            m_axi_awcache       => m_axi_awcache,
            m_axi_awprot        => m_axi_awprot,
            m_axi_awqos         => m_axi_awqos,
            m_axi_awregion      => m_axi_awregion,
            m_axi_awvalid       => m_axi_awvalid,
            m_axi_awready       => m_axi_awready,
            m_axi_arid          => m_axi_arid,
            m_axi_araddr        => m_axi_araddr,
            m_axi_arlen         => m_axi_arlen,
            m_axi_arsize        => m_axi_arsize,
            m_axi_arburst       => m_axi_arburst,
            m_axi_arlock        => m_axi_arlock,
            m_axi_arcache       => m_axi_arcache,
            m_axi_arprot        => m_axi_arprot,
            m_axi_arqos         => m_axi_arqos,
            m_axi_arregion      => m_axi_arregion,
            m_axi_arvalid       => m_axi_arvalid,
            m_axi_arready       => m_axi_arready,
            m_axi_wdata         => m_axi_wdata,
            m_axi_wstrb         => m_axi_wstrb,
            m_axi_wlast         => m_axi_wlast,
            m_axi_wvalid        => m_axi_wvalid,
            m_axi_wready        => m_axi_wready,
            m_axi_bid           => m_axi_bid,
            m_axi_bresp         => m_axi_bresp,
            m_axi_bvalid        => m_axi_bvalid,
            m_axi_bready        => m_axi_bready,
            m_axi_rid           => m_axi_rid,
            m_axi_rdata         => m_axi_rdata,
            m_axi_rresp         => m_axi_rresp,
            m_axi_rlast         => m_axi_rlast,
            m_axi_rvalid        => m_axi_rvalid,
            m_axi_rready        => m_axi_rready,
            -- To a device port of the module siommu (§9, §2.1)
            mmu_req_ft          => mmu_req_ft,
            mmu_req_write       => mmu_req_write,
            mmu_req_device      => mmu_req_device,
            mmu_req_pasid       => mmu_req_pasid,
            mmu_req_addr        => mmu_req_addr,
            mmu_req_pages       => mmu_req_pages,
            mmu_req_tag         => mmu_req_tag,
            mmu_req_valid       => mmu_req_valid,
            mmu_req_ready       => mmu_req_ready,
            mmu_rsp_tag         => mmu_rsp_tag,
            mmu_rsp_last        => mmu_rsp_last,
            mmu_rsp_cause       => mmu_rsp_cause,
            mmu_rsp_disposition => mmu_rsp_disposition,
            mmu_rsp_addr        => mmu_rsp_addr,
            mmu_rsp_pages       => mmu_rsp_pages,
            mmu_rsp_read        => mmu_rsp_read,
            mmu_rsp_write       => mmu_rsp_write,
            mmu_rsp_size        => mmu_rsp_size,
            mmu_rsp_valid       => mmu_rsp_valid,
            mmu_rsp_ready       => mmu_rsp_ready,
            -- A refused burst (§9)
            fault               => fault
        );

end architecture wrapper;
