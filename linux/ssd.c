// SPDX-License-Identifier: GPL-2.0
/* SSDs behind the SIOMMU, and their direct queues. An SSD is driven by the kernel's own NVMe driver;
 * its direct queues have registers of their own in BAR 2, which that driver leaves alone. */
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/io.h>

#include "driver.h"

#define FACE_BAR	2
#define FACE_ID		0x31514453

/* Registers of the face: sim/device/nvme/direct.py describes them. */
enum {
	FACE_IDENT = 0x00, FACE_VERSION = 0x04, FACE_QUEUES = 0x08, FACE_LIMIT = 0x0c,
	FACE_INDEX = 0x10, FACE_PASID = 0x14, FACE_SQ = 0x18, FACE_CQ = 0x20, FACE_ENTRIES = 0x28,
	FACE_VECTOR = 0x2c, FACE_COMMAND = 0x30, FACE_STATUS = 0x34,
};
enum { CREATE = 1, DELETE = 2, DRAIN = 3 };

#define BUSY		(1u << 31)

static struct ssd ssds[MAX_SSDS];
static unsigned int found;

unsigned int ssds_count(void)
{
	return found;
}

struct ssd *ssds_get(unsigned int index)
{
	return index < found ? &ssds[index] : NULL;
}

static int ssd_start(struct ssd *ssd, struct pci_dev *pdev)
{
	ssd->bar = pci_resource_start(pdev, FACE_BAR);
	ssd->face = ioremap(ssd->bar, pci_resource_len(pdev, FACE_BAR));
	if (!ssd->face)
		return -ENOMEM;
	if (readl(ssd->face + FACE_IDENT) != FACE_ID || readl(ssd->face + FACE_VERSION) != 1) {
		pci_info(pdev, "no direct queues of version 1 (ID %#x)\n", readl(ssd->face + FACE_IDENT));
		goto none;
	}
	ssd->queues = readl(ssd->face + FACE_QUEUES);
	ssd->limit = readl(ssd->face + FACE_LIMIT);
	ssd->used = bitmap_zalloc(ssd->queues, GFP_KERNEL);
	if (!ssd->used)
		goto none;
	ssd->pdev = pdev;
	ssd->requester = pci_dev_id(pdev);
	ssd->index = found;
	ssd->devid = found + 1;
	mutex_init(&ssd->lock);
	directories_set_device(ssd->requester, ssd->devid);
	pci_info(pdev, "%u direct queues, requester %#x, storage device %u\n", ssd->queues,
		 ssd->requester, ssd->devid);
	return 0;
none:
	iounmap(ssd->face);
	return -ENODEV;
}

int ssds_find(void)
{
	struct pci_dev *pdev = NULL;

	found = 0;
	while (found < MAX_SSDS && (pdev = pci_get_device(SIOMMU_VENDOR, SIOMMU_SSD, pdev)))
		if (!ssd_start(&ssds[found], pdev)) {
			pci_dev_get(pdev);
			found++;
		}
	pci_dev_put(pdev);
	return found ? 0 : -ENODEV;
}

void ssds_release(void)
{
	while (found) {
		struct ssd *ssd = &ssds[--found];

		iounmap(ssd->face);
		bitmap_free(ssd->used);
		pci_dev_put(ssd->pdev);
	}
}

struct ssd *ssds_of(struct block_device *bdev, u32 *nsid)
{
	struct device *dev = disk_to_dev(bdev->bd_disk);
	unsigned int controller, index;

	/* The disk's name is all that says which namespace it is without private headers. */
	if (sscanf(bdev->bd_disk->disk_name, "nvme%un%u", &controller, nsid) != 2)
		return NULL;
	for (; dev; dev = dev->parent)
		for (index = 0; index < found; index++)
			if (dev == &ssds[index].pdev->dev)
				return &ssds[index];
	return NULL;
}

/* Carries out one command of the face; the lock is held. Returns its NVMe status. */
static u32 ssd_command(struct ssd *ssd, u32 command)
{
	u32 status;

	writel(command, ssd->face + FACE_COMMAND);
	while ((status = readl(ssd->face + FACE_STATUS)) & BUSY)
		usleep_range(20, 200);
	return status;
}

static void write_address(struct ssd *ssd, u32 offset, void *at)
{
	u64 addr = virt_to_phys(at);

	writel(lower_32_bits(addr), ssd->face + offset);
	writel(upper_32_bits(addr), ssd->face + offset + 4);
}

size_t ssd_sq_bytes(const struct direct_queue *queue)
{
	return PAGE_ALIGN(queue->entries * 64);
}

size_t ssd_cq_bytes(const struct direct_queue *queue)
{
	return PAGE_ALIGN(queue->entries * 16);
}

int ssd_make_queue(struct ssd *ssd, struct direct_queue *queue, u32 pasid)
{
	u32 status;

	queue->ssd = ssd;
	queue->sq = alloc_pages_exact(ssd_sq_bytes(queue), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	queue->cq = alloc_pages_exact(ssd_cq_bytes(queue), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!queue->sq || !queue->cq) {
		ssd_free_queue(queue);
		return -ENOMEM;
	}
	mutex_lock(&ssd->lock);
	queue->number = find_first_zero_bit(ssd->used, ssd->queues);
	if (queue->number >= ssd->queues) {
		mutex_unlock(&ssd->lock);
		ssd_free_queue(queue);
		return -ENOSPC;
	}
	writel(queue->number, ssd->face + FACE_INDEX);
	writel(pasid, ssd->face + FACE_PASID);
	write_address(ssd, FACE_SQ, queue->sq);
	write_address(ssd, FACE_CQ, queue->cq);
	writel((queue->entries - 1) * 0x10001, ssd->face + FACE_ENTRIES);
	writel(0, ssd->face + FACE_VECTOR);
	status = ssd_command(ssd, CREATE);
	if (!status)
		__set_bit(queue->number, ssd->used);
	mutex_unlock(&ssd->lock);
	if (status) {
		pci_err(ssd->pdev, "direct queue %u refused, status %#x\n", queue->number, status);
		ssd_free_queue(queue);
		return -EIO;
	}
	queue->alive = true;
	return 0;
}

void ssd_end_queue(struct direct_queue *queue)
{
	struct ssd *ssd = queue->ssd;

	if (!queue->alive)
		return;
	mutex_lock(&ssd->lock);
	writel(queue->number, ssd->face + FACE_INDEX);
	/* It may be gone already, with a reset of the controller: then nothing moves either. */
	ssd_command(ssd, DELETE);
	__clear_bit(queue->number, ssd->used);
	mutex_unlock(&ssd->lock);
	queue->alive = false;
}

void ssd_free_queue(struct direct_queue *queue)
{
	if (queue->sq)
		free_pages_exact(queue->sq, ssd_sq_bytes(queue));
	if (queue->cq)
		free_pages_exact(queue->cq, ssd_cq_bytes(queue));
	queue->sq = NULL;
	queue->cq = NULL;
	queue->ssd = NULL;
}

void ssd_drain(struct ssd *ssd, u32 pasid)
{
	mutex_lock(&ssd->lock);
	writel(pasid, ssd->face + FACE_PASID);
	ssd_command(ssd, DRAIN);
	mutex_unlock(&ssd->lock);
}
