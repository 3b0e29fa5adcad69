/* SPDX-License-Identifier: Apache-2.0 */
/* The SIOMMU's command queue, its fences, and its fault queue. */
#ifndef QUEUES_H
#define QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include "siommu.h"

/* Makes both queues and turns them on. */
void queues_start(void);

/* Has the SIOMMU forget a page of a process, 2^n pages from `address` on, and waits until it has. */
void revoke(uint32_t pasid, uint64_t address, unsigned n);

/* How many commands have been sent. */
unsigned invalidations_sent(void);
unsigned fences_sent(void);

/* Takes the oldest fault record; false if none comes in a while. */
bool fault_take(struct siommu_fault *fault);

/* Whether there is a record that nobody has taken. */
bool fault_waits(void);

#endif
