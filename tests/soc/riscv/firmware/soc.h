/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system of soc.v: where things are, and how they are accessed. A driver of yours replaces this
 * file by that of its own system.
 */
#ifndef SOC_H
#define SOC_H

#include <stdbool.h>
#include <stdint.h>

/* Address map. Memory addresses are physical: the processor has no MMU of its own. */
#define SYSTEM		0x10000000u
#define DEVICE		0x10010000u
#define SIOMMU		0x10020000u
#define FREE_MEMORY	0x80100000u	/* behind the firmware, see link.ld */
#define LARGE_MEMORY	0x80200000u	/* 2 MiB, aligned to as many: a large page */

#define CONSOLE		(SYSTEM + 0x0)
#define END		(SYSTEM + 0x4)	/* start.S writes it */
#define INTERRUPTS	(SYSTEM + 0x8)
#define BUS_ERRORS	(SYSTEM + 0xC)	/* accesses answered with an error since the last look */

#define FAULT_LINE	0x2u		/* of INTERRUPTS: irq_fault */

/* The device: registers of dma.v. Its requester id is wired to it. */
#define DEVICE_ID	0x0021u
#define DEVICE_PORT	0u		/* dev0 of the SIOMMU */
#define DEVICE_SOURCE	(DEVICE + 0x00)
#define DEVICE_TARGET	(DEVICE + 0x08)
#define DEVICE_BYTES	(DEVICE + 0x10)
#define DEVICE_PASID	(DEVICE + 0x14)
#define DEVICE_TAG	(DEVICE + 0x18)
#define DEVICE_GO	(DEVICE + 0x1C)
#define DEVICE_STATUS	(DEVICE + 0x20)
#define DEVICE_MOVED	(DEVICE + 0x24)
#define DEVICE_REFUSED	(DEVICE + 0x28)	/* 64 bits: the address that was refused */
#define DEVICE_PACE	(DEVICE + 0x30)	/* cycles of rest before each word of 8 bytes */

#define DEVICE_BUSY	0x1u		/* of DEVICE_STATUS */
#define DEVICE_WAS_REFUSED 0x2u
#define DEVICE_WRONG	0x4u		/* a bus error, or an answer that makes no sense */
#define DEVICE_WRITING	0x8u		/* the write was refused, and not the read */

static inline uint32_t load32(uint32_t address)
{
	return *(volatile uint32_t *)(uintptr_t)address;
}

static inline void store32(uint32_t address, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)address = value;
}

/* Two accesses. The SIOMMU's registers must be read low word first; memory may be read anyhow. */
static inline uint64_t load64(uint32_t address)
{
	uint32_t low = load32(address);

	return (uint64_t)load32(address + 4) << 32 | low;
}

/* Two accesses: not for entries of tables, see entry_store() of memory.c. */
static inline void store64(uint32_t address, uint64_t value)
{
	store32(address, (uint32_t)value);
	store32(address + 4, (uint32_t)(value >> 32));
}

/* Registers of the SIOMMU, by their offsets in siommu.h. */
static inline uint32_t rd32(uint32_t offset)
{
	return load32(SIOMMU + offset);
}

static inline void wr32(uint32_t offset, uint32_t value)
{
	store32(SIOMMU + offset, value);
}

/*
 * Earlier stores are seen by whoever sees a later one; later loads are made after earlier ones.
 * PicoRV32 does everything in order and without a cache, so that the compiler alone has to be kept
 * from reordering; a larger processor needs the instruction. If it has caches that the bus does not
 * snoop, wmb() must also clean, and rmb() invalidate, the lines in question.
 */
static inline void wmb(void)
{
	__asm__ volatile("fence ow, ow" ::: "memory");
}

static inline void rmb(void)
{
	__asm__ volatile("fence ir, ir" ::: "memory");
}

#endif
