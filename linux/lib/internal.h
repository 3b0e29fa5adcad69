/* SPDX-License-Identifier: Apache-2.0 */
/* The library, inside: queue.c moves commands, direct.c files, preload.c is the other library. */
#ifndef SIOMMU_INTERNAL_H
#define SIOMMU_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "siommu.h"
#include "siommu_direct.h"
#include "siommu_uapi.h"

#define PAGE		4096u
#define SSDS		8

/* Status of a completion: type 7 is the SIOMMU's; DW0 then says what (sim/device/nvme/defs.py). */
#define STATUS_TYPE(status)	((status) >> 8 & 7)
#define STATUS_SIOMMU		7
#define FAULT_CAUSE(dw0)	((dw0) & 0xff)
#define FAULT_DISPOSITION(dw0)	((dw0) >> 8 & 3)
#define FAULT_FT(dw0)		((dw0) >> 10 & 1)

/* A command under way. */
struct slot {
	struct slot *next;		/* of the free ones, or of those to be polled for */
	uint64_t *list;			/* a page for its PRPs */
	bool done;
	bool polled;			/* siommu_poll() asks for it; else somebody waits */
	uint16_t status;
	uint32_t dw0;
	struct siommu_file *file;
	bool write;
	void *buffer;
	size_t length;
	uint64_t offset;
	void *cookie;
	unsigned int tries;
};

struct queue {
	pthread_mutex_t lock;
	bool open;
	unsigned int entries, tail, head, phase, flying;
	uint8_t *sq;
	volatile uint32_t *cq;
	volatile uint32_t *doorbells;
	struct slot *slots, *free;
	struct slot *ended, **ended_tail;	/* to be polled for, in order */
	void *lists;
	size_t sq_bytes, cq_bytes;
};

struct siommu {
	int fd;
	unsigned int generation;	/* of the process: see siommu_is_ours() */
	unsigned int entries, ssds;
	struct queue queues[SSDS];
	pthread_mutex_t lock;		/* of the counts, and of what is opened */
	struct siommu_counts counts;
};

struct siommu_file {
	struct siommu *siommu;
	struct queue *queue;
	int fd;
	struct siommu_attach about;
	uint64_t size;			/* at least; the kernel knows better */
};

/* ---- direct.c ---- */

/* Whether the process that connected is this one, and no child of it: a child has neither rings nor
 * doorbells. If not, errno is EPERM. */
bool siommu_is_ours(const struct siommu *siommu);

/* What to do about a refusal: 0 send it again, 1 go through the kernel, or -errno. */
int fault_settle(struct siommu_file *file, bool write, void *buffer, size_t length,
		 uint16_t status, uint32_t dw0);

/* ---- queue.c ---- */

int queue_open(struct siommu *siommu, unsigned int ssd);
void queue_close(struct queue *queue);
/* A slot, or NULL when all are under way; the lock is held. */
struct slot *queue_take(struct queue *queue);
void queue_submit(struct queue *queue, struct slot *slot);
/* Takes in what has ended; the lock is held. */
void queue_reap(struct queue *queue);
/* Waits for the slot; the lock is held. */
void queue_wait(struct queue *queue, struct slot *slot);
void queue_release(struct queue *queue, struct slot *slot);

#define TRIES	1000

#endif
