#include "memory.h"

namespace siommu {

namespace {

bool holds(const siommu_sim_region &region, uint64_t address) {
    return address >= region.address && address - region.address < region.size;
}

}  // namespace

bool Memory::map(const siommu_sim_region *regions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const auto &region = regions[i];
        const auto host = reinterpret_cast<uintptr_t>(region.host);
        if ((region.address | region.size | host) % 8 || !region.size || !region.host ||
            region.address + (region.size - 1) < region.address)
            return false;
    }
    regions_.assign(regions, regions + count);
    return true;
}

uint64_t *Memory::find(uint64_t address) {
    // There are a handful of regions, and the first that holds the address counts.
    for (const auto &region : regions_)
        if (holds(region, address))
            return reinterpret_cast<uint64_t *>(static_cast<char *>(region.host) +
                                                (address - region.address));
    return nullptr;
}

bool Memory::read(uint64_t address, uint64_t &value) {
    const uint64_t *word = find(address);
    if (!word) return false;
    value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    return true;
}

bool Memory::write(uint64_t address, uint64_t value, unsigned strobe) {
    uint64_t *word = find(address);
    if (!word) return false;
    auto *half = reinterpret_cast<uint32_t *>(word);
    // The core stores whole words and, for a fence, a half. Software may look at any time.
    if (strobe == 0xFF) {
        __atomic_store_n(word, value, __ATOMIC_RELEASE);
    } else if (strobe == 0x0F || strobe == 0xF0) {
        const unsigned high = strobe == 0xF0;
        __atomic_store_n(half + high, static_cast<uint32_t>(value >> 32 * high), __ATOMIC_RELEASE);
    } else {
        auto *bytes = reinterpret_cast<uint8_t *>(word);
        for (unsigned i = 0; i < 8; i++)
            if (strobe >> i & 1) bytes[i] = static_cast<uint8_t>(value >> 8 * i);
    }
    return true;
}

}  // namespace siommu
