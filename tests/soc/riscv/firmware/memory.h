/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of memory, and the SIOMMU's tables in them: device directory, PASID directory, contexts, and
 * page tables in the format of RISC-V (Sv39). Addresses of memory are physical, and fit 32 bits here.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* `count` pages, aligned to `count` pages, a power of two; they hold anything. A page of zeros, that is
 * of entries that are not valid. Nothing is ever given back. */
uint32_t pages(unsigned count);
uint32_t table(void);

/* Stores an entry of a table that the SIOMMU may read at any moment. */
void entry_store(uint32_t entry, uint64_t value);

/* Fills memory with numbers that differ from word to word, and by `seed`. */
void fill(uint32_t address, uint32_t bytes, uint32_t seed);

/* How many words of 32 bits differ from what fill() has put there; between two places. */
uint32_t unlike(uint32_t address, uint32_t bytes, uint32_t seed);
uint32_t different(uint32_t one, uint32_t other, uint32_t bytes);

/* The directory of all devices, DDT_BASE; it has 2^DIRECTORY_LOG2 entries, which is a page. */
#define DIRECTORY_LOG2	8u
uint32_t directory_make(void);

/* Lets the device use memory, with the processes of a new PASID directory of two levels: all PASIDs.
 * Returns the directory. */
uint32_t device_add(uint32_t directory, uint16_t device);

/* Address of the context of a process. Pages between are made. */
uint32_t context_of(uint32_t pasids, uint32_t pasid);

/* Gives the process a memory table: Sv39, with this root. */
void context_set(uint32_t context, uint32_t root);

/* Address of the entry of level 3, 2 or 1 that decides about a virtual address. Tables between are
 * made. */
uint32_t sv39_entry(uint32_t root, uint64_t address, unsigned level);

enum rights { READ_ONLY, READ_WRITE };

/* Maps a page of level 1 (4 KiB) or 2 (2 MiB); all 16 pages of a NAPOT mapping (64 KiB). */
void sv39_map(uint32_t root, uint64_t address, uint32_t page, unsigned level, enum rights rights);
void sv39_map_napot(uint32_t root, uint64_t address, uint32_t first, enum rights rights);

/* Makes what is mapped at this address absent. Who has it cached must be told: revoke() of queues.h. */
void sv39_unmap(uint32_t root, uint64_t address, unsigned level);

#endif
