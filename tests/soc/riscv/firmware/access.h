/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for translations: through the SIOMMU's debug port, and through the device. */
#ifndef ACCESS_H
#define ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "siommu.h"

enum direction { READ, WRITE };

/* What a translation comes to. A refusal has no address, rights or size. */
struct translation {
	enum siommu_cause cause;
	enum siommu_disposition disposition;
	uint64_t address;
	bool readable, writable;
	enum siommu_size size;
};

struct translation granted(uint32_t address, enum rights rights, enum siommu_size size);
struct translation refused(enum siommu_cause cause, enum siommu_disposition disposition);

/* Asks through the debug port, prints the answer and compares it. */
void ask(uint16_t device, uint32_t pasid, enum direction direction, uint64_t address,
	 struct translation expected);

/* What a copy came to: bytes moved, and the refusal if there was one. */
struct copy {
	uint32_t moved;
	enum siommu_cause cause;	/* OK: all was copied */
	enum siommu_disposition disposition;
	enum direction refused;		/* the read of the source, or the write of the target */
	uint64_t address;		/* the one that was refused */
};

struct copy whole(uint32_t bytes);	/* one that was not refused */

/* Tells the device what to copy; starts it; waits, prints what became of it and compares that. */
void copy_prepare(uint32_t pasid, uint64_t source, uint64_t target, uint32_t bytes);
void copy_go(void);
bool copy_goes_on(void);
uint32_t copy_moved(void);		/* bytes so far */
void copy_end(struct copy expected);

/* The three of them. */
void copy(uint32_t pasid, uint64_t source, uint64_t target, uint32_t bytes, struct copy expected);

/* Compare two places in memory; a place with what fill() has put there. */
void expect_equal(uint32_t target, uint32_t source, uint32_t bytes);
void expect_untouched(uint32_t address, uint32_t bytes, uint32_t seed);

/* The tag of the last copy's requests, and how many copies have been refused. */
uint8_t last_tag(void);
unsigned refusals(void);

#endif
