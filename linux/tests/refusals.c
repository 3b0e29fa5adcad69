/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every refusal of /dev/siommu is an errno, and this is which. And memory that is registered instead
 * of the process's own table.
 *
 * Usage: refusals FOLDER SMALL OTHER: FOLDER is on an SSD behind the SIOMMU, SMALL on one with blocks
 * that are smaller than a page, OTHER on no SSD.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"
#include "internal.h"

#define PAGES	8u
#define WINDOWS	255u		/* attachments of one address space */

static int device;

static void refused(int result, int error, const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	check(result == -1 && errno == error, text);
}

static int ask(unsigned long request, const void *about)
{
	errno = 0;
	return ioctl(device, request, about);
}

static int attach(int fd, unsigned int flags, unsigned int *handle)
{
	struct siommu_attach about = { .fd = fd, .flags = flags };
	int result = ask(SIOMMU_IOC_ATTACH, &about);

	if (handle)
		*handle = about.handle;
	return result;
}

static int opened(const char *folder, const char *name, int flags)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags | O_CREAT, 0666);
	if (fd < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

static void attaching(const char *folder, const char *small, const char *other)
{
	int file = opened(folder, "refusals", O_RDWR), reading = opened(folder, "refusals", O_RDONLY);
	int append = opened(folder, "refusals", O_RDWR | O_APPEND), large = opened(folder, "large", O_RDWR);
	unsigned int handle, count = 0;

	refused(attach(-1, SIOMMU_READ, NULL), EBADF, "no file");
	refused(attach(file, 0, NULL), EINVAL, "no right");
	refused(attach(file, 8, NULL), EINVAL, "a right that there is not");
	refused(attach(reading, SIOMMU_WRITE, NULL), EACCES, "writing a file that is open for reading");
	refused(attach(open(folder, O_RDONLY), SIOMMU_READ, NULL), EINVAL, "a folder");
	refused(attach(open("/dev/null", O_RDWR), SIOMMU_READ, NULL), EINVAL, "a device");
	refused(attach(opened(other, "elsewhere", O_RDWR), SIOMMU_READ, NULL), ENODEV,
		"a file that is on no SSD");
	refused(attach(opened(small, "small", O_RDWR), SIOMMU_READ, NULL), EOPNOTSUPP,
		"a file system with small blocks");
	check(!ftruncate(large, 600ll << 30), "a file of 600 GiB, all of it a hole");
	refused(attach(large, SIOMMU_READ, NULL), EFBIG, "which is too large");
	check(!ftruncate(large, 0), "it is cut again");
	check(!attach(append, SIOMMU_READ, &handle) && !ask(SIOMMU_IOC_DETACH, &handle),
	      "a file that is open for appending can be read");
	while (count <= WINDOWS && !attach(file, SIOMMU_READ, &handle))
		count++;
	refused(-1, EMFILE, "attached too often");
	check(count == WINDOWS, "which is 255 times");
	for (handle = WINDOWS; handle && !ask(SIOMMU_IOC_DETACH, &handle); handle--)
		;
	check(!handle, "all are detached");
	handle = 77;
	refused(ask(SIOMMU_IOC_DETACH, &handle), ENOENT, "detaching what is not attached");
	refused(ask(SIOMMU_IOC_SYNC, &handle), ENOENT, "waiting for it");
	refused(ask(SIOMMU_IOC_WRITE, &(struct siommu_write){ .handle = 77, .length = 1,
		.buffer = (uintptr_t)&handle }), ENOENT, "writing to it");
	check(!attach(file, SIOMMU_READ, &handle), "attached for reading");
	refused(ask(SIOMMU_IOC_WRITE, &(struct siommu_write){ .handle = handle, .length = 1,
		.buffer = (uintptr_t)&handle }), EACCES, "writing to it through the kernel");
	refused(ask(SIOMMU_IOC_WRITE, &(struct siommu_write){ .handle = handle, .length = 1,
		.offset = 1ull << 63, .buffer = (uintptr_t)&handle }), EINVAL, "before its first byte");
	refused(ask(SIOMMU_IOC_WRITE, &(struct siommu_write){ .handle = handle, .length = 1,
		.buffer = 16 }), EFAULT, "from memory that is not there");
}

static void asking(void)
{
	struct siommu_queue queue = { .ssd = 9, .entries = 8 };
	struct siommu_range range = { .address = (uintptr_t)&queue, .length = 8 };
	struct siommu_info mode = { .memory = 7 };
	int status = -1;
	pid_t child;

	refused(ask(_IO('S', 0x99), NULL), ENOTTY, "a request that there is not");
	refused(ask(SIOMMU_IOC_QUEUE, (void *)16), EFAULT, "a request from nowhere");
	refused(ask(SIOMMU_IOC_QUEUE, &queue), ENODEV, "a queue of no SSD");
	queue.ssd = 0;
	queue.entries = 3;
	refused(ask(SIOMMU_IOC_QUEUE, &queue), EINVAL, "a queue of three commands");
	queue.entries = 4096;
	refused(ask(SIOMMU_IOC_QUEUE, &queue), EINVAL, "a queue of more than the SSD has");
	refused(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 0) == MAP_FAILED ? -1 : 0, ENXIO,
		"the rings of a queue that is not made");
	refused(ask(SIOMMU_IOC_MEMORY, &mode), EINVAL, "memory of a third kind");
	refused(ask(SIOMMU_IOC_PIN, &range), EINVAL, "registering beside the process's own table");
	range.length = 0;
	refused(ask(SIOMMU_IOC_FAULT_IN, &range), EINVAL, "no byte");
	range.length = 1ull << 40;
	refused(ask(SIOMMU_IOC_FAULT_IN, &range), EINVAL, "too many bytes");
	queue.entries = 8;
	check(!ask(SIOMMU_IOC_QUEUE, &queue), "a queue of eight commands");
	refused(ask(SIOMMU_IOC_QUEUE, &queue), EEXIST, "a second one");
	mode.memory = SIOMMU_MEMORY_PINNED;
	refused(ask(SIOMMU_IOC_MEMORY, &mode), EBUSY, "another kind of memory, with a queue");
	refused(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, device, (off_t)queue.sq_offset) ==
		MAP_FAILED ? -1 : 0, EINVAL, "more of a ring than there is");
	child = fork();
	if (!child)
		_exit(ask(SIOMMU_IOC_INFO, &mode) == -1 && errno == EPERM ? 0 : 1);
	check(waitpid(child, &status, 0) == child && !status, "in a child all is EPERM");
}

/* The device sees what is registered, and nothing else. */
static void registered(const char *folder)
{
	struct siommu_info mode = { .memory = SIOMMU_MEMORY_PINNED };
	struct siommu *siommu = siommu_open(8);
	char *buffer = memory(4 * PAGE);
	struct siommu_range range = { .address = (uintptr_t)buffer, .length = 2 * PAGE, .write = 1 },
		reading = { .address = (uintptr_t)buffer + 2 * PAGE, .length = PAGE };
	struct siommu_file *file;
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/registered", folder);
	fd = make_file(path, 5, PAGES);
	device = siommu->fd;
	check(!ask(SIOMMU_IOC_MEMORY, &mode), "memory is to be registered");
	file = siommu_attach(siommu, fd);
	check(file && !ask(SIOMMU_IOC_PIN, &range), "two pages are");
	refused(ask(SIOMMU_IOC_PIN, &range), EEXIST, "once more");
	check(siommu_pread(file, buffer, 2 * PAGE, PAGE) == 2 * PAGE &&
	      is_page((uint64_t *)buffer, 5, 1) && is_page((uint64_t *)(buffer + PAGE), 5, 2),
	      "they are read into");
	refused((int)siommu_pread(file, buffer + 3 * PAGE, PAGE, 0), EFAULT, "another page is not there");
	check(!ask(SIOMMU_IOC_PIN, &reading), "a page is registered for reading");
	refused((int)siommu_pread(file, reading.address + (char *)0, PAGE, 0), EFAULT,
		"the SSD may not write it");
	fill_page((uint64_t *)(buffer + 2 * PAGE), 5, 6, 1);
	check(siommu_pwrite(file, buffer + 2 * PAGE, PAGE, 6 * PAGE) == PAGE, "the SSD reads it");
	check(siommu_pread(file, buffer, PAGE, 6 * PAGE) == PAGE, "and gives it back");
	check(is_page((uint64_t *)buffer, 5, 6) && ((uint64_t *)buffer)[1] == 1, "as it was");
	check(!ask(SIOMMU_IOC_UNPIN, &range), "the two pages are given back");
	refused(ask(SIOMMU_IOC_UNPIN, &range), ENOENT, "once more");
	refused((int)siommu_pread(file, buffer, PAGE, 0), EFAULT, "they are not read into any more");
	refused(ask(SIOMMU_IOC_PIN, &(struct siommu_range){ .address = 0x10000, .length = PAGE }),
		EFAULT, "memory that is not there");
	refused(ask(SIOMMU_IOC_PIN, &(struct siommu_range){ .address = 1ull << 62, .length = PAGE }),
		EFAULT, "memory that is the kernel's");
	check(!siommu_counts(siommu).kernel, "the kernel had no part in it");
	siommu_close(siommu);
}

int main(int words, char **word)
{
	char path[200];

	if (words != 4) {
		fprintf(stderr, "usage: refusals FOLDER SMALL OTHER\n");
		return 2;
	}
	device = open("/dev/siommu", O_RDWR);
	snprintf(path, sizeof(path), "%s/refusals", word[1]);
	close(make_file(path, 4, PAGES));
	attaching(word[1], word[2], word[3]);
	asking();
	close(device);
	registered(word[1]);
	return failed;
}
