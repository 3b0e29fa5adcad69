/* SPDX-License-Identifier: Apache-2.0 */
/* The SIOMMU's command queue, its fences, and its fault queue. */
#include "memory.h"
#include "planted.h"
#include "queues.h"
#include "report.h"
#include "soc.h"

/* Rings of four slots, so that they go round within this short story. Real ones are larger. */
#define COMMANDS_LOG2	2u
#define FAULTS_LOG2	2u
#define PATIENCE	2000u		/* looks until something counts as stuck */

static struct {
	uint32_t ring, tail;
	uint32_t word;			/* address where fences leave their numbers */
	uint32_t number;		/* of the last fence that was sent */
	unsigned invalidations, fences;
} commands;

static struct {
	uint32_t ring, head;
} faults;

static void stuck(const char *what)
{
	print("STUCK: %s\n", what);
	__builtin_trap();		/* ends the simulation; a driver would reset the device */
}

/* BASE and LOG2 may be written while the queue is off. Turning it on makes both indexes 0. */
void queues_start(void)
{
	commands.ring = pages(1);
	commands.word = table();
	commands.tail = 0;
	wr32(SIOMMU_REG_CQ_CTRL, 0);
	wr32(SIOMMU_REG_CQ_BASE_LOW, commands.ring);
	wr32(SIOMMU_REG_CQ_BASE_HIGH, 0);
	wr32(SIOMMU_REG_CQ_LOG2, COMMANDS_LOG2);
	wr32(SIOMMU_REG_CQ_STATUS, ~0u);
	wr32(SIOMMU_REG_CQ_CTRL, SIOMMU__CQ_CTRL__ENABLE_bm);

	faults.ring = pages(1);
	faults.head = 0;
	wr32(SIOMMU_REG_FQ_CTRL, 0);
	wr32(SIOMMU_REG_FQ_BASE_LOW, faults.ring);
	wr32(SIOMMU_REG_FQ_BASE_HIGH, 0);
	wr32(SIOMMU_REG_FQ_LOG2, FAULTS_LOG2);
	wr32(SIOMMU_REG_FQ_STATUS, ~0u);
	wr32(SIOMMU_REG_FQ_QUOTA, siommu_ring_slots(FAULTS_LOG2) - 1);
	wr32(SIOMMU_REG_FQ_CTRL, SIOMMU__FQ_CTRL__ENABLE_bm);
	wr32(SIOMMU_REG_IRQ_ENABLE, SIOMMU__IRQ_ENABLE__FQ_RECORD_bm);
}

/* One command into the ring. The SIOMMU learns of it by command_kick(). */
static void command_put(struct siommu_command command)
{
	uint32_t slot = commands.ring + commands.tail * SIOMMU_COMMAND_BYTES;
	unsigned looks = 0;

	while (siommu_ring_full(rd32(SIOMMU_REG_CQ_HEAD), commands.tail, COMMANDS_LOG2))
		if (++looks == PATIENCE)
			stuck("the command ring stays full");
	store64(slot, command.word[0]);
	store64(slot + 8, command.word[1]);
	commands.tail = siommu_ring_advance(commands.tail, 1, COMMANDS_LOG2);
}

static void command_kick(void)
{
	wmb();				/* the commands are in memory before the tail says so */
	wr32(SIOMMU_REG_CQ_TAIL, commands.tail);
}

/* A fence that was passed is the only proof that the commands before it have taken effect. */
static void fence_wait(void)
{
	unsigned looks = 0;

	while ((int32_t)(load32(commands.word) - commands.number) < 0) {
		if (rd32(SIOMMU_REG_CQ_STATUS) &
		    (SIOMMU__CQ_STATUS__CQ_ILLEGAL_bm | SIOMMU__CQ_STATUS__CQ_ERROR_bm))
			stuck("the command queue reports an error");
		if (++looks == PATIENCE)
			stuck("a fence does not complete");
	}
	rmb();
}

/*
 * The table has been changed before: otherwise a walk could bring the old entry back. The device is
 * not selected, since the process may be known through others as well.
 */
void revoke(uint32_t pasid, uint64_t address, unsigned n)
{
	if (PLANTED == NO_INVALIDATION)
		return;
	if (PLANTED == NO_FENCE)	/* behind another one, so that it matters how long it takes */
		command_put(siommu_cmd_inval_tlb(SIOMMU_BY_PASID, 0, pasid + 1, false, 0, 0));
	command_put(siommu_cmd_inval_tlb(SIOMMU_BY_PASID | SIOMMU_BY_FT | SIOMMU_BY_ADDR, 0, pasid,
					 false, address, n));
	commands.invalidations++;
	commands.number++;
	commands.fences++;
	command_put(siommu_cmd_fence(true, commands.word, commands.number, false));
	command_kick();
	if (PLANTED != NO_FENCE)
		fence_wait();
}

unsigned invalidations_sent(void)
{
	return commands.invalidations;
}

unsigned fences_sent(void)
{
	return commands.fences;
}

bool fault_waits(void)
{
	return !siommu_ring_empty(faults.head, rd32(SIOMMU_REG_FQ_TAIL));
}

/*
 * The device is answered at once, and the record may come a little later. A driver is woken by the
 * interrupt; this one looks at its line, since PicoRV32's interrupts are unlike those of others.
 * The status is cleared before the tail is read: a record that comes between the two raises the line
 * again, and one that comes before is found by the tail. A driver goes on until the ring is empty;
 * here one record is taken for each fault, so that each can be compared.
 */
bool fault_take(struct siommu_fault *fault)
{
	uint64_t record[SIOMMU_RECORD_BYTES / 8];
	unsigned looks = 0;
	uint32_t slot;

	while (!(load32(INTERRUPTS) & FAULT_LINE))
		if (++looks == PATIENCE)
			return false;
	wr32(SIOMMU_REG_FQ_STATUS, SIOMMU__FQ_STATUS__FQ_RECORD_bm);
	if (!fault_waits())
		return false;
	rmb();				/* the record is read after the tail that tells of it */
	slot = faults.ring + faults.head * SIOMMU_RECORD_BYTES;
	for (unsigned i = 0; i < SIOMMU_RECORD_BYTES / 8; i++)
		record[i] = load64(slot + 8 * i);
	*fault = siommu_fault_decode(record);
	faults.head = siommu_ring_advance(faults.head, 1, FAULTS_LOG2);
	wr32(SIOMMU_REG_FQ_HEAD, faults.head);
	return true;
}
