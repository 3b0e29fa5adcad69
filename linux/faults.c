// SPDX-License-Identifier: GPL-2.0
/* The fault queue: its records are counted by cause, and the last ones kept for who looks. The program
 * that caused a fault hears of it in the completion of its command, so nothing is done about it here. */
#include <linux/interrupt.h>
#include <linux/io.h>

#include "driver.h"

#define FQ_LOG2		7	/* a page */
#define QUOTA		100	/* records of one port until we look; the ring has 127 */
#define CAUSES		256
#define KEPT		64u	/* records that can be looked at; a power of two */

static struct {
	u64 *ring;
	int irq;
	u32 head;
	atomic64_t counts[CAUSES];
	struct mutex lock;		/* of what is kept */
	struct siommu_fault kept[KEPT];
	u32 seen;
} faults = { .lock = __MUTEX_INITIALIZER(faults.lock) };

u64 faults_counted(unsigned int cause)
{
	return cause < CAUSES ? atomic64_read(&faults.counts[cause]) : 0;
}

void faults_for_each(void (*show)(const struct siommu_fault *fault, void *data), void *data)
{
	u32 index;

	mutex_lock(&faults.lock);
	for (index = faults.seen > KEPT ? faults.seen - KEPT : 0; index < faults.seen; index++)
		show(&faults.kept[index % KEPT], data);
	mutex_unlock(&faults.lock);
}

static irqreturn_t faults_read(int irq, void *data)
{
	u32 tail;

	hardware_write(SIOMMU_REG_FQ_STATUS, hardware_read(SIOMMU_REG_FQ_STATUS));
	tail = hardware_read(SIOMMU_REG_FQ_TAIL);
	while (!siommu_ring_empty(faults.head, tail)) {
		struct siommu_fault fault;

		dma_rmb();	/* the records are there when the tail says so */
		fault = siommu_fault_decode(&faults.ring[faults.head * (SIOMMU_RECORD_BYTES / 8)]);
		atomic64_inc(&faults.counts[fault.what.cause]);
		mutex_lock(&faults.lock);
		faults.kept[faults.seen++ % KEPT] = fault;
		mutex_unlock(&faults.lock);
		faults.head = siommu_ring_advance(faults.head, 1, FQ_LOG2);
		if (siommu_ring_empty(faults.head, tail))
			tail = hardware_read(SIOMMU_REG_FQ_TAIL);
	}
	hardware_write(SIOMMU_REG_FQ_HEAD, faults.head);
	return IRQ_HANDLED;
}

int faults_start(int irq)
{
	int error;

	faults.ring = (void *)get_zeroed_page(GFP_KERNEL);
	if (!faults.ring)
		return -ENOMEM;
	faults.head = 0;
	faults.seen = 0;
	faults.irq = irq;
	error = request_threaded_irq(irq, NULL, faults_read, IRQF_ONESHOT, "siommu-faults", &faults);
	if (error) {
		free_page((unsigned long)faults.ring);
		faults.ring = NULL;
		return error;
	}
	hardware_write(SIOMMU_REG_FQ_CTRL, 0);
	hardware_write(SIOMMU_REG_FQ_BASE_LOW, lower_32_bits(virt_to_phys(faults.ring)));
	hardware_write(SIOMMU_REG_FQ_BASE_HIGH, upper_32_bits(virt_to_phys(faults.ring)));
	hardware_write(SIOMMU_REG_FQ_LOG2, FQ_LOG2);
	hardware_write(SIOMMU_REG_FQ_QUOTA, QUOTA);
	hardware_write(SIOMMU_REG_FQ_STATUS, 0xf);
	hardware_write(SIOMMU_REG_FQ_CTRL, 1);
	hardware_write(SIOMMU_REG_IRQ_ENABLE, 0xf << 4);
	return 0;
}

void faults_stop(void)
{
	if (!faults.ring)
		return;
	hardware_write(SIOMMU_REG_IRQ_ENABLE, 0);
	hardware_write(SIOMMU_REG_FQ_CTRL, 0);
	free_irq(faults.irq, &faults);
	hardware_read(SIOMMU_REG_FQ_CTRL);	/* no record is on its way behind this answer */
	free_page((unsigned long)faults.ring);
	faults.ring = NULL;
}
