/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program tries that must fail. Each attempt is one command that the program gives the SSD
 * itself, with addresses that are not its own; looked at are errno, the SIOMMU's fault record, and
 * that nothing was moved.
 *
 * Usage: misuse FOLDER OTHER, with FOLDER and OTHER on two SSDs behind the SIOMMU; as root, for the
 * records.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "check.h"
#include "internal.h"

#define PAGES		8u
#define RECORDS		"/sys/kernel/debug/siommu/records"
#define WAIT_TURNS	2000

static uint64_t *buffer, before[WORDS];
static unsigned int pasid;

struct attempt {
	const char *name;
	struct siommu_file *file;
	bool write;
	void *buffer;
	int64_t offset;			/* from the file's first byte */
	int error;			/* that the library reports; 0: it succeeds */
	const char *record;		/* cause and disposition */
	bool block;			/* the translation that is refused */
};

/* Waits for the record of an attempt: it comes by an interrupt. */
static bool has_record(const struct attempt *attempt, char *last, size_t size)
{
	uint64_t address = attempt->block ? attempt->file->about.vba + (uint64_t)attempt->offset :
					    (uintptr_t)attempt->buffer;
	bool writes = attempt->block ? attempt->write : !attempt->write;
	char wanted[200], text[16384], *line;
	unsigned int turn;

	snprintf(wanted, sizeof(wanted), " pasid %u %s %s %#llx ", pasid, writes ? "write" : "read",
		 attempt->block ? "block" : "memory", (unsigned long long)address);
	for (turn = 0; turn < WAIT_TURNS; turn++) {
		read_text(RECORDS, text, sizeof(text));
		line = strrchr(text, '\n');
		if (line) {
			*line = 0;
			line = strrchr(text, '\n');
			snprintf(last, size, "%s", line ? line + 1 : text);
			if (strstr(last, wanted) &&
			    !strncmp(last, attempt->record, strlen(attempt->record)))
				return true;
		}
		usleep(1000);
	}
	return false;
}

static void try(const struct attempt *attempt)
{
	struct siommu_file file = *attempt->file;
	char last[400] = "none", text[800];
	ssize_t moved;
	int error;

	file.size = UINT64_MAX >> 1;		/* the library shall not know better */
	file.about.flags = SIOMMU_READ | SIOMMU_WRITE;
	memset(buffer, 0x5a, PAGE_BYTES);
	errno = 0;
	moved = attempt->write ? siommu_pwrite(&file, attempt->buffer, PAGE_BYTES, attempt->offset)
			       : siommu_pread(&file, attempt->buffer, PAGE_BYTES, attempt->offset);
	error = moved < 0 ? errno : 0;
	snprintf(text, sizeof(text), "%s: %s; %s", attempt->name, error ? strerror(error) : "done",
		 has_record(attempt, last, sizeof(last)) ? last : "NO SUCH RECORD");
	check(error == attempt->error && !strstr(text, "NO SUCH"), text);
	if (strstr(text, "NO SUCH"))
		printf("the last record: %s\n", last);
	if (error && attempt->buffer == buffer) {
		memset(before, 0x5a, sizeof(before));
		if (memcmp(buffer, before, sizeof(before)))
			check(false, "the buffer was not to be touched");
	}
}

/* Another process, which has `path` attached until `end` is closed. Its exit status tells whether the
 * file is then as before. Returns its number, or -1. */
static pid_t victim(const char *path, int *end)
{
	int ready[2], stop[2];
	pid_t child;
	char byte;

	if (pipe(ready) || pipe(stop))
		return -1;
	child = fork();
	if (!child) {
		struct siommu *siommu = siommu_open(0);
		struct siommu_file *file = siommu ? siommu_attach(siommu, open(path, O_RDWR)) : NULL;
		uint64_t *page = memory(PAGE_BYTES);

		close(stop[1]);
		if (!file || siommu_pread(file, page, PAGE_BYTES, 0) != PAGE_BYTES ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		while (read(stop[0], &byte, 1) > 0)
			;
		_exit(siommu_pread(file, page, PAGE_BYTES, 0) == PAGE_BYTES && is_page(page, 1, 0) &&
		      !page[1] ? 0 : 2);
	}
	close(ready[1]);
	close(stop[0]);
	*end = stop[1];
	return read(ready[0], &byte, 1) == 1 ? child : -1;
}

static void others_file(struct siommu_file *mine, const char *path)
{
	struct siommu_file theirs = *mine;
	int fd = open(path, O_RDONLY), end = -1, block = 0, status = -1;
	pid_t child = victim(path, &end);

	check(child > 0 && !ioctl(fd, FIBMAP, &block) && block, "another process has its file attached");
	/* The windows of a process are its own: three up there is none of this one. */
	theirs.about.vba += 3ull << 39;
	try(&(struct attempt){ "a file that another process has attached", &theirs, false, buffer, 0,
			       EACCES, "NOT_PRESENT DENY ", true });
	theirs.about.vba = (uint64_t)block * PAGE_BYTES;
	try(&(struct attempt){ "its block on the SSD", &theirs, false, buffer, 0, EACCES,
			       "NOT_PRESENT DENY ", true });
	try(&(struct attempt){ "overwriting its block", &theirs, true, buffer, 0, EACCES,
			       "NOT_PRESENT DENY ", true });
	close(fd);
	close(end);
	check(waitpid(child, &status, 0) == child && !status, "its file is as it was");
}

static void memory_of_others(struct siommu_file *mine)
{
	char *readable = memory(PAGE_BYTES), *fresh = memory(PAGE_BYTES);
	volatile char touch;

	mprotect(readable, PAGE_BYTES, PROT_READ);
	touch = *readable;
	(void)touch;
	try(&(struct attempt){ "memory that is not mapped", mine, false, (void *)0x10000, 0, EFAULT,
			       "NOT_PRESENT REMAP ", false });
	try(&(struct attempt){ "memory that may only be read", mine, false, readable, 0, EFAULT,
			       "WRITE_DENIED DENY ", false });
	try(&(struct attempt){ "the kernel's memory", mine, false, (void *)0xffffffff81000000, 0,
			       EFAULT, "SUPERVISOR DENY ", false });
	try(&(struct attempt){ "the kernel's memory, to be written to the file", mine, true,
			       (void *)0xffffffff81000000, 0, EFAULT, "SUPERVISOR DENY ", false });
	try(&(struct attempt){ "memory that was never touched", mine, false, fresh, 0, 0,
			       "NOT_PRESENT REMAP ", false });
	check(is_page((uint64_t *)fresh, 0, 0), "and it is read into");
}

int main(int words, char **word)
{
	struct siommu_file *mine, *other, *reading, gone;
	char path[3][200];
	struct siommu_info info;
	struct siommu *siommu;
	int fd[3];

	if (words != 3) {
		fprintf(stderr, "usage: misuse FOLDER OTHER\n");
		return 2;
	}
	buffer = memory(PAGE_BYTES);
	snprintf(path[0], sizeof(path[0]), "%s/mine", word[1]);
	snprintf(path[1], sizeof(path[1]), "%s/theirs", word[1]);
	snprintf(path[2], sizeof(path[2]), "%s/other", word[2]);
	for (int index = 0; index < 3; index++)
		fd[index] = make_file(path[index], (uint64_t)index, PAGES);
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0)
		return 2;
	if (pwrite(fd[0], "end", 3, 20 * PAGE_BYTES) != 3)	/* a hole before it */
		return 2;
	fsync(fd[0]);
	close(fd[1]);
	siommu = siommu_open(0);
	mine = siommu ? siommu_attach(siommu, fd[0]) : NULL;
	other = siommu ? siommu_attach(siommu, fd[2]) : NULL;
	check(mine && other && mine->queue != other->queue, "files on two SSDs are attached");
	if (!mine || !other || ioctl(siommu->fd, SIOMMU_IOC_INFO, &info))
		return 2;
	pasid = info.pasid;
	others_file(mine, path[1]);
	fd[1] = open(path[1], O_RDONLY);
	reading = siommu_attach(siommu, fd[1]);
	check(reading != NULL, "the same file, opened for reading");
	if (!reading)
		return 2;
	try(&(struct attempt){ "a write to a file opened for reading", reading, true, buffer, 0,
			       EACCES, "WRITE_DENIED DENY ", true });
	try(&(struct attempt){ "past the end of the file", mine, false, buffer, 100 * PAGE_BYTES,
			       EACCES, "NOT_PRESENT DENY ", true });
	gone = *other;
	gone.about.vba = mine->about.vba;
	try(&(struct attempt){ "a block of one SSD by a command of the other", &gone, false, buffer,
			       0, EACCES, "DEVICE_MISMATCH DENY ", true });
	memory_of_others(mine);
	try(&(struct attempt){ "a hole, through the kernel", mine, false, buffer, 12 * PAGE_BYTES, 0,
			       "NOT_PRESENT OS ", true });
	check(!buffer[0] && !buffer[WORDS - 1], "which reads zeros");
	gone = *reading;
	siommu_detach(reading);
	try(&(struct attempt){ "after close", &gone, false, buffer, 0, EACCES, "NOT_PRESENT DENY ",
			       true });
	check(pread(fd[0], buffer, PAGE_BYTES, 0) == PAGE_BYTES && is_page(buffer, 0, 0),
	      "the program's own file is as it was");
	siommu_close(siommu);
	return failed;
}
