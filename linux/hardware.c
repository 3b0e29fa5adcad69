// SPDX-License-Identifier: GPL-2.0
/* Registers, and the command queue: invalidations and fences. */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/jiffies.h>

#include "driver.h"

#define CQ_LOG2		6
#define FENCE_MS	2000

static struct {
	void __iomem *base;
	struct mutex lock;		/* one fence at a time */
	struct siommu_command *ring;
	u32 *fence;			/* where fences store */
	u32 tail, sequence;
} commands;

u32 hardware_read(u32 reg)
{
	return readl(commands.base + reg);
}

void hardware_write(u32 reg, u32 value)
{
	writel(value, commands.base + reg);
}

u64 hardware_counter(u32 low)
{
	u64 value = hardware_read(low);		/* it latches the high word */

	return value | (u64)hardware_read(low + 4) << 32;
}

static void write_base(u32 low, u64 addr)
{
	hardware_write(low, lower_32_bits(addr));
	hardware_write(low + 4, upper_32_bits(addr));
}

/* Writing ABORT empties every cache; what is in flight is over when STATUS says so (§7). */
static void empty_caches(void)
{
	u32 mode = hardware_read(SIOMMU_REG_CTRL);

	hardware_write(SIOMMU_REG_CTRL, mode & ~SIOMMU_REG_PREP(CTRL, MODE, 3));
	while (hardware_read(SIOMMU_REG_STATUS) & 3)
		usleep_range(100, 1000);
	hardware_write(SIOMMU_REG_CTRL, mode);
}

static void queue_on(void)
{
	hardware_write(SIOMMU_REG_CQ_CTRL, 0);
	while (hardware_read(SIOMMU_REG_STATUS) & 4)
		usleep_range(100, 1000);
	hardware_write(SIOMMU_REG_CQ_STATUS, 7);
	write_base(SIOMMU_REG_CQ_BASE_LOW, virt_to_phys(commands.ring));
	hardware_write(SIOMMU_REG_CQ_LOG2, CQ_LOG2);
	commands.tail = 0;
	hardware_write(SIOMMU_REG_CQ_CTRL, 1);
}

static void push(struct siommu_command command)
{
	commands.ring[commands.tail] = command;
	commands.tail = siommu_ring_advance(commands.tail, 1, CQ_LOG2);
}

static bool fence_is_over(u32 sequence)
{
	return READ_ONCE(*commands.fence) == sequence;
}

void hardware_invalidate(const struct siommu_command *list, unsigned int count)
{
	unsigned long end;
	u32 sequence;

	mutex_lock(&commands.lock);
	end = jiffies + msecs_to_jiffies(FENCE_MS);
	sequence = ++commands.sequence;
	while (count--)
		push(*list++);
	push(siommu_cmd_fence(true, virt_to_phys(commands.fence), sequence, false));
	/* The tables that were changed, and the commands, before the register that starts them. */
	wmb();
	hardware_write(SIOMMU_REG_CQ_TAIL, commands.tail);
	while (!fence_is_over(sequence)) {
		u32 status = hardware_read(SIOMMU_REG_CQ_STATUS);

		/* It may have come to its end while we looked, or were kept from looking. */
		if ((status & 3 || time_after(jiffies, end)) && !fence_is_over(sequence)) {
			pr_err("siommu: the command queue stopped (status %#x); emptying the caches\n",
			       status);
			queue_on();
			empty_caches();
			break;
		}
		cpu_relax();
		cond_resched();
	}
	/* What comes next must not be done before the fence was seen. */
	mb();
	mutex_unlock(&commands.lock);
}

int hardware_start(struct pci_dev *pdev)
{
	commands.base = pcim_iomap_table(pdev)[0];
	mutex_init(&commands.lock);
	if (hardware_read(SIOMMU_REG_ID) != 0x53494f4d ||
	    hardware_read(SIOMMU_REG_VERSION) >> 16 != 1) {
		dev_err(&pdev->dev, "no SIOMMU of version 1 (ID %#x, VERSION %#x)\n",
			hardware_read(SIOMMU_REG_ID), hardware_read(SIOMMU_REG_VERSION));
		return -ENODEV;
	}
	commands.ring = (void *)get_zeroed_page(GFP_KERNEL);
	commands.fence = (void *)get_zeroed_page(GFP_KERNEL);
	if (!commands.ring || !commands.fence) {
		hardware_stop();
		return -ENOMEM;
	}
	hardware_write(SIOMMU_REG_CTRL, 0);
	queue_on();
	return 0;
}

void hardware_stop(void)
{
	if (commands.ring && commands.fence) {
		hardware_write(SIOMMU_REG_CTRL, 0);
		hardware_write(SIOMMU_REG_CQ_CTRL, 0);
		while (hardware_read(SIOMMU_REG_STATUS))
			usleep_range(100, 1000);
	}
	free_page((unsigned long)commands.ring);
	free_page((unsigned long)commands.fence);
	commands.ring = NULL;
	commands.fence = NULL;
}
