// Ports of the Verilated model as numbers, whatever type Verilator chose for their width.
#ifndef SIOMMU_SIM_BITS_H
#define SIOMMU_SIM_BITS_H

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace siommu {

// Words of 64 bits in a data port. Verilator keeps 64 bits as one number, more as an array of 32-bit
// words, lowest first.
template <typename Port>
constexpr unsigned words = sizeof(Port) / 8;

template <typename Port>
uint64_t get_word(const Port &port, unsigned index) {
    uint64_t value;
    std::memcpy(&value, reinterpret_cast<const char *>(&port) + 8 * index, 8);
    return value;
}

template <typename Port>
void set_word(Port &port, unsigned index, uint64_t value) {
    std::memcpy(reinterpret_cast<char *>(&port) + 8 * index, &value, 8);
}

}  // namespace siommu

#endif
