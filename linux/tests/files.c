/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "check.h"

int make_file(const char *path, uint64_t file, unsigned int pages)
{
	uint64_t words[WORDS];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
	unsigned int page;

	for (page = 0; fd >= 0 && page < pages; page++) {
		fill_page(words, file, page, 0);
		if (pwrite(fd, words, PAGE_BYTES, (off_t)page * PAGE_BYTES) != PAGE_BYTES) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0 || fsync(fd)) {
		perror(path);
		return -1;
	}
	return fd;
}
