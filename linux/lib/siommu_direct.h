/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct access to files on an SSD behind a SIOMMU: reads and writes without the kernel.
 *
 * A file that is attached is read and written by commands that the process gives the SSD itself.
 * What cannot go that way (holes, the end of the file, parts of a block at odd addresses) goes
 * through the kernel or through a buffer of the library, so that every call does what its namesake
 * in POSIX does. All functions may be called by several threads; none by a signal handler.
 */
#ifndef SIOMMU_DIRECT_H
#define SIOMMU_DIRECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct siommu;			/* a process's connection to its SSDs */
struct siommu_file;		/* a file that is attached */

struct siommu_counts {
	uint64_t direct;	/* commands that the SSD carried out */
	uint64_t kernel;	/* calls that went through the kernel */
	uint64_t remapped;	/* commands that were refused once, and sent again */
	uint64_t bytes;		/* moved directly */
};

/*
 * Connects, with queues of `entries` commands (a power of two, 2 to 1024; 0: 64). NULL: see errno.
 * ENOENT, ENXIO: there is no /dev/siommu. It is the process's own: in a child of fork every call
 * fails with EPERM, but siommu_close(), and the child must open its own.
 */
struct siommu *siommu_open(unsigned int entries);

/* Detaches all files, and disconnects. No call may be under way. */
void siommu_close(struct siommu *siommu);

struct siommu_counts siommu_counts(struct siommu *siommu);

/*
 * Attaches what `fd` has open, with the rights that it is open with. The descriptor stays the
 * caller's, and must stay open. NULL: see errno (siommu_uapi.h says which); the file then is to be
 * used through the kernel.
 */
struct siommu_file *siommu_attach(struct siommu *siommu, int fd);
int siommu_detach(struct siommu_file *file);

/* As pread(2) and pwrite(2). EACCES: the SIOMMU refused. EIO: the SSD failed. */
ssize_t siommu_pread(struct siommu_file *file, void *buffer, size_t length, off_t offset);
ssize_t siommu_pwrite(struct siommu_file *file, const void *buffer, size_t length, off_t offset);

/* Waits until what was written is durable. */
int siommu_fsync(struct siommu_file *file);

/* The file's size, asked of the kernel. */
off_t siommu_size(struct siommu_file *file);

/*
 * Asynchronous: a read (or write) that goes directly as a whole. Buffer, length and offset are
 * multiples of the SSD's block (512 or 4096 bytes), the length at most SIOMMU_CHUNK, within the
 * file. Returns 0, or -1 with EAGAIN when the queue is full, EINVAL when it cannot go directly.
 * `cookie` comes back with the result.
 */
#define SIOMMU_CHUNK	(128u << 10)

struct siommu_event {
	void *cookie;
	ssize_t result;		/* bytes, or -errno; -EXDEV: this one needs siommu_pread or _pwrite */
};

int siommu_submit(struct siommu_file *file, int write, void *buffer, size_t length, off_t offset,
		  void *cookie);
/* Up to `count` of what has ended since; it does not wait. -1: see errno. */
int siommu_poll(struct siommu *siommu, struct siommu_event *events, int count);

#ifdef __cplusplus
}
#endif

#endif
