/* SPDX-License-Identifier: Apache-2.0 */
/* The stress, inside: stress.c starts and kills processes, worker.c is one of them. */
#ifndef SIOMMU_STRESS_H
#define SIOMMU_STRESS_H

#include <stdatomic.h>

#include "check.h"

#define FILES		6u
#define READ_ONLY	4u	/* the first ones are never written */
#define FILE_PAGES	64u
#define WRONG		99	/* status of a process that saw what must not be */

/* Counts of all processes. */
struct counts {
	_Atomic(uint64_t) reads, writes, refused, steps;
};

extern struct counts *counts;
extern char paths[FILES][100];

/* Numbers that follow from a seed. */
struct rng {
	uint64_t state;
};

static inline uint32_t rng_next(struct rng *rng, uint32_t below)
{
	rng->state = rng->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((rng->state >> 33) % below);
}

/* A process that reads, writes, and changes its memory at random; it does not return. */
_Noreturn void worker(uint64_t seed);

#endif
