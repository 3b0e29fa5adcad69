/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals and their records; how a right is taken away and given back; what the SIOMMU counted. */
#include "access.h"
#include "chapters.h"
#include "memory.h"
#include "planted.h"
#include "queues.h"
#include "report.h"
#include "soc.h"

#define LEVEL_OF_CONTEXT 6u		/* of a record, §5.1; page tables have 1 to 5 */
#define NO_LEVEL	0u

static uint64_t counter(uint32_t low)
{
	return load64(SIOMMU + low);	/* the low word first: reading it latches the high one */
}

/* What a record says beside that which follows from the refusal itself. */
struct place {
	uint32_t pasid;
	unsigned level;
	uint32_t entry;			/* address of the entry that decided */
};

static void expect_record(struct copy refusal, struct place place, uint64_t before)
{
	struct siommu_fault fault = { 0 };

	if (!fault_take(&fault)) {
		print("    no record");
		same("records", 0, 1);
		verdict();
		return;
	}
	print("    record: %s, %s, PASID 0x%x, level %u, entry %q", siommu_cause_name(fault.what.cause),
	      siommu_disposition_name(fault.what.disposition), fault.what.pasid, fault.what.level,
	      fault.entry);
	same("cause", fault.what.cause, refusal.cause);
	same("disposition", fault.what.disposition, refusal.disposition);
	same("pasid", fault.what.pasid, place.pasid);
	same("level", fault.what.level, place.level);
	same("entry", fault.entry, place.entry);
	verdict();
	print("      %s of %q, FT %u, device 0x%x, port %u, tag 0x%x", fault.what.write ? "write" : "read",
	      fault.addr, fault.what.ft, fault.what.device, fault.what.port, fault.what.tag);
	same("write", fault.what.write, refusal.refused == WRITE);
	same("address", fault.addr, refusal.address);
	same("FT", fault.what.ft, 0);
	same("device", fault.what.device, DEVICE_ID);
	same("port", fault.what.port, DEVICE_PORT);
	same("tag", fault.what.tag, last_tag());
	same("after the cycle before", fault.cycles > before, true);
	same("before now", fault.cycles < counter(SIOMMU_REG_CYCLES_LOW), true);
	same("interrupt line", load32(INTERRUPTS) & FAULT_LINE, 0);
	verdict();
}

/* A copy that is refused somewhere; then its record. */
static void refuse(uint64_t source, uint64_t target, uint32_t bytes, struct copy refusal,
		   struct place place)
{
	uint64_t before = counter(SIOMMU_REG_CYCLES_LOW);

	copy(place.pasid, source, target, bytes, refusal);
	expect_record(refusal, place, before);
}

/* The ring has four slots, and so holds three records: five of them go round. */
void faults_are_recorded(void)
{
	uint64_t behind = TARGET + 2 * PAGE;

	chapter("What is refused is recorded.");
	fill(at.source[0], 0x100, 0x90);
	fill(at.buffer, 0x100, 0x91);
	/* The page may be read, and is asked for to be written. */
	refuse(BUFFER, SOURCE + 0x18, 64,
	       (struct copy){ 0, SIOMMU_CAUSE_WRITE_DENIED, SIOMMU_DISPOSITION_OS, WRITE,
			      SOURCE + 0x18 },
	       (struct place){ PROCESS, 1, sv39_entry(at.root, SOURCE, 1) });
	expect_untouched(at.source[0], 0x100, 0x90);
	/* A copy that runs into an absent page stops at its edge. */
	refuse(TARGET + 2 * PAGE - 16, BUFFER, 64,
	       (struct copy){ 16, SIOMMU_CAUSE_NOT_PRESENT, SIOMMU_DISPOSITION_REMAP, READ, behind },
	       (struct place){ PROCESS, 1, sv39_entry(at.root, behind, 1) });
	expect_equal(at.buffer, at.target[1] + PAGE - 16, 16);
	expect_untouched(at.buffer + 16, 0x100 - 16, 0x91);
	/* The walk ends at the root: no table hangs there. */
	refuse(HOLE, BUFFER, 8,
	       (struct copy){ 0, SIOMMU_CAUSE_NOT_PRESENT, SIOMMU_DISPOSITION_REMAP, READ, HOLE },
	       (struct place){ PROCESS, 3, sv39_entry(at.root, HOLE, 3) });
	/* Another process: its context is all zero. */
	refuse(SOURCE, BUFFER, 8,
	       (struct copy){ 0, SIOMMU_CAUSE_PASID_INVALID, SIOMMU_DISPOSITION_DENY, READ, SOURCE },
	       (struct place){ STRANGER, LEVEL_OF_CONTEXT, context_of(at.pasids, STRANGER) });
	/* No entry can decide about an address that the table has no place for. */
	refuse(NOWHERE, BUFFER, 8,
	       (struct copy){ 0, SIOMMU_CAUSE_NON_CANONICAL, SIOMMU_DISPOSITION_DENY, READ, NOWHERE },
	       (struct place){ PROCESS, NO_LEVEL, 0 });
}

/*
 * A page is taken away: the table first, then the caches, then the fence. Only then may it get another
 * owner. The device starts as soon as the fence is passed, and is refused.
 */
static void take_away(uint64_t address, uint32_t page)
{
	struct copy refusal = { 0, SIOMMU_CAUSE_NOT_PRESENT, SIOMMU_DISPOSITION_REMAP, WRITE, address };
	struct place place = { PROCESS, 1, sv39_entry(at.root, address, 1) };
	uint64_t before = counter(SIOMMU_REG_CYCLES_LOW);

	copy(PROCESS, SOURCE, address, 0x100, whole(0x100));	/* now it is cached, too */
	fill(page, 0x100, 0xA0);
	copy_prepare(PROCESS, SOURCE, address, 0x100);
	sv39_unmap(at.root, address, 1);
	revoke(PROCESS, address, 0);
	copy_go();
	copy_end(refusal);
	expect_record(refusal, place, before);
	expect_untouched(page, 0x100, 0xA0);
}

/* The answer to REMAP: another page is mapped, and the device tries again. That takes no command. */
static void give_another(uint64_t address, uint32_t old)
{
	uint32_t page = pages(1);

	print("  page 1 of the target is now at %w\n", page);
	sv39_map(at.root, address, page, 1, READ_WRITE);
	ask(DEVICE_ID, PROCESS, WRITE, address + 0x40,
	    granted(page + 0x40, READ_WRITE, SIOMMU_SIZE_PAGE_4K));
	copy(PROCESS, SOURCE, address, 0x100, whole(0x100));
	expect_equal(page, at.source[0], 0x100);
	expect_untouched(old, 0x100, 0xA0);
}

/*
 * The same with a device at work: it is copying the first of two pages when all of the large page goes,
 * by one invalidation of 2^9 pages. What it was granted before, it may finish; the page behind it must
 * be refused. Waiting for the device is the last step of a revocation: the SIOMMU grants a transfer,
 * and does not see its end.
 */
static void take_large_away(void)
{
	uint64_t first = LARGE + 0x100000, next = first + PAGE;
	uint32_t there = LARGE_MEMORY + 0x100000;
	struct copy refusal = { PAGE, SIOMMU_CAUSE_NOT_PRESENT, SIOMMU_DISPOSITION_REMAP, READ, next };
	struct place place = { PROCESS, 2, sv39_entry(at.root, LARGE, 2) };
	uint64_t before = counter(SIOMMU_REG_CYCLES_LOW);

	fill(there + PAGE - 0x100, 0x200, 0xB0);
	fill(at.buffer + PAGE - 0x100, 0x200, 0xB1);
	store32(DEVICE_PACE, 64);	/* so slow that it is still at the first page when all is done */
	copy_prepare(PROCESS, first, BUFFER, 2 * PAGE);
	copy_go();
	while (copy_goes_on() && copy_moved() == 0)
		;
	sv39_unmap(at.root, LARGE, 2);
	revoke(PROCESS, LARGE, SIOMMU_INDEX_BITS);
	copy_end(refusal);
	expect_record(refusal, place, before);
	expect_equal(at.buffer + PAGE - 0x100, there + PAGE - 0x100, 0x100);
	expect_untouched(at.buffer + PAGE, 0x100, 0xB1);
}

void revocation(void)
{
	uint64_t address = TARGET + PAGE;

	chapter("A page is taken away, and another is given.");
	take_away(address, at.target[1]);
	give_another(address, at.target[1]);
	chapter("A page is taken away from a device at work.");
	take_large_away();
}

/* Nothing was lost, and nothing happened that the firmware does not know of. */
void counters(void)
{
	uint64_t faults = counter(SIOMMU_REG_FAULTS_LOW);
	uint64_t lost = counter(SIOMMU_REG_FAULTS_LOST_LOW);
	uint64_t invalidations = counter(SIOMMU_REG_INVALIDATIONS_LOW);
	uint64_t fences = counter(SIOMMU_REG_FENCES_LOW);
	uint32_t errors = load32(BUS_ERRORS);

	chapter("The SIOMMU has counted.");
	print("  faults %u, lost %u, invalidations %u, fences %u, bus errors %u", (uint32_t)faults,
	      (uint32_t)lost, (uint32_t)invalidations, (uint32_t)fences, errors);
	same("faults", faults, refusals());
	same("lost", lost, 0);
	same("records that wait", fault_waits(), 0);
	same("invalidations", invalidations, invalidations_sent());
	same("fences", fences, fences_sent());
	same("bus errors", errors, 0);
	verdict();
}
