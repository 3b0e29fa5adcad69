/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes that the test of this example plants, one at a time, to see that the comparisons notice
 * (-DPLANTED=...). A firmware of yours needs no such thing.
 */
#ifndef PLANTED_H
#define PLANTED_H

enum planted {
	NOTHING,
	NO_INVALIDATION,	/* a page is taken away from the table, and from nowhere else */
	NO_FENCE,		/* the invalidation is sent behind another one, and not waited for */
	NO_PROTECTION,		/* a page that is to be read only may be written */
	NO_TABLE_FORMAT,	/* the context does not say that its table is one of RISC-V */
};

#ifndef PLANTED
#define PLANTED NOTHING
#endif

#endif
