#include "ports.h"

namespace siommu {

void Port::forget() {
    requests.clear();
    beats.clear();
    outstanding = 0;
}

namespace {

// A class for each port, because Verilator gives every signal of it a member of its own.
#define SIOMMU_PORT(name)                                                                    \
    class Port_##name final : public Port {                                                  \
      public:                                                                                \
        explicit Port_##name(Vsiommu &top) : top_(top) {}                                    \
                                                                                             \
        bool sample(uint64_t cycle) override {                                               \
            if (top_.name##_req_valid && top_.name##_req_ready && !requests.empty()) {       \
                requests.pop_front();                                                        \
                outstanding++;                                                               \
            }                                                                                \
            if (!(top_.name##_rsp_valid && top_.name##_rsp_ready)) return false;             \
            const bool last = top_.name##_rsp_last;                                          \
            if (!outstanding) return false; /* of a request that was forgotten */            \
            beats.push_back({cycle, top_.name##_rsp_addr, top_.name##_rsp_tag, last,         \
                             top_.name##_rsp_cause, top_.name##_rsp_disposition,             \
                             top_.name##_rsp_pages, top_.name##_rsp_read,                    \
                             top_.name##_rsp_write, top_.name##_rsp_size});                  \
            if (last) outstanding--;                                                         \
            return last;                                                                     \
        }                                                                                    \
                                                                                             \
        void drive() override {                                                              \
            top_.name##_rsp_ready = 1;                                                       \
            top_.name##_req_valid = !requests.empty();                                       \
            if (requests.empty()) return;                                                    \
            const auto &request = requests.front();                                          \
            top_.name##_req_ft = request.file_transfer;                                      \
            top_.name##_req_write = request.write;                                           \
            top_.name##_req_device = request.device;                                         \
            top_.name##_req_pasid = request.pasid;                                           \
            top_.name##_req_addr = request.address;                                          \
            top_.name##_req_pages = request.pages;                                           \
            top_.name##_req_tag = request.tag;                                               \
        }                                                                                    \
                                                                                             \
      private:                                                                               \
        Vsiommu &top_;                                                                       \
    };
#include "port_list.h"
#undef SIOMMU_PORT

}  // namespace

std::vector<std::unique_ptr<Port>> make_ports(Vsiommu &top) {
    std::vector<std::unique_ptr<Port>> ports;
#define SIOMMU_PORT(name) ports.push_back(std::make_unique<Port_##name>(top));
#include "port_list.h"
#undef SIOMMU_PORT
    return ports;
}

}  // namespace siommu
