// The C interface: one core with its clock, registers, ports and memory.
#include "siommu_sim.h"

#include <memory>
#include <new>
#include <string>

#include "Vsiommu.h"
#include "axi.h"
#include "memory.h"
#include "ports.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr uint32_t STATUS = 0x014, STATUS_COMMANDS = 4;
constexpr uint32_t CQ_STATUS = 0x040, CQ_STOPPED = 3;  // CQ_ILLEGAL, CQ_ERROR
constexpr unsigned RESET_CYCLES = 4;
constexpr unsigned REGISTER_CYCLES = 10'000;  // until a register access counts as unanswered
// Between two looks at STATUS. What the core begins by itself shows on the bus or in STATUS well
// within that time; two idle looks in a row therefore mean that nothing is under way.
constexpr unsigned LOOK_CYCLES = 16;
constexpr unsigned IDLE_LOOKS = 2;

}  // namespace

struct siommu_sim {
    VerilatedContext context;
    Vsiommu top{&context};
    siommu::Memory memory;
    siommu::AxiMemory axi{top, memory};
    std::vector<std::unique_ptr<siommu::Port>> ports = siommu::make_ports(top);
    uint64_t cycle = 0;
    bool awake = false;     // something may be under way
    bool finished = false;  // a request ended since this was cleared
    std::string error;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    int fail(const std::string &why) {
        error = why;
        return -1;
    }

    void evaluate(bool clock) {
        top.clk = clock;
        top.eval();
#if VM_TRACE
        if (trace) trace->dump(2 * cycle + clock);
#endif
    }

    // One cycle: inputs settle, handshakes are taken, the edge comes, and new inputs are driven.
    bool tick() {
        evaluate(false);
        if (!top.rst) {
            axi.sample(cycle);
            for (auto &port : ports) finished |= port->sample(cycle);
        }
        evaluate(true);
        cycle++;
        if (top.rst) return true;
        axi.drive(cycle);
        for (auto &port : ports) port->drive();
        if (axi.broken().empty()) return true;
        fail(axi.broken());
        return false;
    }

    // Whether requests or bus transfers are under way; STATUS knows of the rest.
    bool busy() const {
        if (axi.busy()) return true;
        for (const auto &port : ports)
            if (port->busy()) return true;
        return false;
    }

    void reset() {
        axi.reset();
        for (auto &port : ports) port->forget();
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
        top.s_axil_bready = top.s_axil_rready = 1;
        top.rst = 1;
        for (unsigned i = 0; i < RESET_CYCLES; i++) tick();
        top.rst = 0;
        axi.drive(cycle);
        for (auto &port : ports) port->drive();
        awake = finished = false;
    }

    int read(uint32_t offset, uint32_t &value) {
        top.s_axil_araddr = offset;
        top.s_axil_arvalid = 1;
        for (unsigned i = 0; i < REGISTER_CYCLES; i++) {
            evaluate(false);
            const bool taken = top.s_axil_arvalid && top.s_axil_arready;
            const bool answered = top.s_axil_rvalid;
            value = top.s_axil_rdata;
            const int response = top.s_axil_rresp;
            if (!tick()) return -1;
            if (taken) top.s_axil_arvalid = 0;
            if (answered) return response;
        }
        return fail("the core does not answer a register read");
    }

    int write(uint32_t offset, uint32_t value, unsigned strobe) {
        top.s_axil_awaddr = offset;
        top.s_axil_wdata = value;
        top.s_axil_wstrb = strobe;
        top.s_axil_awvalid = top.s_axil_wvalid = 1;
        for (unsigned i = 0; i < REGISTER_CYCLES; i++) {
            evaluate(false);
            const bool addressed = top.s_axil_awvalid && top.s_axil_awready;
            const bool taken = top.s_axil_wvalid && top.s_axil_wready;
            const bool answered = top.s_axil_bvalid;
            const int response = top.s_axil_bresp;
            if (!tick()) return -1;
            if (addressed) top.s_axil_awvalid = 0;
            if (taken) top.s_axil_wvalid = 0;
            if (answered) return response;
        }
        return fail("the core does not answer a register write");
    }

    int64_t run(uint64_t limit) {
        const uint64_t begin = cycle;
        unsigned idle = 0;
        finished = false;
        while (awake && !finished && cycle - begin < limit) {
            if (busy()) {
                idle = 0;
                if (!tick()) return -1;
                continue;
            }
            uint32_t status, commands;
            if (read(STATUS, status) < 0) return -1;
            if (status == STATUS_COMMANDS) {
                // A queue that stopped at a command stays busy until software clears that.
                if (read(CQ_STATUS, commands) < 0) return -1;
                if (commands & CQ_STOPPED) status = 0;
            }
            idle = status || busy() ? 0 : idle + 1;
            if (idle == IDLE_LOOKS) {
                awake = false;
                break;
            }
            for (unsigned i = 0; i < LOOK_CYCLES && !busy(); i++)
                if (!tick()) return -1;
        }
        return int64_t(cycle - begin);
    }
};

extern "C" {

siommu_sim *siommu_sim_create(void) {
    auto *sim = new (std::nothrow) siommu_sim;
    if (sim) sim->reset();
    return sim;
}

void siommu_sim_destroy(siommu_sim *sim) {
    if (!sim) return;
    siommu_sim_trace(sim, nullptr);
    sim->top.final();
    delete sim;
}

const char *siommu_sim_error(const siommu_sim *sim) { return sim->error.c_str(); }

void siommu_sim_reset(siommu_sim *sim) { sim->reset(); }

unsigned siommu_sim_ports(const siommu_sim *sim) { return unsigned(sim->ports.size()); }

int siommu_sim_map(siommu_sim *sim, const siommu_sim_region *regions, size_t count) {
    return sim->memory.map(regions, count)
               ? 0
               : sim->fail("a memory region is empty, not aligned to 8 bytes, or wraps");
}

int siommu_sim_set_latency(siommu_sim *sim, unsigned cycles) {
    if (!cycles) return sim->fail("the memory latency is at least one cycle");
    sim->axi.latency = cycles;
    return 0;
}

int siommu_sim_read(siommu_sim *sim, uint32_t offset, uint32_t *value) {
    return sim->read(offset, *value);
}

int siommu_sim_write(siommu_sim *sim, uint32_t offset, uint32_t value, unsigned strobe) {
    sim->awake = true;
    return sim->write(offset, value, strobe);
}

int siommu_sim_submit(siommu_sim *sim, unsigned port, const siommu_sim_request *request) {
    if (port >= sim->ports.size()) return sim->fail("the core has no such port");
    sim->ports[port]->requests.push_back(*request);
    sim->ports[port]->drive();
    sim->awake = true;
    return 0;
}

int siommu_sim_collect(siommu_sim *sim, unsigned port, siommu_sim_beat *beats, size_t room) {
    if (port >= sim->ports.size()) return sim->fail("the core has no such port");
    auto &from = sim->ports[port]->beats;
    size_t count = 0;
    for (; count < room && !from.empty(); count++) {
        beats[count] = from.front();
        from.pop_front();
    }
    return int(count);
}

int siommu_sim_forget(siommu_sim *sim, unsigned port) {
    if (port >= sim->ports.size()) return sim->fail("the core has no such port");
    sim->ports[port]->forget();
    sim->ports[port]->drive();
    return 0;
}

int siommu_sim_clock(siommu_sim *sim, uint64_t cycles) {
    for (uint64_t i = 0; i < cycles; i++)
        if (!sim->tick()) return -1;
    return 0;
}

int64_t siommu_sim_run(siommu_sim *sim, uint64_t limit) { return sim->run(limit); }

uint64_t siommu_sim_cycles(const siommu_sim *sim) { return sim->cycle; }

unsigned siommu_sim_interrupts(const siommu_sim *sim) {
    return sim->top.irq_command * SIOMMU_SIM_COMMAND | sim->top.irq_fault * SIOMMU_SIM_FAULT |
           sim->top.irq_counter * SIOMMU_SIM_COUNTER;
}

void siommu_sim_record(siommu_sim *sim, int on) { sim->axi.recording = on; }

int siommu_sim_accesses(siommu_sim *sim, siommu_sim_access *accesses, size_t room) {
    auto &from = sim->axi.accesses;
    size_t count = 0;
    for (; count < room && !from.empty(); count++) {
        accesses[count] = from.front();
        from.pop_front();
    }
    return int(count);
}

int siommu_sim_trace(siommu_sim *sim, const char *path) {
#if VM_TRACE
    if (sim->trace) sim->trace->close();
    sim->trace.reset();
    if (!path) return 0;
    sim->context.traceEverOn(true);
    sim->trace = std::make_unique<VerilatedVcdC>();
    sim->top.trace(sim->trace.get(), 99);
    sim->trace->open(path);
    if (sim->trace->isOpen()) return 0;
    sim->trace.reset();
    return sim->fail(std::string("cannot write waves to ") + path);
#else
    return path ? sim->fail("the library was built without waves") : 0;
#endif
}

}  // extern "C"
