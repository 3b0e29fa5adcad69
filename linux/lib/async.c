/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous reads and writes: a slot each, from siommu_submit() to siommu_poll(). */
#include <errno.h>

#include "internal.h"

int siommu_submit(struct siommu_file *file, int write, void *buffer, size_t length, off_t offset,
		  void *cookie)
{
	unsigned int lba = file->about.lba_bytes;
	struct queue *queue = file->queue;
	struct slot *slot;

	if (!siommu_is_ours(file->siommu))
		return -1;
	if (!(file->about.flags & (write ? SIOMMU_WRITE : SIOMMU_READ)) || offset < 0 || !length ||
	    length > SIOMMU_CHUNK || length % lba || (uint64_t)offset % lba ||
	    (uintptr_t)buffer % lba || (uint64_t)offset + length > file->size) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&queue->lock);
	slot = queue_take(queue);
	if (slot) {
		slot->file = file;
		slot->write = write;
		slot->buffer = buffer;
		slot->length = length;
		slot->offset = (uint64_t)offset;
		slot->cookie = cookie;
		slot->polled = true;
		queue_submit(queue, slot);
	}
	pthread_mutex_unlock(&queue->lock);
	if (!slot)
		errno = EAGAIN;
	return slot ? 0 : -1;
}

/* What became of a slot: true if it is over, false if it was sent again. The lock is held, and given
 * up meanwhile. */
static bool settle(struct queue *queue, struct slot *slot, struct siommu_event *event)
{
	int result = 0;

	if (slot->status) {
		pthread_mutex_unlock(&queue->lock);
		result = fault_settle(slot->file, slot->write, slot->buffer, slot->length,
				      slot->status, slot->dw0);
		pthread_mutex_lock(&queue->lock);
		if (!result && ++slot->tries < TRIES) {
			queue_submit(queue, slot);
			return false;
		}
	}
	event->cookie = slot->cookie;
	event->result = result == 1 ? -EXDEV : slot->status && !result ? -EIO :
			result ? result : (ssize_t)slot->length;
	return true;
}

static struct slot *next_ended(struct queue *queue)
{
	struct slot *slot = queue->ended;

	if (slot) {
		queue->ended = slot->next;
		if (!queue->ended)
			queue->ended_tail = &queue->ended;
	}
	return slot;
}

static int poll_queue(struct siommu *siommu, struct queue *queue, struct siommu_event *events,
		      int count)
{
	uint64_t commands = 0, bytes = 0;
	struct slot *slot;
	int found = 0;

	pthread_mutex_lock(&queue->lock);
	queue_reap(queue);
	while (found < count && (slot = next_ended(queue))) {
		if (!settle(queue, slot, &events[found]))
			continue;
		if (events[found].result > 0) {
			commands++;
			bytes += slot->length;
		}
		queue_release(queue, slot);
		found++;
	}
	pthread_mutex_unlock(&queue->lock);
	if (commands) {
		pthread_mutex_lock(&siommu->lock);
		siommu->counts.direct += commands;
		siommu->counts.bytes += bytes;
		pthread_mutex_unlock(&siommu->lock);
	}
	return found;
}

int siommu_poll(struct siommu *siommu, struct siommu_event *events, int count)
{
	unsigned int index;
	int found = 0;

	if (!siommu_is_ours(siommu))
		return -1;
	for (index = 0; index < siommu->ssds && found < count; index++)
		if (siommu->queues[index].open)
			found += poll_queue(siommu, &siommu->queues[index], events + found,
					    count - found);
	return found;
}
