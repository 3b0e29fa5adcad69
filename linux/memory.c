// SPDX-License-Identifier: GPL-2.0
/*
 * The memory table of a space.
 *
 * SIOMMU_MEMORY_OWN: it is the process's own page table. The kernel changes that under us; a
 * notifier hears of it before the change and after it. Between the two the context has no memory
 * table: the device could otherwise read an entry again before it is changed, and keep it. Before
 * the change begins, the caches have been emptied, and no transfer to the process's memory moves.
 *
 * SIOMMU_MEMORY_PINNED: a table of our own, of pages that are pinned; nothing the kernel does takes
 * them away.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "driver.h"

#define RANGE_MAX	(64ul << 20)	/* bytes of one request */

struct pin {
	struct list_head link;
	unsigned long address, count;
	struct page **pages;
};

/* Puts into the context what holds now; root_lock is held. */
static void update(struct space *space)
{
	u64 memory = 0, storage = 0;

	if (!space->dead) {
		storage = siommu_context_root(virt_to_phys(space->storage.root), false);
		if (space->mode == SIOMMU_MEMORY_PINNED)
			memory = siommu_context_root(virt_to_phys(space->pinned.root), false);
		else if (!space->changes)
			memory = siommu_context_root(__pa(space->mm->pgd), pgtable_l5_enabled());
	}
	directories_set_context(space->pasid, memory, storage);
}

static int change_begins(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct space *space = container_of(notifier, struct space, notifier);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&space->root_lock);
	space->changes++;
	if (!space->dead && space->mode == SIOMMU_MEMORY_OWN && space->changes == 1) {
		update(space);
		space_revoke(space, -1);
	}
	mutex_unlock(&space->root_lock);
	return 0;
}

static void change_ends(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct space *space = container_of(notifier, struct space, notifier);

	mutex_lock(&space->root_lock);
	if (!--space->changes && space->mode == SIOMMU_MEMORY_OWN)
		update(space);
	mutex_unlock(&space->root_lock);
	wake_up_all(&space->calm);
}

/* The process has no memory any more: exit, exec, or close. */
static void memory_ends(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct space *space = container_of(notifier, struct space, notifier);
	unsigned int index;

	mutex_lock(&space->root_lock);
	if (!space->dead) {
		space->dead = true;
		update(space);
		space_revoke(space, -1);
		for (index = 0; index < ssds_count(); index++)
			ssd_end_queue(&space->queues[index]);
	}
	mutex_unlock(&space->root_lock);
	wake_up_all(&space->calm);
}

static const struct mmu_notifier_ops notifier_operations = {
	.release = memory_ends,
	.invalidate_range_start = change_begins,
	.invalidate_range_end = change_ends,
};

int memory_start(struct space *space)
{
	int error;

	space->mm = current->mm;
	space->notifier.ops = &notifier_operations;
	error = mmu_notifier_register(&space->notifier, space->mm);
	if (error)
		return error;
	mutex_lock(&space->root_lock);
	update(space);
	mutex_unlock(&space->root_lock);
	return 0;
}

static void pin_free(struct space *space, struct pin *pin)
{
	unpin_user_pages_dirty_lock(pin->pages, pin->count, true);
	account_locked_vm(space->mm, pin->count, false);
	list_del(&pin->link);
	kvfree(pin->pages);
	kfree(pin);
}

void memory_stop(struct space *space)
{
	struct pin *pin, *next;

	/* The mm_struct stays for the accounts; it may have no users. */
	mmgrab(space->mm);
	mmu_notifier_unregister(&space->notifier, space->mm);
	list_for_each_entry_safe(pin, next, &space->pins, link)
		pin_free(space, pin);
	radix_free(&space->pinned);
	mmdrop(space->mm);
}

int memory_set_mode(struct space *space, u32 mode)
{
	unsigned int index;
	int error;

	if (mode > SIOMMU_MEMORY_PINNED)
		return -EINVAL;
	for (index = 0; index < ssds_count(); index++)
		if (space->queues[index].ssd)
			return -EBUSY;
	if (mode == SIOMMU_MEMORY_PINNED && !space->pinned.root) {
		error = radix_make(&space->pinned);
		if (error)
			return error;
	}
	mutex_lock(&space->root_lock);
	space->mode = mode;
	update(space);
	mutex_unlock(&space->root_lock);
	return 0;
}

static int range_error(const struct siommu_range *range)
{
	if (!range->length || range->length > RANGE_MAX)
		return -EINVAL;
	if (range->address > TASK_SIZE_MAX || range->length > TASK_SIZE_MAX - range->address)
		return -EFAULT;
	return 0;
}

int memory_fault_in(struct space *space, const struct siommu_range *range)
{
	unsigned long address = range->address & PAGE_MASK;
	int error = range_error(range);

	if (error)
		return error;
	if (space->mode == SIOMMU_MEMORY_PINNED)
		return -EFAULT;		/* what is not pinned is not there */
	for (; address < range->address + range->length && !error; address += PAGE_SIZE) {
		bool unlocked = false;

		mmap_read_lock(space->mm);
		error = fixup_user_fault(space->mm, address, range->write ? FAULT_FLAG_WRITE : 0,
					 &unlocked);
		mmap_read_unlock(space->mm);
		if (!error && fatal_signal_pending(current))
			error = -EINTR;
	}
	if (!error)
		error = wait_event_killable(space->calm, !READ_ONCE(space->changes) ||
							 READ_ONCE(space->dead));
	return error;
}

/* Enters the pages of @pin, or takes them out; returns -EEXIST if one is there already. */
static int enter(struct space *space, struct pin *pin, bool write)
{
	unsigned long index;

	for (index = 0; index < pin->count; index++) {
		u64 *entry = radix_entry(&space->pinned, pin->address + index * PAGE_SIZE, 1, true);

		if (!entry || *entry) {
			while (index--)
				*radix_entry(&space->pinned, pin->address + index * PAGE_SIZE, 1,
					     false) = 0;
			return entry ? -EEXIST : -ENOMEM;
		}
		WRITE_ONCE(*entry, siommu_pte_memory(page_to_phys(pin->pages[index]), 1, write));
	}
	return 0;
}

static void leave(struct space *space, struct pin *pin)
{
	unsigned long index;

	for (index = 0; index < pin->count; index++)
		WRITE_ONCE(*radix_entry(&space->pinned, pin->address + index * PAGE_SIZE, 1, false),
			   0);
}

int memory_pin(struct space *space, const struct siommu_range *range)
{
	struct pin *pin;
	long count;
	int error = range_error(range);

	if (error)
		return error;
	if (space->mode != SIOMMU_MEMORY_PINNED)
		return -EINVAL;
	pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	if (!pin)
		return -ENOMEM;
	pin->address = range->address & PAGE_MASK;
	pin->count = PAGE_ALIGN(range->address + range->length - pin->address) >> PAGE_SHIFT;
	pin->pages = kvcalloc(pin->count, sizeof(*pin->pages), GFP_KERNEL_ACCOUNT);
	error = pin->pages ? account_locked_vm(space->mm, pin->count, true) : -ENOMEM;
	if (error)
		goto free;
	/* As if to write, also what the device only reads: a page that is shared until it is written
	 * to (of zeros, or with a child) would stay behind when the process writes. */
	count = pin_user_pages_fast(pin->address, pin->count, FOLL_WRITE | FOLL_LONGTERM |
				    (range->write ? 0 : FOLL_FORCE), pin->pages);
	if (count == pin->count) {
		error = enter(space, pin, range->write);
		if (!error) {
			list_add_tail(&pin->link, &space->pins);
			return 0;
		}
	} else {
		error = count < 0 ? count : -EFAULT;
	}
	/* What was entered for a moment, and taken out again, may be cached. */
	space_revoke(space, 0);
	if (count > 0)
		unpin_user_pages(pin->pages, count);
	account_locked_vm(space->mm, pin->count, false);
free:
	kvfree(pin->pages);
	kfree(pin);
	return error;
}

int memory_unpin(struct space *space, const struct siommu_range *range)
{
	struct pin *pin;

	list_for_each_entry(pin, &space->pins, link)
		if (pin->address == (range->address & PAGE_MASK)) {
			leave(space, pin);
			space_revoke(space, 0);
			pin_free(space, pin);
			return 0;
		}
	return -ENOENT;
}
