// SPDX-License-Identifier: GPL-2.0
/* Where the blocks of a file are: the tables of level 1 that everybody shares who has it attached. */
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "driver.h"

#define CHUNK_PAGES	SIOMMU_TABLE_ENTRIES

/* The entries of one chunk, from page @first on; @pages of it belong to the file. */
static int fill(struct extents *extents, u64 *table, struct inode *inode, const struct ssd *ssd,
		unsigned long first, unsigned long pages)
{
	u64 start = (u64)inode->i_sb->s_bdev->bd_start_sect << SECTOR_SHIFT;
	unsigned long index;

	for (index = 0; index < pages; index++) {
		sector_t block = first + index;
		int error = bmap(inode, &block);

		if (error)
			return -EOPNOTSUPP;
		/* A hole, or allocated and never written: the kernel reads zeros there, and gives
		 * a block to what is written. */
		if (!block) {
			table[index] = siommu_pte_absent(SIOMMU_DISPOSITION_OS);
			continue;
		}
		table[index] = siommu_pte_block(start + ((u64)block << PAGE_SHIFT), 1, ssd->devid,
						true, true);
		extents->pages++;
	}
	return 0;
}

int extents_make(struct extents *extents, struct file *file, const struct ssd *ssd)
{
	struct inode *inode = file_inode(file);
	unsigned long pages, chunk;
	int error = 0;

	memset(extents, 0, sizeof(*extents));
	extents->size = i_size_read(inode);
	pages = DIV_ROUND_UP(extents->size, PAGE_SIZE);
	if (pages > 1ul << 27)			/* a window of 512 GiB */
		return -EFBIG;
	extents->chunks = DIV_ROUND_UP(pages, CHUNK_PAGES);
	extents->tables = kvcalloc(extents->chunks ?: 1, sizeof(*extents->tables),
				   GFP_KERNEL_ACCOUNT);
	if (!extents->tables)
		return -ENOMEM;
	for (chunk = 0; chunk < extents->chunks && !error; chunk++) {
		u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		extents->tables[chunk] = table;
		error = table ? fill(extents, table, inode, ssd, chunk * CHUNK_PAGES,
				     min_t(unsigned long, CHUNK_PAGES,
					   pages - chunk * CHUNK_PAGES)) : -ENOMEM;
		if (!error && fatal_signal_pending(current))
			error = -EINTR;
		cond_resched();
	}
	if (error)
		extents_free(extents);
	return error;
}

void extents_free(struct extents *extents)
{
	unsigned long chunk;

	for (chunk = 0; extents->tables && chunk < extents->chunks; chunk++)
		free_page((unsigned long)extents->tables[chunk]);
	kvfree(extents->tables);
	extents->tables = NULL;
	extents->chunks = 0;
	extents->pages = 0;
}
