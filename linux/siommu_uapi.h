/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/siommu: what a program asks of the kernel to read and write its files by itself.
 *
 * Each open file description is one address space of the SIOMMU: a PASID, a storage table, a memory
 * table. It belongs to the process that opened it; in another one (after fork, or passed on) and
 * after exec every request fails with EPERM.
 */
#ifndef SIOMMU_UAPI_H
#define SIOMMU_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SIOMMU_UAPI_VERSION	1

/* How the device sees the process's memory. */
#define SIOMMU_MEMORY_OWN	0	/* by the process's own page table */
#define SIOMMU_MEMORY_PINNED	1	/* what was registered, pinned */

struct siommu_info {
	__u32 version;		/* SIOMMU_UAPI_VERSION */
	__u32 ssds;		/* numbered from 0 */
	__u32 pasid;
	__u32 memory;		/* in: SIOMMU_MEMORY_*, with SIOMMU_IOC_MEMORY */
};

/*
 * A direct queue of an SSD, one for each address space and SSD. The offsets are for mmap: rings of
 * 64-byte commands and 16-byte completions as NVMe has them, and the page of doorbells, at its byte
 * 0 the submission tail, at byte 8 the completion head.
 *
 * ENODEV: no such SSD. EEXIST: there is one. ENOSPC: the SSD has no more. EINVAL: entries.
 */
struct siommu_queue {
	__u32 ssd;
	__u32 entries;		/* of both rings, 2 to 1024; a power of two */
	__u64 sq_offset;
	__u64 cq_offset;
	__u64 doorbell_offset;
};

#define SIOMMU_READ		1
#define SIOMMU_WRITE		2

/*
 * Attaches an open file, with the rights that it is open with, or fewer. Its first byte is at the
 * virtual block address vba. While a file is attached its blocks stay in place: truncating, writing
 * by other means and punching holes fail with ETXTBSY, unlinking with EPERM.
 *
 * EBADF: fd. EACCES: it is not open for that. EINVAL: no regular file, or flags. ENODEV: it is not
 * on an SSD behind the SIOMMU. EOPNOTSUPP: its file system has blocks of another size than a page,
 * or does not say where they are. ETXTBSY: it is swapped to. EFBIG, EMFILE: its size, too many.
 */
struct siommu_attach {
	__s32 fd;
	__u32 flags;		/* SIOMMU_READ | SIOMMU_WRITE */
	__u32 handle;		/* out, as the rest */
	__u32 ssd;
	__u32 nsid;
	__u32 lba_bytes;	/* of commands: 512 or 4096 */
	__u64 vba;
	__u64 size;
};

/*
 * Writes through the kernel, into holes and behind the end, and maps the new blocks. Others that
 * have the file attached are held off meanwhile: their commands are refused with REMAP.
 *
 * As pwrite(2), and: ENOENT: no such handle. EACCES: it is not attached for writing. ESTALE: the
 * file could not be attached again; detach it.
 */
struct siommu_write {
	__u32 handle;
	__u32 reserved;
	__u64 offset;
	__u64 buffer;
	__u64 length;		/* out: what was written */
	__u64 size;		/* out: of the file now */
};

/*
 * Makes memory present for the device, after it was refused with REMAP (or with TABLE_ABSENT, while
 * the kernel changed the process's memory). EFAULT: the process itself may not do that there.
 */
struct siommu_range {
	__u64 address;
	__u64 length;
	__u32 write;		/* the device writes it */
	__u32 reserved;
};

#define SIOMMU_IOC_INFO		_IOR('S', 0x60, struct siommu_info)
#define SIOMMU_IOC_MEMORY	_IOW('S', 0x61, struct siommu_info)
#define SIOMMU_IOC_QUEUE	_IOWR('S', 0x62, struct siommu_queue)
#define SIOMMU_IOC_ATTACH	_IOWR('S', 0x63, struct siommu_attach)
#define SIOMMU_IOC_DETACH	_IOW('S', 0x64, __u32)
#define SIOMMU_IOC_WRITE	_IOWR('S', 0x65, struct siommu_write)
#define SIOMMU_IOC_FAULT_IN	_IOW('S', 0x66, struct siommu_range)
#define SIOMMU_IOC_PIN		_IOW('S', 0x67, struct siommu_range)
#define SIOMMU_IOC_UNPIN	_IOW('S', 0x68, struct siommu_range)
/* Waits until nobody holds the file back; then a command that was refused with REMAP may go. */
#define SIOMMU_IOC_SYNC		_IOW('S', 0x69, __u32)

#endif
