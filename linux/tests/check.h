/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs here share: a line for each check, and files whose pages say what they are. */
#ifndef SIOMMU_CHECK_H
#define SIOMMU_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES	4096u
#define WORDS		(PAGE_BYTES / 8)

static int failed;

static inline void check(bool good, const char *what)
{
	printf("%s: %s%s%s\n", good ? "pass" : "FAIL", what, good ? "" : ", errno ",
	       good ? "" : strerror(errno));
	fflush(stdout);
	failed += !good;
}

/* Page `page` of file `file`, as `turn` wrote it. */
static inline void fill_page(uint64_t *words, uint64_t file, uint64_t page, uint64_t turn)
{
	unsigned int index;

	words[0] = file << 32 | page;
	words[1] = turn;
	for (index = 2; index < WORDS; index++)
		words[index] = (words[0] * 0x9e3779b97f4a7c15u ^ turn) + index;
}

static inline bool is_page(const uint64_t *words, uint64_t file, uint64_t page)
{
	uint64_t wanted[WORDS];

	fill_page(wanted, file, page, words[1]);
	return !memcmp(words, wanted, sizeof(wanted));
}

/* Makes a file of `pages` pages through the kernel, on the disk; its descriptor, or -1. */
int make_file(const char *path, uint64_t file, unsigned int pages);

/* Memory of the process, never touched. */
static inline void *memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return at;
}

/* A text file's content, up to `size` - 1 bytes; empty if it cannot be read. */
static inline void read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, size - 1, file) : 0;

	text[length] = 0;
	if (file)
		fclose(file);
}

#endif
