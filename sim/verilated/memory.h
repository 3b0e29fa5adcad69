// Main memory as a list of mapped regions.
#ifndef SIOMMU_SIM_MEMORY_H
#define SIOMMU_SIM_MEMORY_H

#include <cstdint>
#include <vector>

#include "siommu_sim.h"

namespace siommu {

// Reads and writes whole 64-bit words. Another process may use the same memory at the same time, so
// every word is one access of the host: a table entry is never half old and half new.
class Memory {
  public:
    // Whether the regions can be used; if not, the old ones stay.
    bool map(const siommu_sim_region *regions, size_t count);

    // The word at `address`, a multiple of 8. False: there is no memory.
    bool read(uint64_t address, uint64_t &value);

    // Stores the bytes of `value` that `strobe` selects. False: there is no memory.
    bool write(uint64_t address, uint64_t value, unsigned strobe);

  private:
    uint64_t *find(uint64_t address);

    std::vector<siommu_sim_region> regions_;
};

}  // namespace siommu

#endif
