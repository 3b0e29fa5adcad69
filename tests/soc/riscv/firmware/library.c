/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GCC calls these for larger structures, also in programs that have no C library. They store through
 * a volatile pointer, because GCC would make a call of memset() out of the loop in memset().
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes)
{
	volatile uint8_t *target = to;
	const uint8_t *source = from;

	while (bytes--)
		*target++ = *source++;
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	volatile uint8_t *target = to;

	while (bytes--)
		*target++ = (uint8_t)value;
	return to;
}
