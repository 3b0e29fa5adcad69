/* SPDX-License-Identifier: Apache-2.0 */
/* What the library and the module do for one program, a line for each check. The file that it is
 * given is on an SSD behind the SIOMMU, and may be written to; its status is how many failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define LONGEST		(1u << 20)

static int failed;
static char want[LONGEST], got[LONGEST];

static void check(int good, const char *what)
{
	printf("%s: %s%s%s\n", good ? "pass" : "FAIL", what, good ? "" : ", errno ",
	       good ? "" : strerror(errno));
	fflush(stdout);
	failed += !good;
}

static void reads(struct siommu_file *file, int fd, size_t size)
{
	ssize_t known = pread(fd, want, LONGEST, 0);

	check(known == (ssize_t)size, "the kernel reads the file");
	check(siommu_pread(file, got, LONGEST, 0) == known && !memcmp(want, got, size),
	      "a direct read of all of it is the same");
	check(siommu_pread(file, got, 1000, 12345) == 1000 && !memcmp(want + 12345, got, 1000),
	      "a part at an odd place, too");
	check(siommu_pread(file, got + 1, 4096, 4096) == 4096 && !memcmp(want + 4096, got + 1, 4096),
	      "into a buffer at an odd address");
	check(siommu_pread(file, got, 10, (off_t)size) == 0, "nothing is behind the end");
	check(siommu_pread(file, got, 10, -1) == -1 && errno == EINVAL, "nothing is in front of it");
}

static void writes(struct siommu_file *file, const char *path, int fd, size_t size)
{
	struct siommu_counts before = siommu_counts(file->siommu), after;

	memset(want + 4096, 'x', 8192);
	memcpy(want + 3, "hello", 5);
	check(siommu_pwrite(file, want + 4096, 8192, 4096) == 8192, "two pages are written");
	check(siommu_pwrite(file, "hello", 5, 3) == 5, "five bytes are written");
	check(siommu_pread(file, got, size, 0) == (ssize_t)size && !memcmp(want, got, size),
	      "and read again, with their neighbours as they were");
	after = siommu_counts(file->siommu);
	check(after.kernel == before.kernel && after.direct > before.direct,
	      "the kernel had no part in it");
	check(ftruncate(fd, 100) == -1 && errno == ETXTBSY, "its blocks stay: truncate is refused");
	check(pwrite(fd, "x", 1, 0) == -1 && errno == ETXTBSY, "so is a write through the kernel");
	check(unlink(path) == -1 && errno == EPERM, "so is unlink");
	check(siommu_pwrite(file, "tail", 4, (off_t)size + 5000) == 4, "a write behind the end");
	check(siommu_size(file) == (off_t)size + 5004, "makes the file longer");
	memset(got, 'y', 5004);
	check(siommu_pread(file, got, 5004, (off_t)size) == 5004 && !memcmp(got + 5000, "tail", 4) &&
	      !got[0] && !got[4999], "with zeros before it");
}

/* Refusals of the SIOMMU: one command each, at an address that is not the program's. */
static void misuse(struct siommu_file *file)
{
	void *readable = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct siommu_file other = *file;

	other.size = LONGEST;
	other.about.vba += 1ull << 40;
	check(siommu_pread(&other, got, 4096, 0) == -1 && errno == EACCES,
	      "a window that nothing is attached to is refused");
	other.about.vba = 0;
	check(siommu_pread(&other, got, 4096, 0) == -1 && errno == EACCES,
	      "so is the SSD's first block by its own address");
	other.about.vba = file->about.vba;
	other.size = 1u << 30;
	check(siommu_pread(&other, got, 4096, 1 << 29) == -1 && errno == EACCES,
	      "so is what lies behind the file's end");
	check(siommu_pread(file, (void *)0x10000, 4096, 0) == -1 && errno == EFAULT,
	      "memory that is not there is the program's fault");
	check(siommu_pread(file, readable, 4096, 0) == -1 && errno == EFAULT,
	      "so is memory that it may not write");
	munmap(readable, 4096);
}

static void rights(struct siommu *siommu, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct siommu_file *file = siommu_attach(siommu, fd), cheat;

	check(file != NULL, "attached for reading");
	check(siommu_pwrite(file, want, 4096, 0) == -1 && errno == EBADF, "the library writes not");
	cheat = *file;
	cheat.about.flags |= SIOMMU_WRITE;
	check(siommu_pwrite(&cheat, want, 4096, 0) == -1 && errno == EACCES,
	      "nor does the SSD for a program that tries");
	check(siommu_pread(file, got, 4096, 0) == 4096, "it reads");
	check(siommu_detach(file) == 0, "detached");
	cheat.about.flags = SIOMMU_READ;
	check(siommu_pread(&cheat, got, 4096, 0) == -1 && errno == EACCES,
	      "and has nothing any more");
	close(fd);
	fd = open("/proc/version", O_RDONLY);
	check(!siommu_attach(siommu, fd) && errno != 0, "a file of another kind is refused");
	close(fd);
	check(!siommu_attach(siommu, -1) && errno == EBADF, "so is what is none");
}

static void memory(struct siommu_file *file)
{
	char *fresh = mmap(NULL, LONGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	struct siommu_counts before = siommu_counts(file->siommu);
	int status = 1;
	pid_t child;

	check(siommu_pread(file, fresh, 131072, 0) == 131072 && !memcmp(fresh, want, 131072),
	      "memory that was never touched is made present");
	check(siommu_counts(file->siommu).remapped > before.remapped, "after a refusal");
	child = fork();
	if (!child)
		_exit(siommu_pread(file, fresh, 4096, 0) == -1 && errno == EPERM ? 0 : 1);
	check(waitpid(child, &status, 0) == child && !status, "a child has nothing of its parent's");
	check(siommu_pread(file, fresh, 131072, 4096) == 131072 &&
	      !memcmp(fresh, want + 4096, 131072), "the parent goes on, with pages of its own");
	munmap(fresh, LONGEST);
	check(siommu_pread(file, fresh, 4096, 0) == -1 && errno == EFAULT,
	      "what was unmapped is not written to");
}

static void asynchronous(struct siommu *siommu, struct siommu_file *file)
{
	char *buffer = mmap(NULL, LONGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	struct siommu_event event;
	int sent = 0, came = 0, good = 0;

	while (came < 64) {
		if (sent < 64 && !siommu_submit(file, 0, buffer + sent * 4096, 4096, sent * 4096,
						buffer + sent * 4096)) {
			sent++;
			continue;
		}
		if (siommu_poll(siommu, &event, 1) == 1) {
			size_t at = (size_t)((char *)event.cookie - buffer);

			good += event.result == 4096 && !memcmp(event.cookie, want + at, 4096);
			came++;
		}
	}
	check(good == 64, "64 asynchronous reads bring what they should");
	munmap(buffer, LONGEST);
}

int main(int count, char **words)
{
	struct siommu *siommu = siommu_open(32);
	int fd = count == 2 ? open(words[1], O_RDWR) : -1;
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	struct siommu_file *file;

	if (!siommu || fd < 0 || size < 300000 || size >= LONGEST - 8192) {
		fprintf(stderr, "direct: a file of 300,000 to a million bytes, and /dev/siommu\n");
		return 100;
	}
	file = siommu_attach(siommu, fd);
	check(file != NULL, "attached for reading and writing");
	if (!file)
		return 101;
	reads(file, fd, (size_t)size);
	writes(file, words[1], fd, (size_t)size);
	misuse(file);
	rights(siommu, words[1]);
	memory(file);
	asynchronous(siommu, file);
	check(siommu_detach(file) == 0, "detached");
	check(ftruncate(fd, size) == 0, "the file is as any other again");
	siommu_close(siommu);
	return failed;
}
