/* SPDX-License-Identifier: Apache-2.0 */
/* A direct queue: NVMe's rings and doorbells, in memory that the kernel has mapped for us. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "internal.h"

#define SQE_BYTES	64u
#define CQE_WORDS	4u
#define NVME_WRITE	1
#define NVME_READ	2
#define DOORBELL_SQ	0	/* words of the doorbell page */
#define DOORBELL_CQ	2
#define LOOKS		64	/* at a completion queue, before the processor is given up */

static void *map(struct siommu *siommu, uint64_t offset, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, siommu->fd,
			(off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

int queue_open(struct siommu *siommu, unsigned int ssd)
{
	struct queue *queue = &siommu->queues[ssd];
	struct siommu_queue asked = { .ssd = ssd, .entries = siommu->entries };
	unsigned int index;

	if (queue->open)
		return 0;
	if (ioctl(siommu->fd, SIOMMU_IOC_QUEUE, &asked) && errno != EEXIST)
		return -1;
	queue->entries = siommu->entries;
	queue->sq_bytes = whole_pages(queue->entries * SQE_BYTES);
	queue->cq_bytes = whole_pages(queue->entries * CQE_WORDS * 4);
	queue->sq = map(siommu, asked.sq_offset, queue->sq_bytes);
	queue->cq = map(siommu, asked.cq_offset, queue->cq_bytes);
	queue->doorbells = map(siommu, asked.doorbell_offset, PAGE);
	queue->slots = calloc(queue->entries, sizeof(*queue->slots));
	queue->lists = mmap(NULL, (size_t)queue->entries * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (queue->lists == MAP_FAILED)
		queue->lists = NULL;
	if (!queue->sq || !queue->cq || !queue->doorbells || !queue->slots || !queue->lists) {
		queue_close(queue);
		errno = ENOMEM;
		return -1;
	}
	/* A child that writes to its copy must not move the parent's lists to other pages. */
	madvise(queue->lists, (size_t)queue->entries * PAGE, MADV_DONTFORK);
	for (index = queue->entries; index--; queue->free = &queue->slots[index]) {
		queue->slots[index].list = (uint64_t *)((char *)queue->lists + index * PAGE);
		queue->slots[index].next = queue->free;
	}
	queue->ended_tail = &queue->ended;
	queue->phase = 1;
	queue->open = true;
	return 0;
}

void queue_close(struct queue *queue)
{
	if (queue->sq)
		munmap(queue->sq, queue->sq_bytes);
	if (queue->cq)
		munmap((void *)queue->cq, queue->cq_bytes);
	if (queue->doorbells)
		munmap((void *)queue->doorbells, PAGE);
	if (queue->lists)
		munmap(queue->lists, (size_t)queue->entries * PAGE);
	free(queue->slots);
	queue->sq = NULL;
	queue->cq = NULL;
	queue->doorbells = NULL;
	queue->lists = NULL;
	queue->slots = NULL;
	queue->free = NULL;
	queue->ended = NULL;
	queue->open = false;
}

struct slot *queue_take(struct queue *queue)
{
	struct slot *slot = queue->free;

	/* One entry of a ring is always empty. */
	if (queue->flying + 1 >= queue->entries)
		return NULL;
	queue->free = slot->next;
	queue->flying++;
	slot->polled = false;
	slot->tries = 0;
	return slot;
}

void queue_release(struct queue *queue, struct slot *slot)
{
	slot->next = queue->free;
	queue->free = slot;
	queue->flying--;
}

/* PRP1 and PRP2 of the slot's buffer (NVMe 1.4, 4.3): virtual addresses here. */
static void describe(struct slot *slot, uint64_t prp[2])
{
	uint64_t at = (uintptr_t)slot->buffer, end = at + slot->length;
	uint64_t next = at / PAGE * PAGE + PAGE;
	unsigned int count = 0;

	prp[0] = at;
	prp[1] = 0;
	if (end <= next)
		return;
	if (end <= next + PAGE) {
		prp[1] = next;
		return;
	}
	for (; next < end; next += PAGE)
		slot->list[count++] = next;
	prp[1] = (uintptr_t)slot->list;
}

void queue_submit(struct queue *queue, struct slot *slot)
{
	const struct siommu_attach *about = &slot->file->about;
	uint64_t lba = (about->vba + slot->offset) / about->lba_bytes;
	uint32_t command[SQE_BYTES / 4] = { 0 };
	uint64_t prp[2];

	describe(slot, prp);
	slot->done = false;
	command[0] = (slot->write ? NVME_WRITE : NVME_READ) |
		     (uint32_t)(slot - queue->slots) << 16;
	command[1] = about->nsid;
	memcpy(&command[6], prp, sizeof(prp));
	command[10] = (uint32_t)lba;
	command[11] = (uint32_t)(lba >> 32);
	command[12] = (uint32_t)(slot->length / about->lba_bytes - 1);
	memcpy(queue->sq + queue->tail * SQE_BYTES, command, SQE_BYTES);
	queue->tail = (queue->tail + 1) % queue->entries;
	/* The command, and its list, are in memory before the SSD hears of it. */
	atomic_thread_fence(memory_order_seq_cst);
	queue->doorbells[DOORBELL_SQ] = queue->tail;
}

void queue_reap(struct queue *queue)
{
	unsigned int count = 0;

	for (;; count++) {
		volatile uint32_t *entry = queue->cq + queue->head * CQE_WORDS;
		uint32_t last = entry[3];
		struct slot *slot;

		if ((last >> 16 & 1) != queue->phase)
			break;
		atomic_thread_fence(memory_order_acquire);
		slot = &queue->slots[(last & 0xffff) % queue->entries];
		slot->status = last >> 17 & 0x7ff;
		slot->dw0 = entry[0];
		slot->done = true;
		queue->head = (queue->head + 1) % queue->entries;
		if (!queue->head)
			queue->phase ^= 1;
		if (slot->polled) {
			slot->next = NULL;
			*queue->ended_tail = slot;
			queue->ended_tail = &slot->next;
		}
	}
	if (count)
		queue->doorbells[DOORBELL_CQ] = queue->head;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

void queue_wait(struct queue *queue, struct slot *slot)
{
	unsigned int looks;

	for (looks = 1;; looks++) {
		queue_reap(queue);
		if (slot->done)
			return;
		/* Another thread may submit, or find our completion. An SSD answers soon; if not, others
		 * of this processor are let go first. */
		pthread_mutex_unlock(&queue->lock);
		if (looks % LOOKS)
			relax();
		else
			sched_yield();
		pthread_mutex_lock(&queue->lock);
	}
}
