/* SPDX-License-Identifier: Apache-2.0 */
/* Translations: software asks through the debug port, and the device copies. */
#include "access.h"
#include "chapters.h"
#include "memory.h"
#include "report.h"
#include "soc.h"

/* Before a device gets its first request out, its tables can be tried. Nothing is recorded. */
void debug_port(void)
{
	chapter("The debug port translates.");
	ask(DEVICE_ID, PROCESS, READ, SOURCE + 0x123,
	    granted(at.source[0] + 0x123, READ_ONLY, SIOMMU_SIZE_PAGE_4K));
	ask(DEVICE_ID, PROCESS, READ, SOURCE + PAGE + 0xFFF,
	    granted(at.source[1] + 0xFFF, READ_ONLY, SIOMMU_SIZE_PAGE_4K));
	ask(DEVICE_ID, PROCESS, WRITE, TARGET + 0x8,
	    granted(at.target[0] + 0x8, READ_WRITE, SIOMMU_SIZE_PAGE_4K));
	ask(DEVICE_ID, PROCESS, WRITE, BUFFER + 0x5678,
	    granted(at.buffer + 0x5678, READ_WRITE, SIOMMU_SIZE_PAGE_4K));
	ask(DEVICE_ID, PROCESS, READ, BUFFER + 0xFFF0,
	    granted(at.buffer + 0xFFF0, READ_WRITE, SIOMMU_SIZE_PAGE_4K));
	ask(DEVICE_ID, PROCESS, WRITE, LARGE + 0x1ABCDE,
	    granted(LARGE_MEMORY + 0x1ABCDE, READ_WRITE, SIOMMU_SIZE_PAGE_2M));
	ask(DEVICE_ID, PROCESS, READ, HIGHEST + 0xABC,
	    granted(at.highest + 0xABC, READ_WRITE, SIOMMU_SIZE_PAGE_4K));

	chapter("It says why not.");
	ask(DEVICE_ID, PROCESS, WRITE, SOURCE,
	    refused(SIOMMU_CAUSE_WRITE_DENIED, SIOMMU_DISPOSITION_OS));
	ask(DEVICE_ID, PROCESS, READ, TARGET + 2 * PAGE,
	    refused(SIOMMU_CAUSE_NOT_PRESENT, SIOMMU_DISPOSITION_REMAP));
	ask(DEVICE_ID, PROCESS, READ, NOWHERE,
	    refused(SIOMMU_CAUSE_NON_CANONICAL, SIOMMU_DISPOSITION_DENY));
	ask(DEVICE_ID, STRANGER, READ, SOURCE,
	    refused(SIOMMU_CAUSE_PASID_INVALID, SIOMMU_DISPOSITION_DENY));
	ask(DEVICE_ID + 1, PROCESS, READ, SOURCE,
	    refused(SIOMMU_CAUSE_DEVICE_INVALID, SIOMMU_DISPOSITION_DENY));
}

/*
 * Between pages that lie anywhere, over the end of a page of the source, and over that of one of the
 * target: each piece has to be where its own page is, and nowhere else.
 */
static void copy_small_pages(void)
{
	fill(at.source[0] + 0xF00, 0x100, 0x50);
	fill(at.source[1], 0x300, 0x51);
	fill(at.target[0] + 0xD00, 0x300, 0x60);
	fill(at.target[1], 0x300, 0x61);
	copy(PROCESS, SOURCE + 0xF00, TARGET + 0xE00, 0x400, whole(0x400));
	expect_equal(at.target[0] + 0xE00, at.source[0] + 0xF00, 0x100);
	expect_equal(at.target[0] + 0xF00, at.source[1], 0x100);
	expect_equal(at.target[1], at.source[1] + 0x100, 0x200);
	expect_untouched(at.target[0] + 0xD00, 0x100, 0x60);
	expect_untouched(at.target[1] + 0x200, 0x100, 0x61);
}

/* Out of the end of the 2 MiB page into the middle of the 64 KiB. */
static void copy_large_pages(void)
{
	fill(LARGE_MEMORY + 0x1FFE00, 0x200, 0x70);
	fill(at.buffer + 0x5D00, 0x400, 0x80);
	copy(PROCESS, LARGE + 0x1FFE00, BUFFER + 0x5E00, 0x200, whole(0x200));
	expect_equal(at.buffer + 0x5E00, LARGE_MEMORY + 0x1FFE00, 0x200);
	expect_untouched(at.buffer + 0x5D00, 0x100, 0x80);
	expect_untouched(at.buffer + 0x6000, 0x100, 0x80);
}

void device_copies(void)
{
	chapter("The device copies for the process.");
	copy_small_pages();
	copy_large_pages();
}
