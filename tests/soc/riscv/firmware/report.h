/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console, and comparisons. A line says what was found; same() compares each part of it with what
 * it ought to be; verdict() ends the line with "ok" or with "WRONG" and the parts that differ.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * As printf, with these: %s text, %u decimal, %x hexadecimal of as many digits as needed, %w of 8
 * digits; all of uint32_t. %q is a uint64_t, of 16 hexadecimal digits.
 */
void print(const char *format, ...);

/* The begin of a part of the story. */
void chapter(const char *text);

/* A part of the line that is being printed: what was found, and what should have been. */
void same(const char *name, uint64_t found, uint64_t expected);

/* Ends the line. */
void verdict(void);

/* The last line. Returns 0 if every line was right, 1 if not. */
int conclusion(void);

#endif
