// SPDX-License-Identifier: GPL-2.0
/* /sys/kernel/debug/siommu: counters of the core, faults by cause, the last fault records, spaces,
 * files. */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/seq_file.h>

#include "driver.h"

static struct dentry *folder;

static const struct {
	const char *name;
	u32 low;
} counters[] = {
#define COUNTER(name, reg)	{ name, SIOMMU_REG_##reg##_LOW }
	COUNTER("cycles", CYCLES), COUNTER("requests", REQUESTS), COUNTER("pages", PAGES),
	COUNTER("l1_hits", L1_HITS), COUNTER("l2_hits", L2_HITS), COUNTER("misses", MISSES),
	COUNTER("walks", WALKS), COUNTER("table_reads", TABLE_READS), COUNTER("faults", FAULTS),
	COUNTER("faults_lost", FAULTS_LOST), COUNTER("invalidations", INVALIDATIONS),
	COUNTER("fences", FENCES), COUNTER("prefetches", PREFETCHES),
	COUNTER("miss_cycles", MISS_CYCLES), COUNTER("stall_cycles", STALL_CYCLES),
#undef COUNTER
};

static int counters_show(struct seq_file *out, void *unused)
{
	unsigned int index;

	for (index = 0; index < ARRAY_SIZE(counters); index++)
		seq_printf(out, "%s %llu\n", counters[index].name,
			   hardware_counter(counters[index].low));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int faults_show(struct seq_file *out, void *unused)
{
	unsigned int cause;

	for (cause = SIOMMU_CAUSE_DEVICE_INVALID; cause <= SIOMMU_CAUSE_ACCESS_FLAG; cause++)
		seq_printf(out, "%s %llu\n", siommu_cause_name(cause), faults_counted(cause));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(faults);

static void show_record(const struct siommu_fault *fault, void *out)
{
	seq_printf(out, "%s %s device %#x pasid %u %s %s %#llx entry %#llx cycle %llu\n",
		   siommu_cause_name(fault->what.cause),
		   siommu_disposition_name(fault->what.disposition), fault->what.device,
		   fault->what.pasid, fault->what.write ? "write" : "read",
		   fault->what.ft ? "block" : "memory", fault->addr, fault->entry, fault->cycles);
}

static int records_show(struct seq_file *out, void *unused)
{
	faults_for_each(show_record, out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(records);

static void show_space(struct space *space, void *out)
{
	seq_printf(out, "pasid %u memory %s%s files %u queues", space->pasid,
		   space->mode == SIOMMU_MEMORY_OWN ? "own" : "pinned",
		   space->dead ? " dead" : "", bitmap_weight(space->windows, 256) - 1);
	for (unsigned int index = 0; index < ssds_count(); index++)
		if (space->queues[index].alive)
			seq_printf(out, " %u:%u", index, space->queues[index].number);
	seq_puts(out, "\n");
}

static int spaces_show(struct seq_file *out, void *unused)
{
	spaces_for_each(show_space, out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(spaces);

static void show_file(const struct file *file, unsigned int attached, u64 pages, void *out)
{
	seq_printf(out, "%pD4 attached %u pages %llu\n", file, attached, pages);
}

static int files_show(struct seq_file *out, void *unused)
{
	files_for_each(show_file, out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(files);

void statistics_start(void)
{
	folder = debugfs_create_dir("siommu", NULL);
	debugfs_create_file("counters", 0400, folder, NULL, &counters_fops);
	debugfs_create_file("faults", 0400, folder, NULL, &faults_fops);
	debugfs_create_file("records", 0400, folder, NULL, &records_fops);
	debugfs_create_file("spaces", 0400, folder, NULL, &spaces_fops);
	debugfs_create_file("files", 0400, folder, NULL, &files_fops);
}

void statistics_stop(void)
{
	debugfs_remove(folder);
}
