/* The exported Verilog as a library: the Verilated core, its memory and its clock, in plain C.
 *
 * Any Verilog file with the ports of the specification's section 2 can be behind it, with 1 to 8
 * device ports, with or without the port `cpu`, and an AXI data width of 64 to 512 bits. One
 * handle is one core. Handles share nothing; one handle is used by one thread at a time.
 *
 * Time stands still between calls. Functions that clock say so. All sizes are bytes, all times are
 * clock cycles since siommu_sim_create().
 *
 * Failure: a function that can fail returns a negative number, and siommu_sim_error() has the
 * sentence. After a broken bus protocol (the core's fault) every later call fails the same way.
 */
#ifndef SIOMMU_SIM_H
#define SIOMMU_SIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct siommu_sim siommu_sim;

/* A piece of main memory: `size` bytes from guest physical address `address` are at `host`. Both
 * ends are aligned to 8 bytes. The memory stays the caller's and must outlive its use here. */
typedef struct {
    uint64_t address;
    uint64_t size;
    void *host;
} siommu_sim_region;

/* A request of a port, section 2.1. `pages` is minus one, as on the wire. */
typedef struct {
    uint64_t address;
    uint32_t pasid;
    uint16_t device;
    uint8_t file_transfer;
    uint8_t write;
    uint8_t pages;
    uint8_t tag;
} siommu_sim_request;

/* A response beat, section 2.1, and the cycle in which it was handed over. */
typedef struct {
    uint64_t cycle;
    uint64_t address;
    uint8_t tag;
    uint8_t last;
    uint8_t cause;
    uint8_t disposition;
    uint8_t pages;
    uint8_t read;
    uint8_t write;
    uint8_t size;
} siommu_sim_beat;

/* A 64-bit word that the core read from memory or wrote to it. A read is of the cycle in which its
 * data was handed over, so no later than the core knew it. `response` is that of AXI: 0 OKAY,
 * 2 SLVERR, 3 DECERR. `strobe` has a bit per byte, all 1 for a read. */
typedef struct {
    uint64_t cycle;
    uint64_t address;
    uint64_t value;
    uint8_t write;
    uint8_t response;
    uint8_t strobe;
} siommu_sim_access;

/* Interrupt lines as bits (section 2.4). */
enum { SIOMMU_SIM_COMMAND = 1, SIOMMU_SIM_FAULT = 2, SIOMMU_SIM_COUNTER = 4 };

/* A core after reset, with no memory; NULL when there is no room for it. */
siommu_sim *siommu_sim_create(void);
void siommu_sim_destroy(siommu_sim *sim);

/* Why the latest call that failed did so; empty if none did. Valid until the next one fails. */
const char *siommu_sim_error(const siommu_sim *sim);

/* Holds `rst` for some cycles. Requests and beats that are here are dropped, registers are those
 * of section 8, memory and latency stay. */
void siommu_sim_reset(siommu_sim *sim);

/* Number of ports: devices from 0 on, then `cpu` if the core has it. */
unsigned siommu_sim_ports(const siommu_sim *sim);

/* Replaces all of main memory. An address outside of every region answers DECERR; where regions
 * overlap, the first one counts. -1: a region is not aligned or wraps. */
int siommu_sim_map(siommu_sim *sim, const siommu_sim_region *regions, size_t count);

/* Cycles from an address on the AXI4 bus to its first data or its write response; 1 or more. */
int siommu_sim_set_latency(siommu_sim *sim, unsigned cycles);

/* Register access, AXI4-Lite; clocks until it is answered. Returns the response (0 OKAY,
 * 2 SLVERR), or -1 if the core does not answer. `strobe` has a bit per byte. */
int siommu_sim_read(siommu_sim *sim, uint32_t offset, uint32_t *value);
int siommu_sim_write(siommu_sim *sim, uint32_t offset, uint32_t value, unsigned strobe);

/* Queues a request at a port; requests of one port enter the core in this order. -1: no such port. */
int siommu_sim_submit(siommu_sim *sim, unsigned port, const siommu_sim_request *request);

/* Moves at most `room` beats of a port to `beats`, oldest first; returns how many. */
int siommu_sim_collect(siommu_sim *sim, unsigned port, siommu_sim_beat *beats, size_t room);

/* Forgets the requests of a port that has been disabled (PORT_ENABLE) and the beats it has. */
int siommu_sim_forget(siommu_sim *sim, unsigned port);

/* Clocks exactly `cycles` cycles. */
int siommu_sim_clock(siommu_sim *sim, uint64_t cycles);

/* Clocks while something is under way: requests, bus transfers, or what STATUS reports, but for a
 * command queue that an error stopped; at most `limit` cycles and the few of a look at STATUS, and
 * no further than a request's last beat.
 * Returns the cycles clocked: 0 means that nothing is under way. */
int64_t siommu_sim_run(siommu_sim *sim, uint64_t limit);

uint64_t siommu_sim_cycles(const siommu_sim *sim);
unsigned siommu_sim_interrupts(const siommu_sim *sim);

/* Records the words that cross the AXI4 bus, from now on (`on` = 1) or no more. */
void siommu_sim_record(siommu_sim *sim, int on);

/* Moves at most `room` recorded words to `accesses`, oldest first; returns how many. */
int siommu_sim_accesses(siommu_sim *sim, siommu_sim_access *accesses, size_t room);

/* Writes waves to a VCD file from now on; NULL ends it. -1: built without waves, or no such place.
 */
int siommu_sim_trace(siommu_sim *sim, const char *path);

#ifdef __cplusplus
}
#endif

#endif
