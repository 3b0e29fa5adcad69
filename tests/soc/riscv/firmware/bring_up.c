/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to the first translation. */
#include "access.h"
#include "chapters.h"
#include "memory.h"
#include "planted.h"
#include "queues.h"
#include "report.h"
#include "soc.h"

struct process at;

/* The right core, and what it can do: bit 6 of CAPS0 tells of RISC-V tables. */
void identify(void)
{
	uint32_t id = rd32(SIOMMU_REG_ID), version = rd32(SIOMMU_REG_VERSION);
	uint32_t capabilities = rd32(SIOMMU_REG_CAPS0);

	chapter("The SIOMMU says what it is.");
	print("  ID %w, VERSION %u.%u", id, SIOMMU_REG_GET(VERSION, MAJOR, version),
	      SIOMMU_REG_GET(VERSION, MINOR, version));
	same("ID", id, SIOMMU__ID__ID_reset);
	same("major", SIOMMU_REG_GET(VERSION, MAJOR, version), 1);
	same("minor is at least 1", SIOMMU_REG_GET(VERSION, MINOR, version) >= 1, true);
	verdict();
	print("  device ports %u, processor port %u, walks %u, RISC-V tables %u",
	      SIOMMU_REG_GET(CAPS0, DEVICE_PORTS, capabilities),
	      SIOMMU_REG_GET(CAPS0, CPU_PORT, capabilities),
	      SIOMMU_REG_GET(CAPS0, WALKS, capabilities),
	      SIOMMU_REG_GET(CAPS0, RISCV_TABLES, capabilities));
	same("a port for the device", SIOMMU_REG_GET(CAPS0, DEVICE_PORTS, capabilities) > DEVICE_PORT,
	     true);
	same("RISC-V tables", SIOMMU_REG_GET(CAPS0, RISCV_TABLES, capabilities), true);
	verdict();
}

/* After reset nothing is granted, so there is no hurry: the tables can be made in peace. */
void before_it_is_on(void)
{
	struct copy refusal = { 0, SIOMMU_CAUSE_CORE_OFF, SIOMMU_DISPOSITION_DENY, READ, SOURCE };

	chapter("It is off, and refuses everything.");
	ask(DEVICE_ID, PROCESS, READ, SOURCE,
	    refused(SIOMMU_CAUSE_CORE_OFF, SIOMMU_DISPOSITION_DENY));
	copy(PROCESS, SOURCE, TARGET, PAGE, refusal);
}

/* Device directory, PASID directory, context; then the process's own table, as its kernel makes it. */
void tables(void)
{
	chapter("The tables are made.");
	at.directory = directory_make();
	at.pasids = device_add(at.directory, DEVICE_ID);
	at.context = context_of(at.pasids, PROCESS);
	at.root = table();
	context_set(at.context, at.root);
	if (PLANTED == NO_TABLE_FORMAT)
		entry_store(at.context, siommu_context_root(at.root, false));
	print("  device directory %w, PASID directory %w\n", at.directory, at.pasids);
	print("  context of PASID 0x%x at %w, root of its table %w\n", PROCESS, at.context, at.root);

	/* Addresses that follow each other may lie anywhere: the pages are mapped in reverse. */
	for (unsigned i = 0; i < 2; i++) {
		at.source[1 - i] = pages(1);
		at.target[1 - i] = pages(1);
	}
	at.buffer = pages(16);
	at.highest = pages(1);
	for (unsigned i = 0; i < 2; i++) {
		sv39_map(at.root, SOURCE + i * PAGE, at.source[i], 1,
			 PLANTED == NO_PROTECTION ? READ_WRITE : READ_ONLY);
		sv39_map(at.root, TARGET + i * PAGE, at.target[i], 1, READ_WRITE);
		print("  page %u of the source at %w, of the target at %w\n", i, at.source[i],
		      at.target[i]);
	}
	sv39_map_napot(at.root, BUFFER, at.buffer, READ_WRITE);
	sv39_map(at.root, LARGE, LARGE_MEMORY, 2, READ_WRITE);
	sv39_map(at.root, HIGHEST, at.highest, 1, READ_WRITE);
	print("  64 KiB at %w, 2 MiB at %w, the highest page at %w\n", at.buffer, LARGE_MEMORY,
	      at.highest);
}

/*
 * The queues come first, so that the first request's fault is recorded already. DDT_BASE is locked
 * while the core is on: a write is answered with an error, and changes nothing.
 */
void switch_on(void)
{
	uint32_t base, errors;

	chapter("It is switched on.");
	queues_start();
	wr32(SIOMMU_REG_DDT_BASE_LOW, at.directory);
	wr32(SIOMMU_REG_DDT_BASE_HIGH, 0);
	wr32(SIOMMU_REG_DDT_LOG2, DIRECTORY_LOG2);
	wmb();					/* the tables are in memory before anybody walks */
	wr32(SIOMMU_REG_CTRL, SIOMMU_REG_PREP(CTRL, MODE, SIOMMU_MODE_TRANSLATE));
	errors = load32(BUS_ERRORS);
	print("  MODE %u, bus errors %u",
	      SIOMMU_REG_GET(CTRL, MODE, rd32(SIOMMU_REG_CTRL)), errors);
	same("MODE", SIOMMU_REG_GET(CTRL, MODE, rd32(SIOMMU_REG_CTRL)), SIOMMU_MODE_TRANSLATE);
	same("bus errors", errors, 0);
	verdict();

	wr32(SIOMMU_REG_DDT_BASE_LOW, 0);
	base = rd32(SIOMMU_REG_DDT_BASE_LOW);
	errors = load32(BUS_ERRORS);
	print("  DDT_BASE is %w after a write that is too late, bus errors %u", base, errors);
	same("DDT_BASE", base, at.directory);
	same("bus errors", errors, 1);
	verdict();
}
