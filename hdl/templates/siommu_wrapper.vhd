-- The module siommu in a wrapper with the same ports: copy the instance, or give the wrapper's
-- ports the names of your design. `siommu template --language vhdl` wrote it for
-- Config(device_ports=2, cpu_port=True, port_depth=32, tlb_entries=16, device_entries=4,
-- context_entries=8, l2_entries=1024, walk_entries=256, walks=8, axi_data_width=64,
-- riscv_tables=True, fail_stop=False); the sections (§) are those of docs/specification.md.

library ieee;
use ieee.std_logic_1164.all;

entity siommu_wrapper is
    port (
        -- One clock; a synchronous reset, active high
        clk                  : in  std_logic;
        rst                  : in  std_logic;
        -- dev0_req_*: translation requests (§2.1)
        dev0_req_valid       : in  std_logic;
        dev0_req_ready       : out std_logic;
        dev0_req_ft          : in  std_logic;
        dev0_req_write       : in  std_logic;
        dev0_req_device      : in  std_logic_vector(15 downto 0);
        dev0_req_pasid       : in  std_logic_vector(19 downto 0);
        dev0_req_addr        : in  std_logic_vector(63 downto 0);
        dev0_req_pages       : in  std_logic_vector(7 downto 0);
        dev0_req_tag         : in  std_logic_vector(7 downto 0);
        -- dev0_rsp_*: their answers (§2.1)
        dev0_rsp_valid       : out std_logic;
        dev0_rsp_ready       : in  std_logic;
        dev0_rsp_tag         : out std_logic_vector(7 downto 0);
        dev0_rsp_last        : out std_logic;
        dev0_rsp_cause       : out std_logic_vector(7 downto 0);
        dev0_rsp_disposition : out std_logic_vector(1 downto 0);
        dev0_rsp_addr        : out std_logic_vector(63 downto 0);
        dev0_rsp_pages       : out std_logic_vector(7 downto 0);
        dev0_rsp_read        : out std_logic;
        dev0_rsp_write       : out std_logic;
        dev0_rsp_size        : out std_logic_vector(1 downto 0);
        -- dev1_req_*: translation requests (§2.1)
        dev1_req_valid       : in  std_logic;
        dev1_req_ready       : out std_logic;
        dev1_req_ft          : in  std_logic;
        dev1_req_write       : in  std_logic;
        dev1_req_device      : in  std_logic_vector(15 downto 0);
        dev1_req_pasid       : in  std_logic_vector(19 downto 0);
        dev1_req_addr        : in  std_logic_vector(63 downto 0);
        dev1_req_pages       : in  std_logic_vector(7 downto 0);
        dev1_req_tag         : in  std_logic_vector(7 downto 0);
        -- dev1_rsp_*: their answers (§2.1)
        dev1_rsp_valid       : out std_logic;
        dev1_rsp_ready       : in  std_logic;
        dev1_rsp_tag         : out std_logic_vector(7 downto 0);
        dev1_rsp_last        : out std_logic;
        dev1_rsp_cause       : out std_logic_vector(7 downto 0);
        dev1_rsp_disposition : out std_logic_vector(1 downto 0);
        dev1_rsp_addr        : out std_logic_vector(63 downto 0);
        dev1_rsp_pages       : out std_logic_vector(7 downto 0);
        dev1_rsp_read        : out std_logic;
        dev1_rsp_write       : out std_logic;
        dev1_rsp_size        : out std_logic_vector(1 downto 0);
        -- cpu_req_*: translation requests (§2.1)
        cpu_req_valid        : in  std_logic;
        cpu_req_ready        : out std_logic;
        cpu_req_ft           : in  std_logic;
        cpu_req_write        : in  std_logic;
        cpu_req_device       : in  std_logic_vector(15 downto 0);
        cpu_req_pasid        : in  std_logic_vector(19 downto 0);
        cpu_req_addr         : in  std_logic_vector(63 downto 0);
        cpu_req_pages        : in  std_logic_vector(7 downto 0);
        cpu_req_tag          : in  std_logic_vector(7 downto 0);
        -- cpu_rsp_*: their answers (§2.1)
        cpu_rsp_valid        : out std_logic;
        cpu_rsp_ready        : in  std_logic;
        cpu_rsp_tag          : out std_logic_vector(7 downto 0);
        cpu_rsp_last         : out std_logic;
        cpu_rsp_cause        : out std_logic_vector(7 downto 0);
        cpu_rsp_disposition  : out std_logic_vector(1 downto 0);
        cpu_rsp_addr         : out std_logic_vector(63 downto 0);
        cpu_rsp_pages        : out std_logic_vector(7 downto 0);
        cpu_rsp_read         : out std_logic;
        cpu_rsp_write        : out std_logic;
        cpu_rsp_size         : out std_logic_vector(1 downto 0);
        -- AXI4 master, to main memory (§2.2)
        m_axi_awid           : out std_logic_vector(3 downto 0);
        m_axi_awaddr         : out std_logic_vector(63 downto 0);
        m_axi_awlen          : out std_logic_vector(7 downto 0);
        m_axi_awsize         : out std_logic_vector(2 downto 0);
        m_axi_awburst        : out std_logic_vector(1 downto 0);
        m_axi_awlock         : out std_logic;
        m_axi_awcache        : out std_logic_vector(3 downto 0);
        m_axi_awprot         : out std_logic_vector(2 downto 0);
        m_axi_awqos          : out std_logic_vector(3 downto 0);
        m_axi_awregion       : out std_logic_vector(3 downto 0);
        m_axi_awvalid        : out std_logic;
        m_axi_awready        : in  std_logic;
        m_axi_arid           : out std_logic_vector(3 downto 0);
        m_axi_araddr         : out std_logic_vector(63 downto 0);
        m_axi_arlen          : out std_logic_vector(7 downto 0);
        m_axi_arsize         : out std_logic_vector(2 downto 0);
        m_axi_arburst        : out std_logic_vector(1 downto 0);
        m_axi_arlock         : out std_logic;
        m_axi_arcache        : out std_logic_vector(3 downto 0);
        m_axi_arprot         : out std_logic_vector(2 downto 0);
        m_axi_arqos          : out std_logic_vector(3 downto 0);
        m_axi_arregion       : out std_logic_vector(3 downto 0);
        m_axi_arvalid        : out std_logic;
        m_axi_arready        : in  std_logic;
        m_axi_wdata          : out std_logic_vector(63 downto 0);
        m_axi_wstrb          : out std_logic_vector(7 downto 0);
        m_axi_wlast          : out std_logic;
        m_axi_wvalid         : out std_logic;
        m_axi_wready         : in  std_logic;
        m_axi_bid            : in  std_logic_vector(3 downto 0);
        m_axi_bresp          : in  std_logic_vector(1 downto 0);
        m_axi_bvalid         : in  std_logic;
        m_axi_bready         : out std_logic;
        m_axi_rid            : in  std_logic_vector(3 downto 0);
        m_axi_rdata          : in  std_logic_vector(63 downto 0);
        m_axi_rresp          : in  std_logic_vector(1 downto 0);
        m_axi_rlast          : in  std_logic;
        m_axi_rvalid         : in  std_logic;
        m_axi_rready         : out std_logic;
        -- AXI4-Lite slave, the registers (§2.3)
        s_axil_awaddr        : in  std_logic_vector(11 downto 0);
        s_axil_awprot        : in  std_logic_vector(2 downto 0);
        s_axil_awvalid       : in  std_logic;
        s_axil_awready       : out std_logic;
        s_axil_wdata         : in  std_logic_vector(31 downto 0);
        s_axil_wstrb         : in  std_logic_vector(3 downto 0);
        s_axil_wvalid        : in  std_logic;
        s_axil_wready        : out std_logic;
        s_axil_bresp         : out std_logic_vector(1 downto 0);
        s_axil_bvalid        : out std_logic;
        s_axil_bready        : in  std_logic;
        s_axil_araddr        : in  std_logic_vector(11 downto 0);
        s_axil_arprot        : in  std_logic_vector(2 downto 0);
        s_axil_arvalid       : in  std_logic;
        s_axil_arready       : out std_logic;
        s_axil_rdata         : out std_logic_vector(31 downto 0);
        s_axil_rresp         : out std_logic_vector(1 downto 0);
        s_axil_rvalid        : out std_logic;
        s_axil_rready        : in  std_logic;
        -- Interrupts, active high, level (§2.4)
        irq_command          : out std_logic;
        irq_fault            : out std_logic;
        irq_counter          : out std_logic
    );
end entity siommu_wrapper;

architecture wrapper of siommu_wrapper is

    component siommu is
        port (
            -- One clock; a synchronous reset, active high
            clk                  : in  std_logic;
            rst                  : in  std_logic;
            -- dev0_req_*: translation requests (§2.1)
            dev0_req_valid       : in  std_logic;
            dev0_req_ready       : out std_logic;
            dev0_req_ft          : in  std_logic;
            dev0_req_write       : in  std_logic;
            dev0_req_device      : in  std_logic_vector(15 downto 0);
            dev0_req_pasid       : in  std_logic_vector(19 downto 0);
            dev0_req_addr        : in  std_logic_vector(63 downto 0);
            dev0_req_pages       : in  std_logic_vector(7 downto 0);
            dev0_req_tag         : in  std_logic_vector(7 downto 0);
            -- dev0_rsp_*: their answers (§2.1)
            dev0_rsp_valid       : out std_logic;
            dev0_rsp_ready       : in  std_logic;
            dev0_rsp_tag         : out std_logic_vector(7 downto 0);
            dev0_rsp_last        : out std_logic;
            dev0_rsp_cause       : out std_logic_vector(7 downto 0);
            dev0_rsp_disposition : out std_logic_vector(1 downto 0);
            dev0_rsp_addr        : out std_logic_vector(63 downto 0);
            dev0_rsp_pages       : out std_logic_vector(7 downto 0);
            dev0_rsp_read        : out std_logic;
            dev0_rsp_write       : out std_logic;
            dev0_rsp_size        : out std_logic_vector(1 downto 0);
            -- dev1_req_*: translation requests (§2.1)
            dev1_req_valid       : in  std_logic;
            dev1_req_ready       : out std_logic;
            dev1_req_ft          : in  std_logic;
            dev1_req_write       : in  std_logic;
            dev1_req_device      : in  std_logic_vector(15 downto 0);
            dev1_req_pasid       : in  std_logic_vector(19 downto 0);
            dev1_req_addr        : in  std_logic_vector(63 downto 0);
            dev1_req_pages       : in  std_logic_vector(7 downto 0);
            dev1_req_tag         : in  std_logic_vector(7 downto 0);
            -- dev1_rsp_*: their answers (§2.1)
            dev1_rsp_valid       : out std_logic;
            dev1_rsp_ready       : in  std_logic;
            dev1_rsp_tag         : out std_logic_vector(7 downto 0);
            dev1_rsp_last        : out std_logic;
            dev1_rsp_cause       : out std_logic_vector(7 downto 0);
            dev1_rsp_disposition : out std_logic_vector(1 downto 0);
            dev1_rsp_addr        : out std_logic_vector(63 downto 0);
            dev1_rsp_pages       : out std_logic_vector(7 downto 0);
            dev1_rsp_read        : out std_logic;
            dev1_rsp_write       : out std_logic;
            dev1_rsp_size        : out std_logic_vector(1 downto 0);
            -- cpu_req_*: translation requests (§2.1)
            cpu_req_valid        : in  std_logic;
            cpu_req_ready        : out std_logic;
            cpu_req_ft           : in  std_logic;
            cpu_req_write        : in  std_logic;
            cpu_req_device       : in  std_logic_vector(15 downto 0);
            cpu_req_pasid        : in  std_logic_vector(19 downto 0);
            cpu_req_addr         : in  std_logic_vector(63 downto 0);
            cpu_req_pages        : in  std_logic_vector(7 downto 0);
            cpu_req_tag          : in  std_logic_vector(7 downto 0);
            -- cpu_rsp_*: their answers (§2.1)
            cpu_rsp_valid        : out std_logic;
            cpu_rsp_ready        : in  std_logic;
            cpu_rsp_tag          : out std_logic_vector(7 downto 0);
            cpu_rsp_last         : out std_logic;
            cpu_rsp_cause        : out std_logic_vector(7 downto 0);
            cpu_rsp_disposition  : out std_logic_vector(1 downto 0);
            cpu_rsp_addr         : out std_logic_vector(63 downto 0);
            cpu_rsp_pages        : out std_logic_vector(7 downto 0);
            cpu_rsp_read         : out std_logic;
            cpu_rsp_write        : out std_logic;
            cpu_rsp_size         : out std_logic_vector(1 downto 0);
            -- AXI4 master, to main memory (§2.2)
            m_axi_awid           : out std_logic_vector(3 downto 0);
            m_axi_awaddr         : out std_logic_vector(63 downto 0);
            m_axi_awlen          : out std_logic_vector(7 downto 0);
            m_axi_awsize         : out std_logic_vector(2 downto 0);
            m_axi_awburst        : out std_logic_vector(1 downto 0);
            m_axi_awlock         : out std_logic;
            m_axi_awcache        : out std_logic_vector(3 downto 0);
            m_axi_awprot         : out std_logic_vector(2 downto 0);
            m_axi_awqos          : out std_logic_vector(3 downto 0);
            m_axi_awregion       : out std_logic_vector(3 downto 0);
            m_axi_awvalid        : out std_logic;
            m_axi_awready        : in  std_logic;
            m_axi_arid           : out std_logic_vector(3 downto 0);
            m_axi_araddr         : out std_logic_vector(63 downto 0);
            m_axi_arlen          : out std_logic_vector(7 downto 0);
            m_axi_arsize         : out std_logic_vector(2 downto 0);
            m_axi_arburst        : out std_logic_vector(1 downto 0);
            m_axi_arlock         : out std_logic;
            m_axi_arcache        : out std_logic_vector(3 downto 0);
            m_axi_arprot         : out std_logic_vector(2 downto 0);
            m_axi_arqos          : out std_logic_vector(3 downto 0);
            m_axi_arregion       : out std_logic_vector(3 downto 0);
            m_axi_arvalid        : out std_logic;
            m_axi_arready        : in  std_logic;
            m_axi_wdata          : out std_logic_vector(63 downto 0);
            m_axi_wstrb          : out std_logic_vector(7 downto 0);
            m_axi_wlast          : out std_logic;
            m_axi_wvalid         : out std_logic;
            m_axi_wready         : in  std_logic;
            m_axi_bid            : in  std_logic_vector(3 downto 0);
            m_axi_bresp          : in  std_logic_vector(1 downto 0);
            m_axi_bvalid         : in  std_logic;
            m_axi_bready         : out std_logic;
            m_axi_rid            : in  std_logic_vector(3 downto 0);
            m_axi_rdata          : in  std_logic_vector(63 downto 0);
            m_axi_rresp          : in  std_logic_vector(1 downto 0);
            m_axi_rlast          : in  std_logic;
            m_axi_rvalid         : in  std_logic;
            m_axi_rready         : out std_logic;
            -- AXI4-Lite slave, the registers (§2.3)
            s_axil_awaddr        : in  std_logic_vector(11 downto 0);
            s_axil_awprot        : in  std_logic_vector(2 downto 0);
            s_axil_awvalid       : in  std_logic;
            s_axil_awready       : out std_logic;
            s_axil_wdata         : in  std_logic_vector(31 downto 0);
            s_axil_wstrb         : in  std_logic_vector(3 downto 0);
            s_axil_wvalid        : in  std_logic;
            s_axil_wready        : out std_logic;
            s_axil_bresp         : out std_logic_vector(1 downto 0);
            s_axil_bvalid        : out std_logic;
            s_axil_bready        : in  std_logic;
            s_axil_araddr        : in  std_logic_vector(11 downto 0);
            s_axil_arprot        : in  std_logic_vector(2 downto 0);
            s_axil_arvalid       : in  std_logic;
            s_axil_arready       : out std_logic;
            s_axil_rdata         : out std_logic_vector(31 downto 0);
            s_axil_rresp         : out std_logic_vector(1 downto 0);
            s_axil_rvalid        : out std_logic;
            s_axil_rready        : in  std_logic;
            -- Interrupts, active high, level (§2.4)
            irq_command          : out std_logic;
            irq_fault            : out std_logic;
            irq_counter          : out std_logic
        );
    end component siommu;

begin

    instance : component siommu
        port map (
            -- One clock; a synchronous reset, active high
            clk                  => clk,
            rst                  => rst,
            -- dev0_req_*: translation requests (§2.1)
            dev0_req_valid       => dev0_req_valid,
            dev0_req_ready       => dev0_req_ready,
            dev0_req_ft          => dev0_req_ft,
            dev0_req_write       => dev0_req_write,
            dev0_req_device      => dev0_req_device,
            dev0_req_pasid       => dev0_req_pasid,
            dev0_req_addr        => dev0_req_addr,
            dev0_req_pages       => dev0_req_pages,
            dev0_req_tag         => dev0_req_tag,
            -- dev0_rsp_*: their answers (§2.1)
            dev0_rsp_valid       => dev0_rsp_valid,
            dev0_rsp_ready       => dev0_rsp_ready,
            dev0_rsp_tag         => dev0_rsp_tag,
            dev0_rsp_last        => dev0_rsp_last,
            dev0_rsp_cause       => dev0_rsp_cause,
            dev0_rsp_disposition => dev0_rsp_disposition,
            dev0_rsp_addr        => dev0_rsp_addr,
            dev0_rsp_pages       => dev0_rsp_pages,
            dev0_rsp_read        => dev0_rsp_read,
            dev0_rsp_write       => dev0_rsp_write,
            dev0_rsp_size        => dev0_rsp_size,
            -- dev1_req_*: translation requests (§2.1)
            dev1_req_valid       => dev1_req_valid,
            dev1_req_ready       => dev1_req_ready,
            dev1_req_ft          => dev1_req_ft,
            dev1_req_write       => dev1_req_write,
            dev1_req_device      => dev1_req_device,
            dev1_req_pasid       => dev1_req_pasid,
            dev1_req_addr        => dev1_req_addr,
            dev1_req_pages       => dev1_req_pages,
            dev1_req_tag         => dev1_req_tag,
            -- dev1_rsp_*: their answers (§2.1)
            dev1_rsp_valid       => dev1_rsp_valid,
            dev1_rsp_ready       => dev1_rsp_ready,
            dev1_rsp_tag         => dev1_rsp_tag,
            dev1_rsp_last        => dev1_rsp_last,
            dev1_rsp_cause       => dev1_rsp_cause,
            dev1_rsp_disposition => dev1_rsp_disposition,
            dev1_rsp_addr        => dev1_rsp_addr,
            dev1_rsp_pages       => dev1_rsp_pages,
            dev1_rsp_read        => dev1_rsp_read,
            dev1_rsp_write       => dev1_rsp_write,
            dev1_rsp_size        => dev1_rsp_size,
            -- cpu_req_*: translation requests (§2.1)
            cpu_req_valid        => cpu_req_valid,
            cpu_req_ready        => cpu_req_ready,
            cpu_req_ft           => cpu_req_ft,
            cpu_req_write        => cpu_req_write,
            cpu_req_device       => cpu_req_device,
            cpu_req_pasid        => cpu_req_pasid,
            cpu_req_addr         => cpu_req_addr,
            cpu_req_pages        => cpu_req_pages,
            cpu_req_tag          => cpu_req_tag,
            -- cpu_rsp_*: their answers (§2.1)
            cpu_rsp_valid        => cpu_rsp_valid,
            cpu_rsp_ready        => cpu_rsp_ready,
            cpu_rsp_tag          => cpu_rsp_tag,
            cpu_rsp_last         => cpu_rsp_last,
            cpu_rsp_cause        => cpu_rsp_cause,
            cpu_rsp_disposition  => cpu_rsp_disposition,
            cpu_rsp_addr         => cpu_rsp_addr,
            cpu_rsp_pages        => cpu_rsp_pages,
            cpu_rsp_read         => cpu_rsp_read,
            cpu_rsp_write        => cpu_rsp_write,
            cpu_rsp_size         => cpu_rsp_size,
            -- AXI4 master, to main memory (§2.2)
            m_axi_awid           => m_axi_awid,
            m_axi_awaddr         => m_axi_awaddr,
            m_axi_awlen          => m_axi_awlen,
            m_axi_awsize         => m_axi_awsize,
            m_axi_awburst        => m_axi_awburst,
            m_axi_awlock         => m_axi_awlock,
            m_axi_awcache        => m_axi_awcache,
            m_axi_awprot         => m_axi_awprot,
            m_axi_awqos          => m_axi_awqos,
            m_axi_awregion       => m_axi_awregion,
            m_axi_awvalid        => m_axi_awvalid,
            m_axi_awready        => m_axi_awready,
            m_axi_arid           => m_axi_arid,
            m_axi_araddr         => m_axi_araddr,
            m_axi_arlen          => m_axi_arlen,
            m_axi_arsize         => m_axi_arsize,
            m_axi_arburst        => m_axi_arburst,
            m_axi_arlock         => m_axi_arlock,
            m_axi_arcache        => m_axi_arcache,
            m_axi_arprot         => m_axi_arprot,
            m_axi_arqos          => m_axi_arqos,
            m_axi_arregion       => m_axi_arregion,
            m_axi_arvalid        => m_axi_arvalid,
            m_axi_arready        => m_axi_arready,
            m_axi_wdata          => m_axi_wdata,
            m_axi_wstrb          => m_axi_wstrb,
            m_axi_wlast          => m_axi_wlast,
            m_axi_wvalid         => m_axi_wvalid,
            m_axi_wready         => m_axi_wready,
            m_axi_bid            => m_axi_bid,
            m_axi_bresp          => m_axi_bresp,
            m_axi_bvalid         => m_axi_bvalid,
            m_axi_bready         => m_axi_bready,
            m_axi_rid            => m_axi_rid,
            m_axi_rdata          => m_axi_rdata,
            m_axi_rresp          => m_axi_rresp,
            m_axi_rlast          => m_axi_rlast,
            m_axi_rvalid         => m_axi_rvalid,
            m_axi_rready         => m_axi_rready,
            -- AXI4-Lite slave, the registers (§2.3)
            s_axil_awaddr        => s_axil_awaddr,
            s_axil_awprot        => s_axil_awprot,
            s_axil_awvalid       => s_axil_awvalid,
            s_axil_awready       => s_axil_awready,
            s_axil_wdata         => s_axil_wdata,
            s_axil_wstrb         => s_axil_wstrb,
            s_axil_wvalid        => s_axil_wvalid,
            s_axil_wready        => s_axil_wready,
            s_axil_bresp         => s_axil_bresp,
            s_axil_bvalid        => s_axil_bvalid,
            s_axil_bready        => s_axil_bready,
            s_axil_araddr        => s_axil_araddr,
            s_axil_arprot        => s_axil_arprot,
            s_axil_arvalid       => s_axil_arvalid,
            s_axil_arready       => s_axil_arready,
            s_axil_rdata         => s_axil_rdata,
            s_axil_rresp         => s_axil_rresp,
            s_axil_rvalid        => s_axil_rvalid,
            s_axil_rready        => s_axil_rready,
            -- Interrupts, active high, level (§2.4)
            irq_command          => irq_command,
            irq_fault            => irq_fault,
            irq_counter          => irq_counter
        );

end architecture wrapper;
