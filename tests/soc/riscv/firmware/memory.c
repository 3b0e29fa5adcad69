/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of memory, and the SIOMMU's tables in them. */
#include "memory.h"
#include "siommu.h"
#include "soc.h"

#define PASID_LEVELS	2u	/* directory levels above the contexts: PASIDs of 20 bits */
#define NAPOT_PAGES	16u

static uint32_t next_page = FREE_MEMORY;

uint32_t pages(unsigned count)
{
	uint32_t bytes = count * SIOMMU_PAGE_BYTES;
	uint32_t first = (next_page + bytes - 1) & ~(bytes - 1);

	next_page = first + bytes;
	if (next_page > LARGE_MEMORY)
		__builtin_trap();	/* ends the simulation */
	return first;
}

uint32_t table(void)
{
	uint32_t page = pages(1);

	for (uint32_t at = page; at < page + SIOMMU_PAGE_BYTES; at += 4)
		store32(at, 0);
	return page;
}

/*
 * The SIOMMU reads an entry whole, but a processor of 32 bits stores it in two halves. The valid bit
 * is in the low one: it is cleared first and set last, so that no walk takes one half of the old
 * entry with one of the new for an answer. A processor of 64 bits needs one store and no care.
 */
void entry_store(uint32_t entry, uint64_t value)
{
	store32(entry, 0);
	wmb();
	store32(entry + 4, (uint32_t)(value >> 32));
	wmb();
	store32(entry, (uint32_t)value);
	wmb();
}

static uint32_t number(uint32_t address, uint32_t seed)
{
	return (address ^ seed) * 0x9E3779B1u;
}

void fill(uint32_t address, uint32_t bytes, uint32_t seed)
{
	for (uint32_t at = address; at < address + bytes; at += 4)
		store32(at, number(at, seed));
}

uint32_t unlike(uint32_t address, uint32_t bytes, uint32_t seed)
{
	uint32_t count = 0;

	for (uint32_t at = address; at < address + bytes; at += 4)
		count += load32(at) != number(at, seed);
	return count;
}

uint32_t different(uint32_t one, uint32_t other, uint32_t bytes)
{
	uint32_t count = 0;

	for (uint32_t at = 0; at < bytes; at += 4)
		count += load32(one + at) != load32(other + at);
	return count;
}

uint32_t directory_make(void)
{
	_Static_assert(SIOMMU_DDT_ENTRY_BYTES << DIRECTORY_LOG2 == SIOMMU_PAGE_BYTES, "one page");
	return table();
}

/* The word with the valid bit is the last one to be stored, here and in a context. */
uint32_t device_add(uint32_t directory, uint16_t device)
{
	uint32_t entry = directory + device * SIOMMU_DDT_ENTRY_BYTES;
	uint32_t pasids = table();

	entry_store(entry + 8, siommu_device_word1(0));		/* no storage behind it */
	entry_store(entry, siommu_device_word0(pasids, PASID_LEVELS,
					       SIOMMU_DEVICE_WORD0_MEM_EN_MASK));
	return pasids;
}

uint32_t context_of(uint32_t pasids, uint32_t pasid)
{
	uint32_t base = pasids;

	for (unsigned level = PASID_LEVELS; level > 0; level--) {
		uint32_t entry = base + siommu_pasid_index(pasid, level) * SIOMMU_ENTRY_BYTES;

		if (!siommu_directory_entry_decode(load64(entry)).v)
			entry_store(entry, siommu_directory_entry(table()));
		base = (uint32_t)(load64(entry) & SIOMMU_DIRECTORY_ENTRY_PFN_MASK);
	}
	return base + siommu_pasid_index(pasid, 0) * SIOMMU_CONTEXT_BYTES;
}

/*
 * Dispositions are this system's policy: a write that is not allowed goes through the operating
 * system, and so OS; what is absent may yet be mapped, and so REMAP. MEM_ABSENT says it for the whole
 * table, because an absent entry of a processor's own table holds what its kernel keeps there.
 */
void context_set(uint32_t context, uint32_t root)
{
	entry_store(context + 8, 0);				/* no storage table */
	entry_store(context + 16,
		    siommu_context_deny(SIOMMU_DISPOSITION_OS, SIOMMU_DISPOSITION_DENY) |
		    siommu_context_absent(SIOMMU_ABSENT_REMAP));
	entry_store(context + 24, 0);
	entry_store(context, siommu_context_riscv_root(root, SIOMMU_TABLEFORMAT_SV39));
}

uint32_t sv39_entry(uint32_t root, uint64_t address, unsigned level)
{
	uint32_t base = root;

	for (unsigned at = 3;; at--) {
		uint32_t entry = base + siommu_table_index(address, at) * SIOMMU_ENTRY_BYTES;

		if (at == level)
			return entry;
		if (!siommu_riscv_entry_decode(load64(entry)).v)
			entry_store(entry, siommu_riscv_table(table()));
		base = (uint32_t)siommu_riscv_entry_decode(load64(entry)).pfn << SIOMMU_PAGE_SHIFT;
	}
}

void sv39_map(uint32_t root, uint64_t address, uint32_t page, unsigned level, enum rights rights)
{
	entry_store(sv39_entry(root, address, level),
		    siommu_riscv_memory(page, level, rights == READ_WRITE));
}

/* All 16 entries are equal: a walk that comes to any of them learns of all. */
void sv39_map_napot(uint32_t root, uint64_t address, uint32_t first, enum rights rights)
{
	for (unsigned page = 0; page < NAPOT_PAGES; page++)
		entry_store(sv39_entry(root, address + page * SIOMMU_PAGE_BYTES, 1),
			    siommu_riscv_napot(first, rights == READ_WRITE));
}

void sv39_unmap(uint32_t root, uint64_t address, unsigned level)
{
	entry_store(sv39_entry(root, address, level), 0);
}
