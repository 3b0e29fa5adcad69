/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes with different rights on one file: one reads and writes it, the other may only read.
 *
 * Usage: rights FILE, to be made.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "check.h"
#include "internal.h"

#define PAGES	16u
#define TURNS	40u

/* The reader: it is told of each page that was written, and answers what it saw. */
static int reader(const char *path, int from, int to)
{
	struct siommu *siommu = siommu_open(0);
	struct siommu_file *file = siommu ? siommu_attach(siommu, open(path, O_RDONLY)) : NULL;
	uint64_t *page = memory(PAGE_BYTES), told[2];
	struct siommu_counts counts;
	struct siommu_file cheat;

	if (!file || write(to, "a", 1) != 1)
		return 1;
	cheat = *file;
	cheat.about.flags |= SIOMMU_WRITE;
	while (read(from, told, sizeof(told)) == sizeof(told)) {
		bool good = siommu_pread(file, page, PAGE_BYTES, (off_t)told[0] * PAGE_BYTES) ==
				    PAGE_BYTES &&
			    is_page(page, 0, told[0]) && page[1] == told[1];

		fill_page(page, 0, told[0], ~0ull);
		if (siommu_pwrite(&cheat, page, PAGE_BYTES, (off_t)told[0] * PAGE_BYTES) != -1 ||
		    errno != EACCES)
			return 2;
		if (write(to, good ? "y" : "n", 1) != 1)
			return 3;
	}
	counts = siommu_counts(siommu);
	siommu_close(siommu);
	return counts.kernel ? 4 : counts.direct == TURNS ? 0 : 5;
}

int main(int words, char **word)
{
	int to_reader[2], from_reader[2], fd, status = -1;
	struct siommu_file *file;
	unsigned int turn, good = 0;
	struct siommu *siommu;
	uint64_t *page;
	char answer;
	pid_t child;

	if (words != 2 || pipe(to_reader) || pipe(from_reader)) {
		fprintf(stderr, "usage: rights FILE\n");
		return 2;
	}
	fd = make_file(word[1], 0, PAGES);
	child = fork();
	if (!child) {
		close(to_reader[1]);
		_exit(reader(word[1], to_reader[0], from_reader[1]));
	}
	page = memory(PAGE_BYTES);
	siommu = siommu_open(0);
	file = siommu ? siommu_attach(siommu, fd) : NULL;
	check(file && read(from_reader[0], &answer, 1) == 1, "both have the file attached");
	if (!file)
		return 1;
	for (turn = 1; turn <= TURNS; turn++) {
		uint64_t told[2] = { turn * 5 % PAGES, turn };

		fill_page(page, 0, told[0], turn);
		if (siommu_pwrite(file, page, PAGE_BYTES, (off_t)told[0] * PAGE_BYTES) != PAGE_BYTES ||
		    write(to_reader[1], told, sizeof(told)) != sizeof(told) ||
		    read(from_reader[0], &answer, 1) != 1)
			break;
		good += answer == 'y' && siommu_pread(file, page, PAGE_BYTES,
						      (off_t)told[0] * PAGE_BYTES) == PAGE_BYTES &&
			is_page(page, 0, told[0]) && page[1] == turn;
	}
	check(good == TURNS, "what one writes the other reads at once");
	close(to_reader[1]);
	check(waitpid(child, &status, 0) == child && WIFEXITED(status), "the reader ends");
	check(WEXITSTATUS(status) != 2, "its own writes were all refused with EACCES");
	check(!WEXITSTATUS(status), "and it did without the kernel");
	check(!siommu_counts(siommu).kernel, "so did the writer");
	siommu_close(siommu);
	check(pread(fd, page, PAGE_BYTES, 5 * PAGE_BYTES) == PAGE_BYTES && is_page(page, 0, 5) &&
	      page[1] == 33, "the kernel reads what was written last");
	return failed;
}
