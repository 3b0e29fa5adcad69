/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SIOMMU driver, inside.
 *
 *   main.c        the PCI function, /dev/siommu
 *   hardware.c    registers; command queue: invalidations and fences
 *   faults.c      fault queue
 *   tables.c      device directory, PASID directory, radix tables
 *   ssd.c         SSDs and their direct queues
 *   space.c       an address space: open, queues, the end
 *   memory.c      its memory table: the process's own, or pinned pages
 *   files.c       its storage table: attach, detach, writes through the kernel
 *   extents.c     where the blocks of a file are
 *   statistics.c  debugfs
 *
 * Locks, outermost first: files_lock, space->lock, mmap_lock, space->root_lock, ssd->lock,
 * commands.lock. A notifier of memory changes runs under mmap_lock and takes the last three only;
 * so nothing may fault user memory in, or allocate memory that waits for reclaim, under them.
 */
#ifndef SIOMMU_DRIVER_H
#define SIOMMU_DRIVER_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "siommu.h"
#include "siommu_uapi.h"

#define SIOMMU_VENDOR	0x1d1d
#define SIOMMU_DEVICE	0x494d
#define SIOMMU_SSD	0x5344

#define MAX_SSDS	8
#define PASIDS		(1u << 16)	/* PDT_LEVELS = 1 */

struct space;

/* ---- hardware.c ---- */

int hardware_start(struct pci_dev *pdev);
void hardware_stop(void);
u32 hardware_read(u32 reg);
void hardware_write(u32 reg, u32 value);
u64 hardware_counter(u32 low);

/* Carries out @commands, at most 8, and a fence behind them. May sleep. It does not fail: a queue
 * that stopped is mended by emptying the caches of the whole core, which takes all rights away that
 * any command could. */
void hardware_invalidate(const struct siommu_command *commands, unsigned int count);

/* ---- faults.c ---- */

int faults_start(int irq);
void faults_stop(void);
u64 faults_counted(unsigned int cause);
/* The last records, oldest first. */
void faults_for_each(void (*show)(const struct siommu_fault *fault, void *data), void *data);

/* ---- tables.c ---- */

/* A radix table of four levels, for addresses of 48 bits. */
struct radix {
	u64 *root;
};

int directories_start(void);
void directories_stop(void);
/* The device entry of a requester; @devid is the storage device behind it. */
void directories_set_device(u16 device, u16 devid);
/* A PASID of its own, its context empty; or -ENOSPC, -ENOMEM. */
int directories_take(void);
void directories_release(u32 pasid);
/* Writes the context: @memory and @storage as siommu_context_root() makes them, or 0. */
void directories_set_context(u32 pasid, u64 memory, u64 storage);

int radix_make(struct radix *radix);
void radix_free(struct radix *radix);
/* The entry of @level for @addr; NULL where there is no memory for the tables above, or, without
 * @make, no such table. */
u64 *radix_entry(struct radix *radix, u64 addr, unsigned int level, bool make);
/* Frees the tables below an entry of level 4 that nobody walks any more, but for those of level 1:
 * these belong to others if @shared. */
void radix_prune(u64 entry, bool shared);

/* ---- ssd.c ---- */

struct ssd {
	struct pci_dev *pdev;
	void __iomem *face;		/* the registers of BAR 2 */
	phys_addr_t bar;
	u16 requester, devid;
	unsigned int index;
	u32 queues, limit;
	struct mutex lock;		/* the face is one command's at a time */
	unsigned long *used;		/* direct queues */
};

int ssds_find(void);
void ssds_release(void);
unsigned int ssds_count(void);
struct ssd *ssds_get(unsigned int index);
/* The SSD that a block device is on, its namespace in @nsid; or NULL. */
struct ssd *ssds_of(struct block_device *bdev, u32 *nsid);

struct direct_queue {
	struct ssd *ssd;
	unsigned int number;		/* of the SSD's */
	unsigned int entries;
	void *sq, *cq;			/* whole pages */
	bool alive;
};

int ssd_make_queue(struct ssd *ssd, struct direct_queue *queue, u32 pasid);
/* No byte moves for the queue behind this. Its rings stay until ssd_free_queue(). */
void ssd_end_queue(struct direct_queue *queue);
void ssd_free_queue(struct direct_queue *queue);
/* Returns when what the PASID's commands fetched before are over. */
void ssd_drain(struct ssd *ssd, u32 pasid);
size_t ssd_sq_bytes(const struct direct_queue *queue);
size_t ssd_cq_bytes(const struct direct_queue *queue);

/* ---- space.c ---- */

struct space {
	u32 pasid;
	struct mm_struct *mm;
	struct mmu_notifier notifier;
	struct mutex lock;		/* queues, attachments, mode */
	struct list_head link;
	struct direct_queue queues[MAX_SSDS];

	/* memory.c; root_lock guards these and the context */
	struct mutex root_lock;
	u32 mode;
	unsigned int changes;		/* of the process's memory, under way */
	bool dead;			/* the process has other memory now, or none */
	wait_queue_head_t calm;
	struct radix pinned;
	struct list_head pins;

	/* files.c */
	struct radix storage;
	struct list_head attachments;
	DECLARE_BITMAP(windows, 256);
};

extern const struct file_operations space_operations;
void spaces_for_each(void (*show)(struct space *space, void *data), void *data);
/* Drops what the caches have of the space's table for @ft, waits for the fence, and for the SSDs'
 * transfers. With @ft < 0: its context, and all of it. */
void space_revoke(struct space *space, int ft);

/* ---- memory.c ---- */

int memory_start(struct space *space);
void memory_stop(struct space *space);
int memory_set_mode(struct space *space, u32 mode);
int memory_fault_in(struct space *space, const struct siommu_range *range);
int memory_pin(struct space *space, const struct siommu_range *range);
int memory_unpin(struct space *space, const struct siommu_range *range);

/* ---- files.c ---- */

int files_attach(struct space *space, struct siommu_attach *attach);
int files_detach(struct space *space, u32 handle);
int files_write(struct space *space, struct siommu_write *write);
int files_sync(struct space *space, u32 handle);
void files_detach_all(struct space *space);
void files_for_each(void (*show)(const struct file *file, unsigned int attached, u64 pages,
				 void *data), void *data);

/* ---- extents.c ---- */

/* The tables of level 1 of one file, shared by all who have it attached. */
struct extents {
	u64 **tables;
	unsigned long chunks;		/* of 2 MiB */
	u64 pages;			/* that are mapped */
	loff_t size;
};

int extents_make(struct extents *extents, struct file *file, const struct ssd *ssd);
void extents_free(struct extents *extents);

/* ---- statistics.c ---- */

void statistics_start(void);
void statistics_stop(void);

#endif
