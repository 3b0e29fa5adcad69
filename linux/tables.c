// SPDX-License-Identifier: GPL-2.0
/* The tables in main memory (§3): device directory, PASID directory, radix tables. */
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/log2.h>

#include "driver.h"

#define DDT_LOG2	16	/* every requester id of a PCI segment */
#define DDT_BYTES	((size_t)SIOMMU_DDT_ENTRY_BYTES << DDT_LOG2)
#define ROOT_LEVEL	4

static struct {
	u64 *devices;
	u64 *pasids;		/* the lower directory, one for all devices */
	struct mutex lock;	/* pages of contexts are made */
	struct ida numbers;
} directories;

static u64 *table_make(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & SIOMMU_TABLE_ENTRY_PFN_MASK);
}

int directories_start(void)
{
	u64 base;

	mutex_init(&directories.lock);
	ida_init(&directories.numbers);
	directories.devices = alloc_pages_exact(DDT_BYTES, GFP_KERNEL | __GFP_ZERO);
	directories.pasids = table_make();
	if (!directories.devices || !directories.pasids) {
		directories_stop();
		return -ENOMEM;
	}
	base = virt_to_phys(directories.devices);
	hardware_write(SIOMMU_REG_DDT_BASE_LOW, lower_32_bits(base));
	hardware_write(SIOMMU_REG_DDT_BASE_HIGH, upper_32_bits(base));
	hardware_write(SIOMMU_REG_DDT_LOG2, DDT_LOG2);
	return 0;
}

void directories_stop(void)
{
	unsigned int index;

	if (directories.pasids) {
		for (index = 0; index < SIOMMU_TABLE_ENTRIES; index++)
			if (directories.pasids[index])
				free_page((unsigned long)table_of(directories.pasids[index]));
		free_page((unsigned long)directories.pasids);
	}
	if (directories.devices)
		free_pages_exact(directories.devices, DDT_BYTES);
	directories.devices = NULL;
	directories.pasids = NULL;
	ida_destroy(&directories.numbers);
}

void directories_set_device(u16 device, u16 devid)
{
	u64 *entry = &directories.devices[device * (SIOMMU_DDT_ENTRY_BYTES / 8)];

	entry[1] = siommu_device_word1(devid);
	wmb();
	WRITE_ONCE(entry[0], siommu_device_word0(virt_to_phys(directories.pasids), 1,
						 SIOMMU_DEVICE_WORD0_MEM_EN_MASK |
						 SIOMMU_DEVICE_WORD0_STO_EN_MASK));
}

static u64 *context_of(u32 pasid)
{
	u64 entry = directories.pasids[siommu_pasid_index(pasid, 1)];

	return table_of(entry) + siommu_pasid_index(pasid, 0) * (SIOMMU_CONTEXT_BYTES / 8);
}

int directories_take(void)
{
	/* 0 is what a device without PASIDs sends. */
	int pasid = ida_alloc_range(&directories.numbers, 1, PASIDS - 1, GFP_KERNEL);
	u64 *entry;

	if (pasid < 0)
		return pasid;
	mutex_lock(&directories.lock);
	entry = &directories.pasids[siommu_pasid_index(pasid, 1)];
	if (!*entry) {
		u64 *contexts = table_make();

		if (!contexts) {
			mutex_unlock(&directories.lock);
			ida_free(&directories.numbers, pasid);
			return -ENOMEM;
		}
		WRITE_ONCE(*entry, siommu_directory_entry(virt_to_phys(contexts)));
	}
	mutex_unlock(&directories.lock);
	return pasid;
}

void directories_release(u32 pasid)
{
	ida_free(&directories.numbers, pasid);
}

void directories_set_context(u32 pasid, u64 memory, u64 storage)
{
	u64 *context = context_of(pasid);

	/* What is missing from the storage table says itself what to do about it; the memory table
	 * may be a processor's, and has other things in its absent entries. */
	context[2] = siommu_context_deny(SIOMMU_DISPOSITION_DENY, SIOMMU_DISPOSITION_DENY) |
		     siommu_context_absent(SIOMMU_ABSENT_REMAP);
	wmb();
	WRITE_ONCE(context[0], memory);
	WRITE_ONCE(context[1], storage);
}

int radix_make(struct radix *radix)
{
	radix->root = table_make();
	return radix->root ? 0 : -ENOMEM;
}

u64 *radix_entry(struct radix *radix, u64 addr, unsigned int level, bool make)
{
	u64 *table = radix->root;
	unsigned int at;

	for (at = ROOT_LEVEL; at > level; at--) {
		u64 *entry = &table[siommu_table_index(addr, at)];

		if (!(*entry & SIOMMU_TABLE_ENTRY_P_MASK)) {
			u64 *below = make ? table_make() : NULL;

			if (!below)
				return NULL;
			wmb();		/* it is empty before the device can find it */
			WRITE_ONCE(*entry, siommu_pte_table(virt_to_phys(below), true, true));
		}
		table = table_of(*entry);
	}
	return &table[siommu_table_index(addr, level)];
}

static void prune(u64 entry, unsigned int level, unsigned int last)
{
	u64 *table = table_of(entry);
	unsigned int index;

	if (!(entry & SIOMMU_TABLE_ENTRY_P_MASK))
		return;
	if (level > last)
		for (index = 0; index < SIOMMU_TABLE_ENTRIES; index++)
			prune(table[index], level - 1, last);
	free_page((unsigned long)table);
}

void radix_prune(u64 entry, bool shared)
{
	/* The table behind an entry of level 4 is one of level 3. */
	prune(entry, ROOT_LEVEL - 1, shared ? 2 : 1);
}

void radix_free(struct radix *radix)
{
	unsigned int index;

	if (!radix->root)
		return;
	for (index = 0; index < SIOMMU_TABLE_ENTRIES; index++)
		radix_prune(radix->root[index], false);
	free_page((unsigned long)radix->root);
	radix->root = NULL;
}
