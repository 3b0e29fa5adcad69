// SPDX-License-Identifier: GPL-2.0
/* An address space of the SIOMMU: what an open /dev/siommu is. */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "driver.h"

/* Offsets for mmap, in pages: the SSD, then which part of its queue. */
#define OFFSET_SSD	20
#define OFFSET_PART	16

enum { PART_SQ, PART_CQ, PART_DOORBELL, PARTS };

static LIST_HEAD(spaces);
static DEFINE_MUTEX(spaces_lock);

void spaces_for_each(void (*show)(struct space *space, void *data), void *data)
{
	struct space *space;

	mutex_lock(&spaces_lock);
	list_for_each_entry(space, &spaces, link)
		show(space, data);
	mutex_unlock(&spaces_lock);
}

void space_revoke(struct space *space, int ft)
{
	struct siommu_command command;
	unsigned int index;
	bool used = false;

	/* Nothing is cached, and nothing moves, for a space that never had a queue. */
	for (index = 0; index < ssds_count(); index++)
		used |= READ_ONCE(space->queues[index].alive);
	if (!used)
		return;
	if (ft < 0)
		command = siommu_cmd_inval_context(SIOMMU_BY_PASID, 0, space->pasid);
	else
		command = siommu_cmd_inval_tlb(SIOMMU_BY_PASID | SIOMMU_BY_FT, 0, space->pasid, ft,
					       0, 0);
	hardware_invalidate(&command, 1);
	/* What was granted before may still be moving: the fence knows nothing of it. */
	for (index = 0; index < ssds_count(); index++)
		if (READ_ONCE(space->queues[index].alive))
			ssd_drain(ssds_get(index), space->pasid);
}

static int space_open(struct inode *inode, struct file *file)
{
	struct space *space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);
	int error;

	if (!space)
		return -ENOMEM;
	mutex_init(&space->lock);
	mutex_init(&space->root_lock);
	init_waitqueue_head(&space->calm);
	INIT_LIST_HEAD(&space->pins);
	INIT_LIST_HEAD(&space->attachments);
	__set_bit(0, space->windows);		/* address 0 stays free: it is nobody's block */
	error = directories_take();
	if (error < 0)
		goto free;
	space->pasid = error;
	error = radix_make(&space->storage);
	if (error)
		goto release;
	error = memory_start(space);
	if (error)
		goto tables;
	file->private_data = space;
	mutex_lock(&spaces_lock);
	list_add_tail(&space->link, &spaces);
	mutex_unlock(&spaces_lock);
	return 0;
tables:
	radix_free(&space->storage);
release:
	directories_release(space->pasid);
free:
	kfree(space);
	return error;
}

static int space_close(struct inode *inode, struct file *file)
{
	struct space *space = file->private_data;
	unsigned int index;

	mutex_lock(&spaces_lock);
	list_del(&space->link);
	mutex_unlock(&spaces_lock);
	/* From here on the context is empty, and the queues are gone. */
	memory_stop(space);
	files_detach_all(space);
	for (index = 0; index < ssds_count(); index++)
		ssd_free_queue(&space->queues[index]);
	radix_free(&space->storage);
	directories_release(space->pasid);
	kfree(space);
	return 0;
}

static u64 offset_of(unsigned int ssd, unsigned int part)
{
	return ((u64)ssd << OFFSET_SSD | (u64)part << OFFSET_PART) << PAGE_SHIFT;
}

static int space_make_queue(struct space *space, struct siommu_queue *asked)
{
	struct ssd *ssd = ssds_get(asked->ssd);
	struct direct_queue *queue;
	int error;

	if (!ssd)
		return -ENODEV;
	if (asked->entries < 2 || asked->entries > ssd->limit || !is_power_of_2(asked->entries))
		return -EINVAL;
	queue = &space->queues[ssd->index];
	if (queue->ssd)
		return -EEXIST;
	queue->entries = asked->entries;
	error = ssd_make_queue(ssd, queue, space->pasid);
	asked->sq_offset = offset_of(ssd->index, PART_SQ);
	asked->cq_offset = offset_of(ssd->index, PART_CQ);
	asked->doorbell_offset = offset_of(ssd->index, PART_DOORBELL);
	return error;
}

static long space_info(struct space *space, void __user *user)
{
	struct siommu_info info = {
		.version = SIOMMU_UAPI_VERSION, .ssds = ssds_count(), .pasid = space->pasid,
		.memory = space->mode,
	};

	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

/* Requests about queues and memory. */
static long space_request(struct space *space, unsigned int cmd, void __user *user)
{
	union {
		struct siommu_info info;
		struct siommu_queue queue;
		struct siommu_range range;
	} asked = {};
	long error;

	if (copy_from_user(&asked, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	if (cmd == SIOMMU_IOC_FAULT_IN)		/* it waits for memory, and for others */
		return memory_fault_in(space, &asked.range);
	mutex_lock(&space->lock);
	switch (cmd) {
	case SIOMMU_IOC_MEMORY:
		error = memory_set_mode(space, asked.info.memory);
		break;
	case SIOMMU_IOC_QUEUE:
		error = space_make_queue(space, &asked.queue);
		break;
	case SIOMMU_IOC_PIN:
		error = memory_pin(space, &asked.range);
		break;
	default:
		error = memory_unpin(space, &asked.range);
	}
	mutex_unlock(&space->lock);
	if (!error && cmd == SIOMMU_IOC_QUEUE && copy_to_user(user, &asked, _IOC_SIZE(cmd)))
		return -EFAULT;		/* the queue stays until the space is closed */
	return error;
}

/* Requests about files. */
static long space_file_request(struct space *space, unsigned int cmd, void __user *user)
{
	union {
		struct siommu_attach attach;
		struct siommu_write write;
		u32 handle;
	} asked = {};
	long error;

	if (copy_from_user(&asked, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	switch (cmd) {
	case SIOMMU_IOC_ATTACH:
		error = files_attach(space, &asked.attach);
		break;
	case SIOMMU_IOC_WRITE:
		error = files_write(space, &asked.write);
		break;
	case SIOMMU_IOC_SYNC:
		return files_sync(space, asked.handle);
	default:
		return files_detach(space, asked.handle);
	}
	if (!error && copy_to_user(user, &asked, _IOC_SIZE(cmd)))
		return -EFAULT;
	return error;
}

static long space_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct space *space = file->private_data;
	void __user *user = (void __user *)arg;

	if (current->mm != space->mm)
		return -EPERM;
	switch (cmd) {
	case SIOMMU_IOC_INFO:
		return space_info(space, user);
	case SIOMMU_IOC_MEMORY:
	case SIOMMU_IOC_QUEUE:
	case SIOMMU_IOC_FAULT_IN:
	case SIOMMU_IOC_PIN:
	case SIOMMU_IOC_UNPIN:
		return space_request(space, cmd, user);
	case SIOMMU_IOC_ATTACH:
	case SIOMMU_IOC_DETACH:
	case SIOMMU_IOC_WRITE:
	case SIOMMU_IOC_SYNC:
		return space_file_request(space, cmd, user);
	}
	return -ENOTTY;
}

static int space_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct space *space = file->private_data;
	unsigned int part = vma->vm_pgoff >> OFFSET_PART & ((1u << (OFFSET_SSD - OFFSET_PART)) - 1);
	struct ssd *ssd = ssds_get(vma->vm_pgoff >> OFFSET_SSD);
	size_t bytes = vma->vm_end - vma->vm_start;
	struct direct_queue *queue;
	int error = -EINVAL;

	if (current->mm != space->mm)
		return -EPERM;
	if (!ssd || part >= PARTS || vma->vm_pgoff & ((1u << OFFSET_PART) - 1))
		return -EINVAL;
	/* A child has none of it: the queue is the parent's. */
	vma->vm_flags |= VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;
	queue = &space->queues[ssd->index];
	/* The rings and doorbells of a queue stay where they are until the space is closed. */
	if (!READ_ONCE(queue->alive))
		return -ENXIO;
	if (part == PART_DOORBELL && bytes == PAGE_SIZE) {
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
		error = io_remap_pfn_range(vma, vma->vm_start,
					   PHYS_PFN(ssd->bar) + 1 + queue->number, bytes,
					   vma->vm_page_prot);
	} else if (part == PART_SQ && bytes == ssd_sq_bytes(queue)) {
		error = remap_pfn_range(vma, vma->vm_start, PHYS_PFN(virt_to_phys(queue->sq)),
					bytes, vma->vm_page_prot);
	} else if (part == PART_CQ && bytes == ssd_cq_bytes(queue)) {
		error = remap_pfn_range(vma, vma->vm_start, PHYS_PFN(virt_to_phys(queue->cq)),
					bytes, vma->vm_page_prot);
	}
	return error;
}

const struct file_operations space_operations = {
	.owner = THIS_MODULE,
	.open = space_open,
	.release = space_close,
	.unlocked_ioctl = space_ioctl,
	.mmap = space_mmap,
	.llseek = noop_llseek,
};
