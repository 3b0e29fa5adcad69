/* SPDX-License-Identifier: Apache-2.0 */
/* The console, and comparisons. */
#include <stdarg.h>

#include "report.h"
#include "soc.h"

#define COLUMN		78	/* where verdicts stand */
#define DIFFERENCES	8	/* as many are told per line */

static struct {
	unsigned column;
	unsigned right, wrong;		/* lines */
	unsigned different;		/* parts of this line */
	struct {
		const char *name;
		uint64_t found, expected;
	} difference[DIFFERENCES];
} report;

static void put(char character)
{
	store32(CONSOLE, (uint8_t)character);
	report.column = character == '\n' ? 0 : report.column + 1;
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_hexadecimal(uint64_t value, unsigned digits)
{
	while (digits--)
		put("0123456789abcdef"[value >> 4 * digits & 0xF]);
}

static void put_decimal(uint32_t value)
{
	if (value >= 10)
		put_decimal(value / 10);
	put((char)('0' + value % 10));
}

static unsigned digits_of(uint32_t value)
{
	unsigned digits = 1;

	while (value >>= 4)
		digits++;
	return digits;
}

void print(const char *format, ...)
{
	va_list arguments;
	uint32_t value;

	va_start(arguments, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			put_text(va_arg(arguments, const char *));
			break;
		case 'u':
			put_decimal(va_arg(arguments, uint32_t));
			break;
		case 'x':
			value = va_arg(arguments, uint32_t);
			put_hexadecimal(value, digits_of(value));
			break;
		case 'w':
			put_hexadecimal(va_arg(arguments, uint32_t), 8);
			break;
		case 'q':
			put_hexadecimal(va_arg(arguments, uint64_t), 16);
			break;
		}
	}
	va_end(arguments);
}

void chapter(const char *text)
{
	print("%s\n", text);
}

void same(const char *name, uint64_t found, uint64_t expected)
{
	if (found == expected)
		return;
	if (report.different < DIFFERENCES) {
		report.difference[report.different].name = name;
		report.difference[report.different].found = found;
		report.difference[report.different].expected = expected;
	}
	report.different++;
}

void verdict(void)
{
	while (report.column < COLUMN)
		put(' ');
	print(report.different ? "  WRONG\n" : "  ok\n");
	for (unsigned i = 0; i < report.different && i < DIFFERENCES; i++)
		print("      %s is %q, expected %q\n", report.difference[i].name,
		      report.difference[i].found, report.difference[i].expected);
	if (report.different)
		report.wrong++;
	else
		report.right++;
	report.different = 0;
}

int conclusion(void)
{
	if (report.wrong)
		print("FAIL: %u of %u lines are wrong\n", report.wrong, report.right + report.wrong);
	else
		print("PASS: all %u lines are right\n", report.right);
	return report.wrong != 0;
}
