#include "axi.h"

#include "bits.h"

namespace siommu {

namespace {

enum Response : unsigned { OKAY = 0, DECERR = 3 };
enum Kind : unsigned { INCR = 1, WRAP = 2 };
constexpr uint64_t PAGE = 4096;

}  // namespace

uint64_t Burst::beat(unsigned index) const {
    // Only the first beat of an INCR burst may be unaligned.
    if (!index) return address;
    const uint64_t next = (address & ~uint64_t(size - 1)) + uint64_t(index) * size;
    if (!wraps) return next;
    const uint64_t block = uint64_t(beats) * size;
    return (address & ~(block - 1)) + (next & (block - 1));
}

template <typename Length, typename Size, typename KindPort>
Burst AxiMemory::accept(const char *channel, uint64_t address, unsigned id, Length length,
                        Size size, KindPort kind, uint64_t cycle) {
    Burst burst{address, cycle + latency, id, unsigned(length) + 1, 1u << size, kind == WRAP};
    const auto fail = [&](const std::string &why) {
        if (broken_.empty())
            broken_ = "m_axi, cycle " + std::to_string(cycle) + ": " + channel + " " + why;
    };
    if (burst.size > sizeof(Data)) fail("asks for beats wider than the bus");
    if (kind == WRAP) {
        if ((burst.beats & (burst.beats - 1)) || burst.beats < 2 || burst.beats > 16 ||
            address % burst.size)
            fail("is a WRAP burst of a length or alignment that AXI4 does not have");
    } else if (kind == INCR) {
        if (address / PAGE != (burst.beat(burst.beats - 1) + burst.size - 1) / PAGE)
            fail("crosses 4 KiB");
    } else {
        fail("is neither INCR nor WRAP");
    }
    return burst;
}

void AxiMemory::record(uint64_t cycle, uint64_t address, uint64_t value, bool write,
                       unsigned response, unsigned strobe) {
    if (recording)
        accesses.push_back({cycle, address, value, uint8_t(write), uint8_t(response),
                            uint8_t(strobe)});
}

void AxiMemory::sample(uint64_t cycle) {
    if (top_.m_axi_arvalid && top_.m_axi_arready)
        reads_.push_back(accept("AR", top_.m_axi_araddr, top_.m_axi_arid, top_.m_axi_arlen,
                                top_.m_axi_arsize, top_.m_axi_arburst, cycle));
    if (top_.m_axi_rvalid && top_.m_axi_rready) {
        for (const auto &word : offered_)
            record(cycle, word.address, word.value, false, word.response, 0xFF);
        offered_.clear();
        read_taken_ = true;
        if (++beat_ == reads_.front().beats) {
            beat_ = 0;
            reads_.pop_front();
        }
    }
    if (top_.m_axi_awvalid && top_.m_axi_awready)
        writes_.push_back(accept("AW", top_.m_axi_awaddr, top_.m_axi_awid, top_.m_axi_awlen,
                                 top_.m_axi_awsize, top_.m_axi_awburst, cycle));
    if (top_.m_axi_wvalid && top_.m_axi_wready)
        data_.push_back({top_.m_axi_wdata, uint64_t(top_.m_axi_wstrb), bool(top_.m_axi_wlast)});
    if (top_.m_axi_bvalid && top_.m_axi_bready) {
        answers_.pop_front();
        write_taken_ = true;
    }
    store(cycle);
}

void AxiMemory::store(uint64_t cycle) {
    while (!writes_.empty() && data_.size() >= writes_.front().beats) {
        const Burst burst = writes_.front();
        writes_.pop_front();
        unsigned response = OKAY;
        for (unsigned i = 0; i < burst.beats; i++) {
            if (data_.front().last != (i + 1 == burst.beats) && broken_.empty())
                broken_ = "m_axi, cycle " + std::to_string(cycle) + ": WLAST is on a wrong beat";
            if (response == OKAY) response = store_beat(burst.beat(i), data_.front(), cycle);
            data_.pop_front();
        }
        answers_.push_back({cycle + latency, burst.id, response});
    }
}

unsigned AxiMemory::store_beat(uint64_t address, const Beat &beat, uint64_t cycle) {
    const uint64_t base = address & ~uint64_t(sizeof beat.data - 1);
    for (unsigned i = 0; i < words<Data>; i++) {
        const unsigned strobe = beat.strobe >> 8 * i & 0xFF;
        if (!strobe) continue;
        const uint64_t value = get_word(beat.data, i);
        const bool done = memory_.write(base + 8 * i, value, strobe);
        record(cycle, base + 8 * i, value, true, done ? OKAY : DECERR, strobe);
        if (!done) return DECERR;
    }
    return OKAY;
}

void AxiMemory::offer(const Burst &burst) {
    const uint64_t start = burst.beat(beat_), end = (start & ~uint64_t(burst.size - 1)) + burst.size;
    const uint64_t base = start & ~uint64_t(sizeof(Data) - 1);
    unsigned response = OKAY;
    for (unsigned i = 0; i < words<Data>; i++) {
        const uint64_t address = base + 8 * i;
        uint64_t value = ~uint64_t(0);  // lanes outside of the beat are nobody's
        if (address + 8 > start && address < end) {
            const bool there = memory_.read(address, value);
            if (!there) response = DECERR;
            offered_.push_back({0, address, value, 0, 0, 0xFF});
        }
        set_word(top_.m_axi_rdata, i, value);
    }
    for (auto &word : offered_) word.response = uint8_t(response);
    top_.m_axi_rid = burst.id;
    top_.m_axi_rresp = response;
    top_.m_axi_rlast = beat_ + 1 == burst.beats;
    top_.m_axi_rvalid = 1;
}

void AxiMemory::drive(uint64_t cycle) {
    top_.m_axi_arready = top_.m_axi_awready = top_.m_axi_wready = 1;
    // What the edge took is withdrawn only behind it: the model has to see it at the edge.
    if (read_taken_) top_.m_axi_rvalid = 0;
    if (write_taken_) top_.m_axi_bvalid = 0;
    read_taken_ = write_taken_ = false;
    if (!top_.m_axi_rvalid && !reads_.empty() && reads_.front().ready <= cycle)
        offer(reads_.front());
    if (!top_.m_axi_bvalid && !answers_.empty() && answers_.front().ready <= cycle) {
        top_.m_axi_bid = answers_.front().id;
        top_.m_axi_bresp = answers_.front().response;
        top_.m_axi_bvalid = 1;
    }
}

void AxiMemory::reset() {
    reads_.clear();
    writes_.clear();
    data_.clear();
    answers_.clear();
    offered_.clear();
    beat_ = 0;
    read_taken_ = write_taken_ = false;
    top_.m_axi_rvalid = top_.m_axi_bvalid = 0;
    top_.m_axi_arready = top_.m_axi_awready = top_.m_axi_wready = 0;
}

}  // namespace siommu
