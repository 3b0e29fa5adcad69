// SPDX-License-Identifier: GPL-2.0
/*
 * The storage table of a space: one window of 512 GiB of block addresses for each file, which is
 * one entry of the root. The tables of level 3 and 2 are the space's, and say what it may do; those
 * of level 1 are the file's (extents.c).
 *
 * A file that is attached has S_SWAPFILE set, as if it were swapped to: its blocks stay where they
 * are. The kernel's own writes are refused too then; files_write() takes the file away from
 * everybody, clears the flag, writes, and looks anew where the blocks are.
 *
 * Rights are taken away in this order: the entry of the root, the caches (with a fence), the
 * transfers that are still moving. Only then tables are freed, and blocks may move.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "driver.h"

#define ROOT_LEVEL	4
#define WRITE_MAX	(1ul << 20)	/* bytes that one call writes through the kernel */

struct shared {
	struct list_head link;
	struct file *file;		/* keeps inode and file system */
	struct ssd *ssd;
	struct extents extents;
	struct list_head users;
	bool lost;			/* it could not be looked at again: nobody has it */
};

struct attachment {
	struct list_head of_space, of_file;
	struct space *space;
	struct shared *shared;
	struct file *file;		/* as this process has it open */
	unsigned int window, flags;
};

static LIST_HEAD(files);
static DEFINE_MUTEX(files_lock);

void files_for_each(void (*show)(const struct file *file, unsigned int attached, u64 pages,
				 void *data), void *data)
{
	struct shared *shared;

	mutex_lock(&files_lock);
	list_for_each_entry(shared, &files, link) {
		struct list_head *user;
		unsigned int users = 0;

		list_for_each(user, &shared->users)
			users++;
		show(shared->file, users, shared->extents.pages, data);
	}
	mutex_unlock(&files_lock);
}

static u64 window_address(unsigned int window)
{
	return window * siommu_entry_reach(ROOT_LEVEL);
}

/* Its blocks stay where they are, from now on. */
static int hold(struct inode *inode)
{
	int error = 0;

	inode_lock(inode);
	if (IS_SWAPFILE(inode))
		error = -ETXTBSY;
	else
		inode->i_flags |= S_SWAPFILE;
	inode_unlock(inode);
	return error;
}

static void let_go(struct inode *inode)
{
	inode_lock(inode);
	inode->i_flags &= ~S_SWAPFILE;
	inode_unlock(inode);
}

/* Holds the file, writes back what is dirty, and finds its blocks. */
static int look(struct shared *shared)
{
	struct inode *inode = file_inode(shared->file);
	int error = hold(inode);

	if (error)
		return error;
	error = filemap_write_and_wait(inode->i_mapping);
	if (!error)
		error = extents_make(&shared->extents, shared->file, shared->ssd);
	if (error)
		let_go(inode);
	return error;
}

/* Takes the window out of the space's table. @absent is what its commands are answered. */
static void uninstall(struct attachment *attachment, u64 absent)
{
	u64 *entry = &attachment->space->storage.root[attachment->window];
	u64 old = *entry;

	WRITE_ONCE(*entry, absent);
	/* The order of locks is that of a change of memory. */
	mutex_lock(&attachment->space->root_lock);
	space_revoke(attachment->space, 1);
	mutex_unlock(&attachment->space->root_lock);
	radix_prune(old, true);
}

/* Enters the file's tables into the window. The root's entry comes last. */
static int install(struct attachment *attachment)
{
	struct extents *extents = &attachment->shared->extents;
	u64 *root = &attachment->space->storage.root[attachment->window];
	struct radix table = {};
	unsigned long chunk;
	u64 *entry;
	int error;

	if (!extents->chunks) {
		WRITE_ONCE(*root, 0);
		return 0;
	}
	error = radix_make(&table);
	if (error)
		return error;
	for (chunk = 0; chunk < extents->chunks; chunk++) {
		entry = radix_entry(&table, chunk * siommu_entry_reach(2), 2, true);
		if (!entry) {
			entry = &table.root[0];
			radix_prune(*entry, true);
			*entry = 0;
			radix_free(&table);
			return -ENOMEM;
		}
		*entry = siommu_pte_table(virt_to_phys(extents->tables[chunk]),
					  attachment->flags & SIOMMU_READ,
					  attachment->flags & SIOMMU_WRITE);
	}
	wmb();
	WRITE_ONCE(*root, table.root[0]);
	table.root[0] = 0;
	radix_free(&table);
	return 0;
}

static int check(struct file *file, const struct siommu_attach *asked, struct ssd **ssd, u32 *nsid)
{
	struct inode *inode = file_inode(file);

	if (!asked->flags || asked->flags & ~(SIOMMU_READ | SIOMMU_WRITE))
		return -EINVAL;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if ((asked->flags & SIOMMU_READ && !(file->f_mode & FMODE_READ)) ||
	    (asked->flags & SIOMMU_WRITE && !(file->f_mode & FMODE_WRITE)))
		return -EACCES;
	if (asked->flags & SIOMMU_WRITE && IS_APPEND(inode))
		return -EACCES;
	if (!inode->i_sb->s_bdev)
		return -ENODEV;
	*ssd = ssds_of(inode->i_sb->s_bdev, nsid);
	/* Where another namespace begins on the device only its own driver knows. */
	if (!*ssd || *nsid != 1)
		return -ENODEV;
	if (inode->i_blkbits != PAGE_SHIFT || IS_ENCRYPTED(inode) || IS_VERITY(inode) ||
	    inode->i_sb->s_bdev->bd_start_sect % (PAGE_SIZE >> SECTOR_SHIFT))
		return -EOPNOTSUPP;
	return 0;
}

static struct shared *find(struct inode *inode)
{
	struct shared *shared;

	list_for_each_entry(shared, &files, link)
		if (file_inode(shared->file) == inode)
			return shared;
	return NULL;
}

static struct shared *share(struct file *file, struct ssd *ssd)
{
	struct shared *shared = find(file_inode(file));
	int error;

	if (shared)
		return shared->lost ? ERR_PTR(-ESTALE) : shared;
	shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&shared->users);
	shared->file = get_file(file);
	shared->ssd = ssd;
	error = look(shared);
	if (error) {
		fput(shared->file);
		kfree(shared);
		return ERR_PTR(error);
	}
	list_add_tail(&shared->link, &files);
	return shared;
}

static void unshare(struct shared *shared)
{
	struct inode *inode = file_inode(shared->file);

	if (!list_empty(&shared->users))
		return;
	if (!shared->lost) {
		extents_free(&shared->extents);
		/* What the page cache has is older than what programs wrote. */
		invalidate_inode_pages2(inode->i_mapping);
		let_go(inode);
	}
	list_del(&shared->link);
	fput(shared->file);
	kfree(shared);
}

static int attach(struct space *space, struct siommu_attach *asked, struct file *file,
		  struct ssd *ssd)
{
	struct attachment *attachment;
	struct shared *shared;
	int error;

	attachment = kzalloc(sizeof(*attachment), GFP_KERNEL_ACCOUNT);
	if (!attachment)
		return -ENOMEM;
	attachment->window = find_first_zero_bit(space->windows, 256);
	shared = attachment->window < 256 ? share(file, ssd) : ERR_PTR(-EMFILE);
	if (IS_ERR(shared)) {
		kfree(attachment);
		return PTR_ERR(shared);
	}
	attachment->space = space;
	attachment->shared = shared;
	attachment->flags = asked->flags;
	error = install(attachment);
	if (error) {
		unshare(shared);
		kfree(attachment);
		return error;
	}
	attachment->file = get_file(file);
	__set_bit(attachment->window, space->windows);
	list_add_tail(&attachment->of_space, &space->attachments);
	list_add_tail(&attachment->of_file, &shared->users);
	if (asked->flags & SIOMMU_WRITE)
		invalidate_inode_pages2(file->f_mapping);
	asked->handle = attachment->window;
	asked->ssd = ssd->index;
	asked->lba_bytes = bdev_logical_block_size(file_inode(file)->i_sb->s_bdev);
	asked->vba = window_address(attachment->window);
	asked->size = shared->extents.size;
	return 0;
}

int files_attach(struct space *space, struct siommu_attach *asked)
{
	struct file *file = fget(asked->fd);
	struct ssd *ssd;
	int error;

	if (!file)
		return -EBADF;
	error = check(file, asked, &ssd, &asked->nsid);
	if (!error) {
		mutex_lock(&files_lock);
		error = attach(space, asked, file, ssd);
		mutex_unlock(&files_lock);
	}
	fput(file);
	return error;
}

static void detach(struct attachment *attachment)
{
	uninstall(attachment, 0);
	__clear_bit(attachment->window, attachment->space->windows);
	list_del(&attachment->of_space);
	list_del(&attachment->of_file);
	unshare(attachment->shared);
	fput(attachment->file);
	kfree(attachment);
}

static struct attachment *by_handle(struct space *space, u32 handle)
{
	struct attachment *attachment;

	list_for_each_entry(attachment, &space->attachments, of_space)
		if (attachment->window == handle)
			return attachment;
	return NULL;
}

int files_detach(struct space *space, u32 handle)
{
	struct attachment *attachment;

	mutex_lock(&files_lock);
	attachment = by_handle(space, handle);
	if (attachment)
		detach(attachment);
	mutex_unlock(&files_lock);
	return attachment ? 0 : -ENOENT;
}

void files_detach_all(struct space *space)
{
	struct attachment *attachment, *next;

	mutex_lock(&files_lock);
	list_for_each_entry_safe(attachment, next, &space->attachments, of_space)
		detach(attachment);
	mutex_unlock(&files_lock);
}

int files_sync(struct space *space, u32 handle)
{
	struct attachment *attachment;
	int error;

	mutex_lock(&files_lock);
	attachment = by_handle(space, handle);
	error = !attachment ? -ENOENT : attachment->shared->lost ? -ESTALE : 0;
	mutex_unlock(&files_lock);
	return error;
}

/* The kernel writes; everybody's windows are closed meanwhile, and opened with what is then. */
static ssize_t write_held_off(struct attachment *attachment, const void *data, size_t length,
			      loff_t offset)
{
	struct shared *shared = attachment->shared;
	struct inode *inode = file_inode(shared->file);
	struct attachment *user;
	ssize_t written;

	list_for_each_entry(user, &shared->users, of_file)
		uninstall(user, siommu_pte_absent(SIOMMU_DISPOSITION_REMAP));
	extents_free(&shared->extents);
	/* The page cache may hold pages of before the programs' own writes. */
	invalidate_inode_pages2(inode->i_mapping);
	let_go(inode);
	written = kernel_write(attachment->file, data, length, &offset);
	shared->lost = look(shared) != 0;
	invalidate_inode_pages2(inode->i_mapping);
	list_for_each_entry(user, &shared->users, of_file)
		if (shared->lost || install(user))
			WRITE_ONCE(user->space->storage.root[user->window], 0);
	return written;
}

int files_write(struct space *space, struct siommu_write *write)
{
	size_t length = min_t(u64, write->length, WRITE_MAX);
	struct attachment *attachment;
	ssize_t written = -ENOENT;
	void *data;

	if ((loff_t)write->offset < 0)
		return -EINVAL;
	data = vmemdup_user(u64_to_user_ptr(write->buffer), length);
	if (IS_ERR(data))
		return PTR_ERR(data);
	mutex_lock(&files_lock);
	attachment = by_handle(space, write->handle);
	if (attachment) {
		if (!(attachment->flags & SIOMMU_WRITE))
			written = -EACCES;
		else if (attachment->shared->lost)
			written = -ESTALE;
		else
			written = write_held_off(attachment, data, length, write->offset);
		write->size = i_size_read(file_inode(attachment->file));
	}
	mutex_unlock(&files_lock);
	kvfree(data);
	if (written < 0)
		return written;
	write->length = written;
	return 0;
}
