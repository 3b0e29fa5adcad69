// The request/response ports (section 2.1). `port_list.h` is made from the Verilog: it calls
// SIOMMU_PORT(name) for every port, devices first.
#ifndef SIOMMU_SIM_PORTS_H
#define SIOMMU_SIM_PORTS_H

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "Vsiommu.h"
#include "siommu_sim.h"

namespace siommu {

// One port: requests that wait for the core, and beats that wait for the caller. Beats are taken in
// the cycle in which they come.
class Port {
  public:
    virtual ~Port() = default;

    // Before the clock's edge: takes the handshakes that the edge will carry out. Returns whether a
    // request's last beat was among them.
    virtual bool sample(uint64_t cycle) = 0;
    // After the edge: offers the next request.
    virtual void drive() = 0;

    bool busy() const { return !requests.empty() || outstanding; }
    void forget();

    std::deque<siommu_sim_request> requests;
    std::deque<siommu_sim_beat> beats;
    uint64_t outstanding = 0;  // requests that the core took and has not ended
};

// All ports of the model, in the order of their numbers.
std::vector<std::unique_ptr<Port>> make_ports(Vsiommu &top);

}  // namespace siommu

#endif
