// Clocks the system until its firmware ends. The console goes to standard output; the status of the
// firmware is that of this program. Other statuses say why there was none.

#include <cstdint>
#include <cstdio>

#include "Vriscv_soc.h"

namespace {

constexpr std::uint64_t patience = 20'000'000;      // cycles; the example takes a fraction of them
enum Status { trapped = 100, endless = 101 };

}  // namespace

int main(int count, char **words) {
    VerilatedContext context;
    context.randReset(2);               // memory and registers are anything at power-up ...
    context.randSeed(1);                // ... but the same in every run
    context.commandArgs(count, words);
    Vriscv_soc soc{&context};
    soc.rst = 1;
    for (std::uint64_t cycle = 0; cycle < patience; ++cycle) {
        soc.clk = 0;
        soc.eval();
        soc.clk = 1;
        soc.eval();
        soc.rst = cycle < 8;
        if (soc.rst)
            continue;
        if (soc.console) {
            std::putchar(soc.character);
            if (soc.character == '\n')
                std::fflush(stdout);
        }
        if (soc.ended) {
            std::fprintf(stderr, "siommu: the firmware ended in cycle %llu\n",
                         static_cast<unsigned long long>(cycle));
            return static_cast<int>(soc.status & 0x3F);
        }
        if (soc.trap) {
            std::fputs("siommu: the processor met an instruction that it cannot execute, or an "
                       "address that is not aligned\n", stderr);
            return trapped;
        }
    }
    std::fprintf(stderr, "siommu: the firmware did not end in %llu cycles\n",
                 static_cast<unsigned long long>(patience));
    return endless;
}
