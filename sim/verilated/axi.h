// The memory's side of the core's AXI4 master (section 2.2).
#ifndef SIOMMU_SIM_AXI_H
#define SIOMMU_SIM_AXI_H

#include <cstdint>
#include <deque>
#include <string>
#include <type_traits>

#include "Vsiommu.h"
#include "memory.h"

namespace siommu {

// Verilator's type of a data port; the model's members are references.
using Data = std::remove_reference_t<decltype(Vsiommu::m_axi_wdata)>;

// One burst as its address channel had it.
struct Burst {
    uint64_t address;
    uint64_t ready;  // cycle from which its data or response may come
    unsigned id;
    unsigned beats;
    unsigned size;  // bytes of a beat
    bool wraps;

    // Address of beat `index`. A WRAP burst comes round to the start of its aligned block.
    uint64_t beat(unsigned index) const;
};

// Answers bursts in the order of their addresses, one beat a cycle, `latency` cycles after them.
class AxiMemory {
  public:
    AxiMemory(Vsiommu &top, Memory &memory) : top_(top), memory_(memory) {}

    // Before the clock's edge: takes the handshakes that the edge will carry out.
    void sample(uint64_t cycle);
    // After the edge: drives what memory says next.
    void drive(uint64_t cycle);
    void reset();

    bool busy() const { return !reads_.empty() || !writes_.empty() || !data_.empty() ||
                               !answers_.empty(); }
    // A sentence if the core broke the protocol, else empty.
    const std::string &broken() const { return broken_; }

    unsigned latency = 1;
    bool recording = false;
    std::deque<siommu_sim_access> accesses;

  private:
    struct Beat {
        Data data;
        uint64_t strobe;
        bool last;
    };
    struct Answer {
        uint64_t ready;
        unsigned id;
        unsigned response;
    };

    template <typename Length, typename Size, typename Kind>
    Burst accept(const char *channel, uint64_t address, unsigned id, Length length, Size size,
                 Kind kind, uint64_t cycle);
    void offer(const Burst &burst);
    void store(uint64_t cycle);
    unsigned store_beat(uint64_t address, const Beat &beat, uint64_t cycle);
    void record(uint64_t cycle, uint64_t address, uint64_t value, bool write, unsigned response,
                unsigned strobe);

    Vsiommu &top_;
    Memory &memory_;
    std::deque<Burst> reads_, writes_;
    std::deque<Beat> data_;
    std::deque<Answer> answers_;
    std::deque<siommu_sim_access> offered_;  // the words of the read beat that is offered
    unsigned beat_ = 0;                      // of the first burst in reads_
    bool read_taken_ = false, write_taken_ = false;  // at the edge that comes
    std::string broken_;
};

}  // namespace siommu

#endif
