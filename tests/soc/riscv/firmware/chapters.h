/* SPDX-License-Identifier: Apache-2.0 */
/* The chapters of the story, and the process that it is about. */
#ifndef CHAPTERS_H
#define CHAPTERS_H

#include <stdint.h>

#include "siommu.h"

#define PAGE		SIOMMU_PAGE_BYTES
#define PROCESS		0x12345u	/* the PASID of the process that the device works for */
#define STRANGER	0x12346u	/* the next one, for which nothing was ever set up */

/* What the process sees: virtual addresses. */
#define SOURCE		UINT64_C(0x0000001000000000)	/* two pages, to be read only */
#define TARGET		UINT64_C(0x0000001000010000)	/* two pages; the one behind is absent */
#define BUFFER		UINT64_C(0x0000001000100000)	/* 64 KiB, a NAPOT mapping */
#define LARGE		UINT64_C(0x0000002000000000)	/* 2 MiB, one leaf of level 2 */
#define HOLE		UINT64_C(0x0000003000000000)	/* not even a table */
#define NOWHERE		UINT64_C(0x0000004000000000)	/* Sv39 has no such address */
#define HIGHEST		UINT64_C(0xfffffffffffff000)	/* the last page of the upper half */

/* Where it is: physical addresses of tables, and of the pages behind the above. LARGE is at
 * LARGE_MEMORY. */
struct process {
	uint32_t directory, pasids, context, root;
	uint32_t source[2], target[2], buffer, highest;
};
extern struct process at;

/* bring_up.c */
void identify(void);
void before_it_is_on(void);
void tables(void);
void switch_on(void);

/* translations.c */
void debug_port(void);
void device_copies(void);

/* faults.c */
void faults_are_recorded(void);
void revocation(void);
void counters(void);

#endif
