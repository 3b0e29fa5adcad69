/* SPDX-License-Identifier: Apache-2.0 */
/* Files: what goes directly, what goes through the kernel, and what is done about refusals. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define DEVICE		"/dev/siommu"
#define ENTRIES		64

/* Processes since the library was loaded, along the line of fork to this one. */
static unsigned int generation;

static void in_child(void)
{
	generation++;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

bool siommu_is_ours(const struct siommu *siommu)
{
	if (siommu->generation == generation)
		return true;
	errno = EPERM;
	return false;
}

static void count(struct siommu *siommu, uint64_t *what, uint64_t by)
{
	pthread_mutex_lock(&siommu->lock);
	*what += by;
	pthread_mutex_unlock(&siommu->lock);
}

struct siommu *siommu_open(unsigned int entries)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct siommu *siommu = calloc(1, sizeof(*siommu));
	struct siommu_info info;
	unsigned int index;

	if (!siommu)
		return NULL;
	pthread_once(&once, watch_forks);
	siommu->generation = generation;
	siommu->entries = entries ? entries : ENTRIES;
	siommu->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (siommu->fd < 0 || ioctl(siommu->fd, SIOMMU_IOC_INFO, &info)) {
		int error = errno;

		if (siommu->fd >= 0)
			close(siommu->fd);
		free(siommu);
		errno = error;
		return NULL;
	}
	siommu->ssds = info.ssds < SSDS ? info.ssds : SSDS;
	pthread_mutex_init(&siommu->lock, NULL);
	for (index = 0; index < SSDS; index++)
		pthread_mutex_init(&siommu->queues[index].lock, NULL);
	return siommu;
}

void siommu_close(struct siommu *siommu)
{
	unsigned int index;

	/* The kernel ends the queues, and detaches. */
	close(siommu->fd);
	for (index = 0; index < SSDS; index++)
		queue_close(&siommu->queues[index]);
	free(siommu);
}

struct siommu_counts siommu_counts(struct siommu *siommu)
{
	struct siommu_counts counts;

	pthread_mutex_lock(&siommu->lock);
	counts = siommu->counts;
	pthread_mutex_unlock(&siommu->lock);
	return counts;
}

struct siommu_file *siommu_attach(struct siommu *siommu, int fd)
{
	struct siommu_file *file = calloc(1, sizeof(*file));
	int mode = fcntl(fd, F_GETFL), error;

	if (!file)
		return NULL;
	if (!siommu_is_ours(siommu))
		goto free;
	file->siommu = siommu;
	file->fd = fd;
	file->about.fd = fd;
	if (mode < 0) {
		free(file);
		return NULL;
	}
	mode &= O_ACCMODE;
	file->about.flags = (mode != O_WRONLY ? SIOMMU_READ : 0) |
			    (mode != O_RDONLY ? SIOMMU_WRITE : 0);
	if (ioctl(siommu->fd, SIOMMU_IOC_ATTACH, &file->about))
		goto free;
	if (file->about.ssd >= SSDS) {
		errno = ENODEV;
		goto detach;
	}
	file->size = file->about.size;
	file->queue = &siommu->queues[file->about.ssd];
	pthread_mutex_lock(&siommu->lock);
	error = queue_open(siommu, file->about.ssd) ? errno : 0;
	pthread_mutex_unlock(&siommu->lock);
	if (!error)
		return file;
	errno = error;
detach:
	error = errno;
	ioctl(siommu->fd, SIOMMU_IOC_DETACH, &file->about.handle);
	errno = error;
free:
	error = errno;
	free(file);
	errno = error;
	return NULL;
}

int siommu_detach(struct siommu_file *file)
{
	int result = -1;

	if (siommu_is_ours(file->siommu))
		result = ioctl(file->siommu->fd, SIOMMU_IOC_DETACH, &file->about.handle);
	free(file);
	return result;
}

off_t siommu_size(struct siommu_file *file)
{
	struct stat about;

	if (fstat(file->fd, &about))
		return -1;
	file->size = about.st_size;
	return about.st_size;
}

int siommu_fsync(struct siommu_file *file)
{
	/* Writes are in the SSD when they end; it has no volatile cache. What is left is the file
	 * system's: sizes, and blocks of holes. */
	return fsync(file->fd);
}

int fault_settle(struct siommu_file *file, bool write, void *buffer, size_t length,
		 uint16_t status, uint32_t dw0)
{
	struct siommu *siommu = file->siommu;
	struct siommu_range range = {
		.address = (uintptr_t)buffer, .length = length, .write = !write,
	};

	if (STATUS_TYPE(status) != STATUS_SIOMMU)
		return -EIO;
	if (FAULT_CAUSE(dw0) == SIOMMU_CAUSE_CORE_OFF) {	/* its caches are being emptied */
		sched_yield();
		return 0;
	}
	if (FAULT_FT(dw0)) {
		if (FAULT_DISPOSITION(dw0) == SIOMMU_DISPOSITION_OS)
			return 1;
		if (FAULT_DISPOSITION(dw0) != SIOMMU_DISPOSITION_REMAP)
			return -EACCES;
		/* The kernel holds the file back; it answers when it is over. */
		return ioctl(siommu->fd, SIOMMU_IOC_SYNC, &file->about.handle) ? -errno : 0;
	}
	/* Not there now; or the kernel is changing our memory, and there is no table. */
	if (FAULT_DISPOSITION(dw0) != SIOMMU_DISPOSITION_REMAP &&
	    FAULT_CAUSE(dw0) != SIOMMU_CAUSE_TABLE_ABSENT &&
	    FAULT_CAUSE(dw0) != SIOMMU_CAUSE_WRITE_DENIED)
		return -EFAULT;
	return ioctl(siommu->fd, SIOMMU_IOC_FAULT_IN, &range) ? -errno : 0;
}

/* One command, sent until it is settled. Returns 0, 1 (through the kernel), or -errno. */
static int transfer(struct siommu_file *file, bool write, void *buffer, size_t length,
		    uint64_t offset)
{
	struct queue *queue = file->queue;
	unsigned int tries;
	struct slot *slot;
	int result = -EIO;

	pthread_mutex_lock(&queue->lock);
	while (!(slot = queue_take(queue))) {
		queue_reap(queue);
		pthread_mutex_unlock(&queue->lock);
		sched_yield();
		pthread_mutex_lock(&queue->lock);
	}
	slot->file = file;
	slot->write = write;
	slot->buffer = buffer;
	slot->length = length;
	slot->offset = offset;
	for (tries = 0; tries < TRIES; tries++) {
		queue_submit(queue, slot);
		queue_wait(queue, slot);
		if (!slot->status) {
			result = 0;
			break;
		}
		pthread_mutex_unlock(&queue->lock);
		result = fault_settle(file, write, buffer, length, slot->status, slot->dw0);
		pthread_mutex_lock(&queue->lock);
		if (result)
			break;
		result = -EIO;
	}
	queue_release(queue, slot);
	pthread_mutex_unlock(&queue->lock);
	if (tries && !result)
		count(file->siommu, &file->siommu->counts.remapped, 1);
	if (!result) {
		count(file->siommu, &file->siommu->counts.direct, 1);
		count(file->siommu, &file->siommu->counts.bytes, length);
	}
	return result;
}

static ssize_t by_kernel(struct siommu_file *file, bool write, void *buffer, size_t length,
			 uint64_t offset)
{
	struct siommu_write asked = {
		.handle = file->about.handle, .offset = offset, .buffer = (uintptr_t)buffer,
		.length = length,
	};

	count(file->siommu, &file->siommu->counts.kernel, 1);
	if (!write)
		return pread(file->fd, buffer, length, (off_t)offset);
	if (ioctl(file->siommu->fd, SIOMMU_IOC_WRITE, &asked))
		return -1;
	if (asked.size > file->size)
		file->size = asked.size;
	return (ssize_t)asked.length;
}

/* Blocks at aligned addresses of the file, and a buffer that commands can name. What the SSD may
 * not do goes through the kernel, page by page. Returns 0 or -errno. */
static int aligned(struct siommu_file *file, bool write, char *buffer, size_t length,
		   uint64_t offset)
{
	while (length) {
		size_t part = length < SIOMMU_CHUNK ? length : SIOMMU_CHUNK;
		int result = transfer(file, write, buffer, part, offset);

		if (result == 1 && part > PAGE) {
			part = PAGE - offset % PAGE;
			result = transfer(file, write, buffer, part, offset);
		}
		if (result == 1) {
			ssize_t moved = by_kernel(file, write, buffer, part, offset);

			if (moved < 0)
				return -errno;
			/* A file that ends within the page reads as zeros behind its end. */
			if ((size_t)moved < part && write)
				return -EIO;
			memset(buffer + moved, 0, write ? 0 : part - (size_t)moved);
		} else if (result) {
			return result;
		}
		buffer += part;
		offset += part;
		length -= part;
	}
	return 0;
}

/* A buffer of ours for what is not aligned. */
static char *bounce(size_t length)
{
	void *at;

	return posix_memalign(&at, PAGE, length) ? NULL : at;
}

static int unaligned(struct siommu_file *file, bool write, char *buffer, size_t length,
		     uint64_t offset)
{
	unsigned int lba = file->about.lba_bytes;
	int result = 0;

	while (length && !result) {
		uint64_t first = offset / lba * lba;
		size_t room = SIOMMU_CHUNK - (size_t)(offset - first);
		size_t part = length < room ? length : room;
		size_t span = (size_t)((offset + part + lba - 1) / lba * lba - first);
		char *copy = bounce(span);

		if (!copy)
			return -ENOMEM;
		/* The edges of a write keep what is there. */
		if (!write || span != part)
			result = aligned(file, false, copy, span, first);
		if (write && !result) {
			memcpy(copy + (offset - first), buffer, part);
			result = aligned(file, true, copy, span, first);
		} else if (!result) {
			memcpy(buffer, copy + (offset - first), part);
		}
		free(copy);
		buffer += part;
		offset += part;
		length -= part;
	}
	return result;
}

static bool is_aligned(const struct siommu_file *file, const void *buffer, size_t length,
		       uint64_t offset)
{
	unsigned int lba = file->about.lba_bytes;

	return !(offset % lba) && !(length % lba) && !((uintptr_t)buffer % 4);
}

static ssize_t move(struct siommu_file *file, bool write, void *buffer, size_t length,
		    uint64_t offset)
{
	int result;

	if (is_aligned(file, buffer, length, offset))
		result = aligned(file, write, buffer, length, offset);
	else
		result = unaligned(file, write, buffer, length, offset);
	if (result) {
		errno = -result;
		return -1;
	}
	return (ssize_t)length;
}

/* Whether a call cannot be: in a child, without the right, in front of the file. errno says why. */
static bool is_refused(const struct siommu_file *file, unsigned int right, off_t offset)
{
	if (!siommu_is_ours(file->siommu))
		return true;
	if ((file->about.flags & right) && offset >= 0)
		return false;
	errno = file->about.flags & right ? EINVAL : EBADF;
	return true;
}

ssize_t siommu_pread(struct siommu_file *file, void *buffer, size_t length, off_t offset)
{
	if (is_refused(file, SIOMMU_READ, offset))
		return -1;
	if ((uint64_t)offset + length > file->size && siommu_size(file) < 0)
		return -1;
	if ((uint64_t)offset >= file->size || !length)
		return 0;
	if (length > file->size - (uint64_t)offset)
		length = (size_t)(file->size - (uint64_t)offset);
	return move(file, false, buffer, length, (uint64_t)offset);
}

ssize_t siommu_pwrite(struct siommu_file *file, const void *buffer, size_t length, off_t offset)
{
	if (is_refused(file, SIOMMU_WRITE, offset))
		return -1;
	if (!length)
		return 0;
	if ((uint64_t)offset + length > file->size && siommu_size(file) < 0)
		return -1;
	/* Only the kernel makes a file longer. And a file that was opened for writing alone cannot be
	 * asked for the edges. */
	if ((uint64_t)offset + length > file->size ||
	    (!(file->about.flags & SIOMMU_READ) && !is_aligned(file, buffer, length,
							       (uint64_t)offset)))
		return by_kernel(file, true, (void *)(uintptr_t)buffer, length, (uint64_t)offset);
	return move(file, true, (void *)(uintptr_t)buffer, length, (uint64_t)offset);
}
