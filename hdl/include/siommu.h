/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * SIOMMU: what a driver shares with the core. Registers, tables, commands and fault records.
 *
 * Section numbers (§) are those of docs/specification.md. `make generate` writes this file; its
 * numbers come from hdl/siommu/arch/formats.py and hdl/siommu/arch/siommu.rdl. Do not edit it.
 *
 * C11 or C++11, freestanding. Nothing here touches memory or the device. Tables, commands and
 * records lie in memory as little-endian 64-bit words: a big-endian processor swaps each word.
 */

#ifndef SIOMMU_H
#define SIOMMU_H

#include <stdbool.h>
#include <stdint.h>

#include "siommu_regs.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Registers (§7): byte offsets. Masks (_bm) and positions (_bp) of their fields are in
 * siommu_regs.h; SIOMMU_REG_GET(CTRL, MODE, value) takes a field out of a register's value,
 * SIOMMU_REG_PREP(CTRL, MODE, SIOMMU_MODE_TRANSLATE) puts one into its place. Use 32-bit accesses
 * at these offsets. The struct siommu_t of siommu_regs.h is packed: a compiler may split an access
 * to its members.
 */
#define SIOMMU_REG_ID                 0x000u
#define SIOMMU_REG_VERSION            0x004u
#define SIOMMU_REG_CAPS0              0x008u
#define SIOMMU_REG_CAPS1              0x00Cu
#define SIOMMU_REG_CTRL               0x010u
#define SIOMMU_REG_STATUS             0x014u
#define SIOMMU_REG_DDT_BASE_LOW       0x018u
#define SIOMMU_REG_DDT_BASE_HIGH      0x01Cu
#define SIOMMU_REG_DDT_LOG2           0x020u
#define SIOMMU_REG_CQ_BASE_LOW        0x028u
#define SIOMMU_REG_CQ_BASE_HIGH       0x02Cu
#define SIOMMU_REG_CQ_LOG2            0x030u
#define SIOMMU_REG_CQ_HEAD            0x034u
#define SIOMMU_REG_CQ_TAIL            0x038u
#define SIOMMU_REG_CQ_CTRL            0x03Cu
#define SIOMMU_REG_CQ_STATUS          0x040u
#define SIOMMU_REG_FQ_BASE_LOW        0x048u
#define SIOMMU_REG_FQ_BASE_HIGH       0x04Cu
#define SIOMMU_REG_FQ_LOG2            0x050u
#define SIOMMU_REG_FQ_HEAD            0x054u
#define SIOMMU_REG_FQ_TAIL            0x058u
#define SIOMMU_REG_FQ_CTRL            0x05Cu
#define SIOMMU_REG_FQ_STATUS          0x060u
#define SIOMMU_REG_IRQ_ENABLE         0x064u
#define SIOMMU_REG_PORT_ENABLE        0x068u
#define SIOMMU_REG_PORT_STATUS        0x06Cu
#define SIOMMU_REG_FQ_QUOTA           0x070u
#define SIOMMU_REG_DBG_ADDR_LOW       0x080u
#define SIOMMU_REG_DBG_ADDR_HIGH      0x084u
#define SIOMMU_REG_DBG_SOURCE         0x088u
#define SIOMMU_REG_DBG_PASID          0x08Cu
#define SIOMMU_REG_DBG_CTRL           0x090u
#define SIOMMU_REG_DBG_RESULT         0x094u
#define SIOMMU_REG_DBG_PHYS_LOW       0x098u
#define SIOMMU_REG_DBG_PHYS_HIGH      0x09Cu
#define SIOMMU_REG_CYCLES_LOW         0x100u
#define SIOMMU_REG_CYCLES_HIGH        0x104u
#define SIOMMU_REG_REQUESTS_LOW       0x108u
#define SIOMMU_REG_REQUESTS_HIGH      0x10Cu
#define SIOMMU_REG_PAGES_LOW          0x110u
#define SIOMMU_REG_PAGES_HIGH         0x114u
#define SIOMMU_REG_L1_HITS_LOW        0x118u
#define SIOMMU_REG_L1_HITS_HIGH       0x11Cu
#define SIOMMU_REG_L2_HITS_LOW        0x120u
#define SIOMMU_REG_L2_HITS_HIGH       0x124u
#define SIOMMU_REG_MISSES_LOW         0x128u
#define SIOMMU_REG_MISSES_HIGH        0x12Cu
#define SIOMMU_REG_WALKS_LOW          0x130u
#define SIOMMU_REG_WALKS_HIGH         0x134u
#define SIOMMU_REG_TABLE_READS_LOW    0x138u
#define SIOMMU_REG_TABLE_READS_HIGH   0x13Cu
#define SIOMMU_REG_FAULTS_LOW         0x140u
#define SIOMMU_REG_FAULTS_HIGH        0x144u
#define SIOMMU_REG_FAULTS_LOST_LOW    0x148u
#define SIOMMU_REG_FAULTS_LOST_HIGH   0x14Cu
#define SIOMMU_REG_INVALIDATIONS_LOW  0x150u
#define SIOMMU_REG_INVALIDATIONS_HIGH 0x154u
#define SIOMMU_REG_FENCES_LOW         0x158u
#define SIOMMU_REG_FENCES_HIGH        0x15Cu
#define SIOMMU_REG_PREFETCHES_LOW     0x160u
#define SIOMMU_REG_PREFETCHES_HIGH    0x164u
#define SIOMMU_REG_MISS_CYCLES_LOW    0x168u
#define SIOMMU_REG_MISS_CYCLES_HIGH   0x16Cu
#define SIOMMU_REG_STALL_CYCLES_LOW   0x170u
#define SIOMMU_REG_STALL_CYCLES_HIGH  0x174u
#define SIOMMU_REG_COUNTER_CTRL       0x1F8u
#define SIOMMU_REG_COUNTER_OVERFLOW   0x1FCu

#define SIOMMU_REG_GET(reg, field, value) \
	(((uint32_t)(value) & (uint32_t)SIOMMU__##reg##__##field##_bm) >> \
	 SIOMMU__##reg##__##field##_bp)
#define SIOMMU_REG_PREP(reg, field, value) \
	(((uint32_t)(value) << SIOMMU__##reg##__##field##_bp) & \
	 (uint32_t)SIOMMU__##reg##__##field##_bm)

/* Constants. */
#define SIOMMU_PAGE_SHIFT         12u
#define SIOMMU_PAGE_BYTES         4096u
#define SIOMMU_INDEX_BITS         9u
#define SIOMMU_TABLE_ENTRIES      512u
#define SIOMMU_ENTRY_BYTES        8u
#define SIOMMU_DDT_ENTRY_BYTES    16u
#define SIOMMU_CONTEXT_BYTES      32u
#define SIOMMU_MAX_LEVEL          5u
#define SIOMMU_DEVICE_BITS        16u
#define SIOMMU_PASID_BITS         20u
#define SIOMMU_DEVID_BITS         10u
#define SIOMMU_COMMAND_BYTES      16u
#define SIOMMU_RECORD_BYTES       32u
#define SIOMMU_PREFETCH_MAX_N     8u
#define SIOMMU_CONTEXT_INDEX_BITS 7u
#define SIOMMU_DDT_LOG2_MAX       16u
#define SIOMMU_CQ_LOG2_MIN        1u
#define SIOMMU_CQ_LOG2_MAX        15u
#define SIOMMU_FQ_LOG2_MIN        1u
#define SIOMMU_FQ_LOG2_MAX        15u

/* Why a page was not granted (§5). OK is a grant. */
enum siommu_cause {
	SIOMMU_CAUSE_OK              = 0,
	SIOMMU_CAUSE_CORE_OFF        = 1,
	SIOMMU_CAUSE_DEVICE_INVALID  = 2,
	SIOMMU_CAUSE_FT_DISABLED     = 3,
	SIOMMU_CAUSE_PASID_INVALID   = 4,
	SIOMMU_CAUSE_TABLE_ABSENT    = 5,
	SIOMMU_CAUSE_NON_CANONICAL   = 6,
	SIOMMU_CAUSE_NOT_PRESENT     = 7,
	SIOMMU_CAUSE_FT_MISMATCH     = 8,
	SIOMMU_CAUSE_DEVICE_MISMATCH = 9,
	SIOMMU_CAUSE_READ_DENIED     = 10,
	SIOMMU_CAUSE_WRITE_DENIED    = 11,
	SIOMMU_CAUSE_SUPERVISOR      = 12,
	SIOMMU_CAUSE_ENTRY_RESERVED  = 13,
	SIOMMU_CAUSE_TABLE_ERROR     = 14,
	SIOMMU_CAUSE_ACCESS_FLAG     = 15,
};

/* How software wants a fault handled (§5). The encoding 3 is reported as DENY. */
enum siommu_disposition {
	SIOMMU_DISPOSITION_DENY  = 0,
	SIOMMU_DISPOSITION_OS    = 1,
	SIOMMU_DISPOSITION_REMAP = 2,
};

/*
 * What a context says of absent entries of its memory table (§3.2): NOT_PRESENT has this
 * disposition whatever the entry says, unless it is left to the entry.
 */
enum siommu_absent {
	SIOMMU_ABSENT_BY_ENTRY = 0,
	SIOMMU_ABSENT_OS       = 1,
	SIOMMU_ABSENT_REMAP    = 2,
	SIOMMU_ABSENT_DENY     = 3,
};

/* The mapping behind a run's first page (§2.1, rsp_size). */
enum siommu_size {
	SIOMMU_SIZE_PAGE_4K = 0,
	SIOMMU_SIZE_PAGE_2M = 1,
	SIOMMU_SIZE_PAGE_1G = 2,
	SIOMMU_SIZE_BYPASS  = 3,
};

/* CTRL.MODE (§7). The encoding 3 acts as ABORT. */
enum siommu_mode {
	SIOMMU_MODE_ABORT     = 0,
	SIOMMU_MODE_TRANSLATE = 1,
	SIOMMU_MODE_BYPASS    = 2,
};

/* What a command asks for (§6). Any other value is illegal. */
enum siommu_opcode {
	SIOMMU_OPCODE_INVAL_TLB     = 1,
	SIOMMU_OPCODE_INVAL_CONTEXT = 2,
	SIOMMU_OPCODE_FENCE         = 3,
	SIOMMU_OPCODE_PREFETCH      = 4,
};

/* The format of a memory table (§3.2, MEM_FMT). */
enum siommu_tableformat {
	SIOMMU_TABLEFORMAT_X86  = 0,
	SIOMMU_TABLEFORMAT_SV39 = 1,
	SIOMMU_TABLEFORMAT_SV48 = 2,
	SIOMMU_TABLEFORMAT_SV57 = 3,
};

/* The name, or "?" for a number that is none. */
static inline const char *siommu_cause_name(unsigned cause)
{
	switch (cause) {
	case SIOMMU_CAUSE_OK:
		return "OK";
	case SIOMMU_CAUSE_CORE_OFF:
		return "CORE_OFF";
	case SIOMMU_CAUSE_DEVICE_INVALID:
		return "DEVICE_INVALID";
	case SIOMMU_CAUSE_FT_DISABLED:
		return "FT_DISABLED";
	case SIOMMU_CAUSE_PASID_INVALID:
		return "PASID_INVALID";
	case SIOMMU_CAUSE_TABLE_ABSENT:
		return "TABLE_ABSENT";
	case SIOMMU_CAUSE_NON_CANONICAL:
		return "NON_CANONICAL";
	case SIOMMU_CAUSE_NOT_PRESENT:
		return "NOT_PRESENT";
	case SIOMMU_CAUSE_FT_MISMATCH:
		return "FT_MISMATCH";
	case SIOMMU_CAUSE_DEVICE_MISMATCH:
		return "DEVICE_MISMATCH";
	case SIOMMU_CAUSE_READ_DENIED:
		return "READ_DENIED";
	case SIOMMU_CAUSE_WRITE_DENIED:
		return "WRITE_DENIED";
	case SIOMMU_CAUSE_SUPERVISOR:
		return "SUPERVISOR";
	case SIOMMU_CAUSE_ENTRY_RESERVED:
		return "ENTRY_RESERVED";
	case SIOMMU_CAUSE_TABLE_ERROR:
		return "TABLE_ERROR";
	case SIOMMU_CAUSE_ACCESS_FLAG:
		return "ACCESS_FLAG";
	default:
		return "?";
	}
}

/* The name, or "?" for a number that is none. */
static inline const char *siommu_disposition_name(unsigned disposition)
{
	switch (disposition) {
	case SIOMMU_DISPOSITION_DENY:
		return "DENY";
	case SIOMMU_DISPOSITION_OS:
		return "OS";
	case SIOMMU_DISPOSITION_REMAP:
		return "REMAP";
	default:
		return "?";
	}
}

/*
 * Words in memory. Of every field there is the position (_SHIFT) and the mask in its place (_MASK);
 * of every word a struct (_fields), an encoder that drops bits which do not fit into a field,
 * and a decoder. Bits in a _RESERVED_MASK must be 0; those in an _IGNORED_MASK may hold anything.
 * The encoders leave both 0.
 *
 * SIOMMU_FIELD_GET(TABLE_ENTRY_PFN, word) takes one field out of a word,
 * SIOMMU_FIELD_PREP(TABLE_ENTRY_PFN, value) puts one into its place.
 */
#define SIOMMU_FIELD_GET(field, word) \
	(((uint64_t)(word) & SIOMMU_##field##_MASK) >> SIOMMU_##field##_SHIFT)
#define SIOMMU_FIELD_PREP(field, value) \
	(((uint64_t)(value) << SIOMMU_##field##_SHIFT) & SIOMMU_##field##_MASK)

/* §3.1 Device directory */

/* Word 0 of a device directory entry (§3.1). */
#define SIOMMU_DEVICE_WORD0_V_SHIFT          0
#define SIOMMU_DEVICE_WORD0_V_MASK           UINT64_C(0x1)
#define SIOMMU_DEVICE_WORD0_MEM_EN_SHIFT     1
#define SIOMMU_DEVICE_WORD0_MEM_EN_MASK      UINT64_C(0x2)
#define SIOMMU_DEVICE_WORD0_STO_EN_SHIFT     2
#define SIOMMU_DEVICE_WORD0_STO_EN_MASK      UINT64_C(0x4)
#define SIOMMU_DEVICE_WORD0_MEM_BYPASS_SHIFT 3
#define SIOMMU_DEVICE_WORD0_MEM_BYPASS_MASK  UINT64_C(0x8)
#define SIOMMU_DEVICE_WORD0_STO_BYPASS_SHIFT 4
#define SIOMMU_DEVICE_WORD0_STO_BYPASS_MASK  UINT64_C(0x10)
#define SIOMMU_DEVICE_WORD0_QUIET_SHIFT      5
#define SIOMMU_DEVICE_WORD0_QUIET_MASK       UINT64_C(0x20)
#define SIOMMU_DEVICE_WORD0_PDT_LEVELS_SHIFT 6
#define SIOMMU_DEVICE_WORD0_PDT_LEVELS_MASK  UINT64_C(0xc0)
#define SIOMMU_DEVICE_WORD0_PDT_PFN_SHIFT    12
#define SIOMMU_DEVICE_WORD0_PDT_PFN_MASK     UINT64_C(0xffffffffff000)
#define SIOMMU_DEVICE_WORD0_RESERVED_MASK    UINT64_C(0xfff0000000000f00)

struct siommu_device_word0_fields {
	bool v;
	bool mem_en;
	bool sto_en;
	bool mem_bypass;
	bool sto_bypass;
	bool quiet;
	uint8_t pdt_levels;
	uint64_t pdt_pfn;
};

static inline uint64_t siommu_device_word0_encode(struct siommu_device_word0_fields fields)
{
	return SIOMMU_FIELD_PREP(DEVICE_WORD0_V, fields.v) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_MEM_EN, fields.mem_en) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_STO_EN, fields.sto_en) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_MEM_BYPASS, fields.mem_bypass) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_STO_BYPASS, fields.sto_bypass) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_QUIET, fields.quiet) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_PDT_LEVELS, fields.pdt_levels) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_PDT_PFN, fields.pdt_pfn);
}

static inline struct siommu_device_word0_fields siommu_device_word0_decode(uint64_t word)
{
	struct siommu_device_word0_fields fields;

	fields.v = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_V, word);
	fields.mem_en = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_MEM_EN, word);
	fields.sto_en = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_STO_EN, word);
	fields.mem_bypass = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_MEM_BYPASS, word);
	fields.sto_bypass = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_STO_BYPASS, word);
	fields.quiet = (bool)SIOMMU_FIELD_GET(DEVICE_WORD0_QUIET, word);
	fields.pdt_levels = (uint8_t)SIOMMU_FIELD_GET(DEVICE_WORD0_PDT_LEVELS, word);
	fields.pdt_pfn = (uint64_t)SIOMMU_FIELD_GET(DEVICE_WORD0_PDT_PFN, word);
	return fields;
}

/* Word 1 of a device directory entry (§3.1). */
#define SIOMMU_DEVICE_WORD1_DEVID_SHIFT   0
#define SIOMMU_DEVICE_WORD1_DEVID_MASK    UINT64_C(0x3ff)
#define SIOMMU_DEVICE_WORD1_RESERVED_MASK UINT64_C(0xfffffffffffffc00)

struct siommu_device_word1_fields {
	uint16_t devid;
};

static inline uint64_t siommu_device_word1_encode(struct siommu_device_word1_fields fields)
{
	return SIOMMU_FIELD_PREP(DEVICE_WORD1_DEVID, fields.devid);
}

static inline struct siommu_device_word1_fields siommu_device_word1_decode(uint64_t word)
{
	struct siommu_device_word1_fields fields;

	fields.devid = (uint16_t)SIOMMU_FIELD_GET(DEVICE_WORD1_DEVID, word);
	return fields;
}

/* §3.2 PASID directory and contexts */

/* An entry of the PASID directory (§3.2). */
#define SIOMMU_DIRECTORY_ENTRY_V_SHIFT       0
#define SIOMMU_DIRECTORY_ENTRY_V_MASK        UINT64_C(0x1)
#define SIOMMU_DIRECTORY_ENTRY_PFN_SHIFT     12
#define SIOMMU_DIRECTORY_ENTRY_PFN_MASK      UINT64_C(0xffffffffff000)
#define SIOMMU_DIRECTORY_ENTRY_RESERVED_MASK UINT64_C(0xfff0000000000ffe)

struct siommu_directory_entry_fields {
	bool v;
	uint64_t pfn;
};

static inline uint64_t siommu_directory_entry_encode(struct siommu_directory_entry_fields fields)
{
	return SIOMMU_FIELD_PREP(DIRECTORY_ENTRY_V, fields.v) |
	       SIOMMU_FIELD_PREP(DIRECTORY_ENTRY_PFN, fields.pfn);
}

static inline struct siommu_directory_entry_fields siommu_directory_entry_decode(uint64_t word)
{
	struct siommu_directory_entry_fields fields;

	fields.v = (bool)SIOMMU_FIELD_GET(DIRECTORY_ENTRY_V, word);
	fields.pfn = (uint64_t)SIOMMU_FIELD_GET(DIRECTORY_ENTRY_PFN, word);
	return fields;
}

/*
 * Word 0 (memory table) or word 1 (storage table) of a PASID context (§3.2). fmt, a
 * TableFormat, is reserved in word 1, and in word 0 of a core without RISC-V tables.
 */
#define SIOMMU_CONTEXT_ROOT_V_SHIFT       0
#define SIOMMU_CONTEXT_ROOT_V_MASK        UINT64_C(0x1)
#define SIOMMU_CONTEXT_ROOT_L5_SHIFT      1
#define SIOMMU_CONTEXT_ROOT_L5_MASK       UINT64_C(0x2)
#define SIOMMU_CONTEXT_ROOT_FMT_SHIFT     2
#define SIOMMU_CONTEXT_ROOT_FMT_MASK      UINT64_C(0xc)
#define SIOMMU_CONTEXT_ROOT_ROOT_SHIFT    12
#define SIOMMU_CONTEXT_ROOT_ROOT_MASK     UINT64_C(0xffffffffff000)
#define SIOMMU_CONTEXT_ROOT_RESERVED_MASK UINT64_C(0xfff0000000000ff0)

struct siommu_context_root_fields {
	bool v;
	bool l5;
	uint8_t fmt;
	uint64_t root;
};

static inline uint64_t siommu_context_root_encode(struct siommu_context_root_fields fields)
{
	return SIOMMU_FIELD_PREP(CONTEXT_ROOT_V, fields.v) |
	       SIOMMU_FIELD_PREP(CONTEXT_ROOT_L5, fields.l5) |
	       SIOMMU_FIELD_PREP(CONTEXT_ROOT_FMT, fields.fmt) |
	       SIOMMU_FIELD_PREP(CONTEXT_ROOT_ROOT, fields.root);
}

static inline struct siommu_context_root_fields siommu_context_root_decode(uint64_t word)
{
	struct siommu_context_root_fields fields;

	fields.v = (bool)SIOMMU_FIELD_GET(CONTEXT_ROOT_V, word);
	fields.l5 = (bool)SIOMMU_FIELD_GET(CONTEXT_ROOT_L5, word);
	fields.fmt = (uint8_t)SIOMMU_FIELD_GET(CONTEXT_ROOT_FMT, word);
	fields.root = (uint64_t)SIOMMU_FIELD_GET(CONTEXT_ROOT_ROOT, word);
	return fields;
}

/*
 * Word 2 of a PASID context: dispositions of permission faults, and of what is absent from the
 * memory table, an Absent (§3.2).
 */
#define SIOMMU_CONTEXT_DENY_MEM_DENY_SHIFT   0
#define SIOMMU_CONTEXT_DENY_MEM_DENY_MASK    UINT64_C(0x3)
#define SIOMMU_CONTEXT_DENY_STO_DENY_SHIFT   2
#define SIOMMU_CONTEXT_DENY_STO_DENY_MASK    UINT64_C(0xc)
#define SIOMMU_CONTEXT_DENY_MEM_ABSENT_SHIFT 4
#define SIOMMU_CONTEXT_DENY_MEM_ABSENT_MASK  UINT64_C(0x30)
#define SIOMMU_CONTEXT_DENY_RESERVED_MASK    UINT64_C(0xffffffffffffffc0)

struct siommu_context_deny_fields {
	uint8_t mem_deny;
	uint8_t sto_deny;
	uint8_t mem_absent;
};

static inline uint64_t siommu_context_deny_encode(struct siommu_context_deny_fields fields)
{
	return SIOMMU_FIELD_PREP(CONTEXT_DENY_MEM_DENY, fields.mem_deny) |
	       SIOMMU_FIELD_PREP(CONTEXT_DENY_STO_DENY, fields.sto_deny) |
	       SIOMMU_FIELD_PREP(CONTEXT_DENY_MEM_ABSENT, fields.mem_absent);
}

static inline struct siommu_context_deny_fields siommu_context_deny_decode(uint64_t word)
{
	struct siommu_context_deny_fields fields;

	fields.mem_deny = (uint8_t)SIOMMU_FIELD_GET(CONTEXT_DENY_MEM_DENY, word);
	fields.sto_deny = (uint8_t)SIOMMU_FIELD_GET(CONTEXT_DENY_STO_DENY, word);
	fields.mem_absent = (uint8_t)SIOMMU_FIELD_GET(CONTEXT_DENY_MEM_ABSENT, word);
	return fields;
}

/* §3.3 Page tables */

/*
 * An entry of a page table, memory or file (§3.3). With p = 0 the bits of w and u are the
 * entry's disposition and all others are software's. pfn of a 2 MiB (1 GiB) leaf has its low 9
 * (18) bits reserved, but for bit 0, which is ignored.
 */
#define SIOMMU_TABLE_ENTRY_P_SHIFT      0
#define SIOMMU_TABLE_ENTRY_P_MASK       UINT64_C(0x1)
#define SIOMMU_TABLE_ENTRY_W_SHIFT      1
#define SIOMMU_TABLE_ENTRY_W_MASK       UINT64_C(0x2)
#define SIOMMU_TABLE_ENTRY_U_SHIFT      2
#define SIOMMU_TABLE_ENTRY_U_MASK       UINT64_C(0x4)
#define SIOMMU_TABLE_ENTRY_A_SHIFT      5
#define SIOMMU_TABLE_ENTRY_A_MASK       UINT64_C(0x20)
#define SIOMMU_TABLE_ENTRY_D_SHIFT      6
#define SIOMMU_TABLE_ENTRY_D_MASK       UINT64_C(0x40)
#define SIOMMU_TABLE_ENTRY_PS_SHIFT     7
#define SIOMMU_TABLE_ENTRY_PS_MASK      UINT64_C(0x80)
#define SIOMMU_TABLE_ENTRY_NR_SHIFT     9
#define SIOMMU_TABLE_ENTRY_NR_MASK      UINT64_C(0x200)
#define SIOMMU_TABLE_ENTRY_FT_SHIFT     10
#define SIOMMU_TABLE_ENTRY_FT_MASK      UINT64_C(0x400)
#define SIOMMU_TABLE_ENTRY_PFN_SHIFT    12
#define SIOMMU_TABLE_ENTRY_PFN_MASK     UINT64_C(0xffffffffff000)
#define SIOMMU_TABLE_ENTRY_DEVID_SHIFT  52
#define SIOMMU_TABLE_ENTRY_DEVID_MASK   UINT64_C(0x3ff0000000000000)
#define SIOMMU_TABLE_ENTRY_IGNORED_MASK UINT64_C(0xc000000000000918)

struct siommu_table_entry_fields {
	bool p;
	bool w;
	bool u;
	bool a;
	bool d;
	bool ps;
	bool nr;
	bool ft;
	uint64_t pfn;
	uint16_t devid;
};

static inline uint64_t siommu_table_entry_encode(struct siommu_table_entry_fields fields)
{
	return SIOMMU_FIELD_PREP(TABLE_ENTRY_P, fields.p) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_W, fields.w) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_U, fields.u) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_A, fields.a) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_D, fields.d) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_PS, fields.ps) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_NR, fields.nr) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_FT, fields.ft) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_PFN, fields.pfn) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_DEVID, fields.devid);
}

static inline struct siommu_table_entry_fields siommu_table_entry_decode(uint64_t word)
{
	struct siommu_table_entry_fields fields;

	fields.p = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_P, word);
	fields.w = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_W, word);
	fields.u = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_U, word);
	fields.a = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_A, word);
	fields.d = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_D, word);
	fields.ps = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_PS, word);
	fields.nr = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_NR, word);
	fields.ft = (bool)SIOMMU_FIELD_GET(TABLE_ENTRY_FT, word);
	fields.pfn = (uint64_t)SIOMMU_FIELD_GET(TABLE_ENTRY_PFN, word);
	fields.devid = (uint16_t)SIOMMU_FIELD_GET(TABLE_ENTRY_DEVID, word);
	return fields;
}

/* §3.4 RISC-V page tables */

/*
 * An entry of a RISC-V page table, Sv39, Sv48 or Sv57 (§3.4). With v = 0 the bits of r and w
 * are the entry's disposition and all others are software's. With r, w and x = 0 it points to
 * the next table.
 */
#define SIOMMU_RISCV_ENTRY_V_SHIFT       0
#define SIOMMU_RISCV_ENTRY_V_MASK        UINT64_C(0x1)
#define SIOMMU_RISCV_ENTRY_R_SHIFT       1
#define SIOMMU_RISCV_ENTRY_R_MASK        UINT64_C(0x2)
#define SIOMMU_RISCV_ENTRY_W_SHIFT       2
#define SIOMMU_RISCV_ENTRY_W_MASK        UINT64_C(0x4)
#define SIOMMU_RISCV_ENTRY_X_SHIFT       3
#define SIOMMU_RISCV_ENTRY_X_MASK        UINT64_C(0x8)
#define SIOMMU_RISCV_ENTRY_U_SHIFT       4
#define SIOMMU_RISCV_ENTRY_U_MASK        UINT64_C(0x10)
#define SIOMMU_RISCV_ENTRY_A_SHIFT       6
#define SIOMMU_RISCV_ENTRY_A_MASK        UINT64_C(0x40)
#define SIOMMU_RISCV_ENTRY_D_SHIFT       7
#define SIOMMU_RISCV_ENTRY_D_MASK        UINT64_C(0x80)
#define SIOMMU_RISCV_ENTRY_PFN_SHIFT     10
#define SIOMMU_RISCV_ENTRY_PFN_MASK      UINT64_C(0x3fffffffffc00)
#define SIOMMU_RISCV_ENTRY_PBMT_SHIFT    61
#define SIOMMU_RISCV_ENTRY_PBMT_MASK     UINT64_C(0x6000000000000000)
#define SIOMMU_RISCV_ENTRY_N_SHIFT       63
#define SIOMMU_RISCV_ENTRY_N_MASK        UINT64_C(0x8000000000000000)
#define SIOMMU_RISCV_ENTRY_RESERVED_MASK UINT64_C(0x1ffc000000000000)
#define SIOMMU_RISCV_ENTRY_IGNORED_MASK  UINT64_C(0x320)

struct siommu_riscv_entry_fields {
	bool v;
	bool r;
	bool w;
	bool x;
	bool u;
	bool a;
	bool d;
	uint64_t pfn;
	uint8_t pbmt;
	bool n;
};

static inline uint64_t siommu_riscv_entry_encode(struct siommu_riscv_entry_fields fields)
{
	return SIOMMU_FIELD_PREP(RISCV_ENTRY_V, fields.v) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_R, fields.r) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_W, fields.w) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_X, fields.x) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_U, fields.u) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_A, fields.a) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_D, fields.d) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_PFN, fields.pfn) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_PBMT, fields.pbmt) |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_N, fields.n);
}

static inline struct siommu_riscv_entry_fields siommu_riscv_entry_decode(uint64_t word)
{
	struct siommu_riscv_entry_fields fields;

	fields.v = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_V, word);
	fields.r = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_R, word);
	fields.w = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_W, word);
	fields.x = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_X, word);
	fields.u = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_U, word);
	fields.a = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_A, word);
	fields.d = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_D, word);
	fields.pfn = (uint64_t)SIOMMU_FIELD_GET(RISCV_ENTRY_PFN, word);
	fields.pbmt = (uint8_t)SIOMMU_FIELD_GET(RISCV_ENTRY_PBMT, word);
	fields.n = (bool)SIOMMU_FIELD_GET(RISCV_ENTRY_N, word);
	return fields;
}

/* §5.1 Fault records */

/*
 * Word 0 of a fault record (§5.1). level is 1 to 5 for a page table, 6 for the PASID directory
 * or a context, 7 for the device directory, 0 where no entry decided. Word 1 is the faulting
 * input address, word 2 the address of the entry that ended the walk, word 3 the value of the
 * counter cycles.
 */
#define SIOMMU_FAULT_WORD0_CAUSE_SHIFT       0
#define SIOMMU_FAULT_WORD0_CAUSE_MASK        UINT64_C(0xff)
#define SIOMMU_FAULT_WORD0_DISPOSITION_SHIFT 8
#define SIOMMU_FAULT_WORD0_DISPOSITION_MASK  UINT64_C(0x300)
#define SIOMMU_FAULT_WORD0_WRITE_SHIFT       10
#define SIOMMU_FAULT_WORD0_WRITE_MASK        UINT64_C(0x400)
#define SIOMMU_FAULT_WORD0_FT_SHIFT          11
#define SIOMMU_FAULT_WORD0_FT_MASK           UINT64_C(0x800)
#define SIOMMU_FAULT_WORD0_LEVEL_SHIFT       12
#define SIOMMU_FAULT_WORD0_LEVEL_MASK        UINT64_C(0x7000)
#define SIOMMU_FAULT_WORD0_DEVICE_SHIFT      16
#define SIOMMU_FAULT_WORD0_DEVICE_MASK       UINT64_C(0xffff0000)
#define SIOMMU_FAULT_WORD0_PASID_SHIFT       32
#define SIOMMU_FAULT_WORD0_PASID_MASK        UINT64_C(0xfffff00000000)
#define SIOMMU_FAULT_WORD0_TAG_SHIFT         52
#define SIOMMU_FAULT_WORD0_TAG_MASK          UINT64_C(0xff0000000000000)
#define SIOMMU_FAULT_WORD0_PORT_SHIFT        60
#define SIOMMU_FAULT_WORD0_PORT_MASK         UINT64_C(0xf000000000000000)
#define SIOMMU_FAULT_WORD0_ZERO_MASK         UINT64_C(0x8000)

struct siommu_fault_word0_fields {
	uint8_t cause;
	uint8_t disposition;
	bool write;
	bool ft;
	uint8_t level;
	uint16_t device;
	uint32_t pasid;
	uint8_t tag;
	uint8_t port;
};

static inline uint64_t siommu_fault_word0_encode(struct siommu_fault_word0_fields fields)
{
	return SIOMMU_FIELD_PREP(FAULT_WORD0_CAUSE, fields.cause) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_DISPOSITION, fields.disposition) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_WRITE, fields.write) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_FT, fields.ft) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_LEVEL, fields.level) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_DEVICE, fields.device) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_PASID, fields.pasid) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_TAG, fields.tag) |
	       SIOMMU_FIELD_PREP(FAULT_WORD0_PORT, fields.port);
}

static inline struct siommu_fault_word0_fields siommu_fault_word0_decode(uint64_t word)
{
	struct siommu_fault_word0_fields fields;

	fields.cause = (uint8_t)SIOMMU_FIELD_GET(FAULT_WORD0_CAUSE, word);
	fields.disposition = (uint8_t)SIOMMU_FIELD_GET(FAULT_WORD0_DISPOSITION, word);
	fields.write = (bool)SIOMMU_FIELD_GET(FAULT_WORD0_WRITE, word);
	fields.ft = (bool)SIOMMU_FIELD_GET(FAULT_WORD0_FT, word);
	fields.level = (uint8_t)SIOMMU_FIELD_GET(FAULT_WORD0_LEVEL, word);
	fields.device = (uint16_t)SIOMMU_FIELD_GET(FAULT_WORD0_DEVICE, word);
	fields.pasid = (uint32_t)SIOMMU_FIELD_GET(FAULT_WORD0_PASID, word);
	fields.tag = (uint8_t)SIOMMU_FIELD_GET(FAULT_WORD0_TAG, word);
	fields.port = (uint8_t)SIOMMU_FIELD_GET(FAULT_WORD0_PORT, word);
	return fields;
}

/* §6 Commands */

/*
 * Word 0 of INVAL_TLB, INVAL_CONTEXT and PREFETCH (§6). The by_ bits select what an INVAL goes
 * by: only what agrees with all selected operands is dropped. n: the command is for 2^n pages.
 * INVAL_CONTEXT has no FT, address and n, PREFETCH no selectors; they are ignored there.
 */
#define SIOMMU_COMMAND_WORD0_OPCODE_SHIFT    0
#define SIOMMU_COMMAND_WORD0_OPCODE_MASK     UINT64_C(0xff)
#define SIOMMU_COMMAND_WORD0_BY_DEVICE_SHIFT 8
#define SIOMMU_COMMAND_WORD0_BY_DEVICE_MASK  UINT64_C(0x100)
#define SIOMMU_COMMAND_WORD0_BY_PASID_SHIFT  9
#define SIOMMU_COMMAND_WORD0_BY_PASID_MASK   UINT64_C(0x200)
#define SIOMMU_COMMAND_WORD0_BY_FT_SHIFT     10
#define SIOMMU_COMMAND_WORD0_BY_FT_MASK      UINT64_C(0x400)
#define SIOMMU_COMMAND_WORD0_BY_ADDR_SHIFT   11
#define SIOMMU_COMMAND_WORD0_BY_ADDR_MASK    UINT64_C(0x800)
#define SIOMMU_COMMAND_WORD0_FT_SHIFT        12
#define SIOMMU_COMMAND_WORD0_FT_MASK         UINT64_C(0x1000)
#define SIOMMU_COMMAND_WORD0_DEVICE_SHIFT    16
#define SIOMMU_COMMAND_WORD0_DEVICE_MASK     UINT64_C(0xffff0000)
#define SIOMMU_COMMAND_WORD0_PASID_SHIFT     32
#define SIOMMU_COMMAND_WORD0_PASID_MASK      UINT64_C(0xfffff00000000)
#define SIOMMU_COMMAND_WORD0_N_SHIFT         52
#define SIOMMU_COMMAND_WORD0_N_MASK          UINT64_C(0x3f0000000000000)
#define SIOMMU_COMMAND_WORD0_IGNORED_MASK    UINT64_C(0xfc0000000000e000)

struct siommu_command_word0_fields {
	uint8_t opcode;
	bool by_device;
	bool by_pasid;
	bool by_ft;
	bool by_addr;
	bool ft;
	uint16_t device;
	uint32_t pasid;
	uint8_t n;
};

static inline uint64_t siommu_command_word0_encode(struct siommu_command_word0_fields fields)
{
	return SIOMMU_FIELD_PREP(COMMAND_WORD0_OPCODE, fields.opcode) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_BY_DEVICE, fields.by_device) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_BY_PASID, fields.by_pasid) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_BY_FT, fields.by_ft) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_BY_ADDR, fields.by_addr) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_FT, fields.ft) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_DEVICE, fields.device) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_PASID, fields.pasid) |
	       SIOMMU_FIELD_PREP(COMMAND_WORD0_N, fields.n);
}

static inline struct siommu_command_word0_fields siommu_command_word0_decode(uint64_t word)
{
	struct siommu_command_word0_fields fields;

	fields.opcode = (uint8_t)SIOMMU_FIELD_GET(COMMAND_WORD0_OPCODE, word);
	fields.by_device = (bool)SIOMMU_FIELD_GET(COMMAND_WORD0_BY_DEVICE, word);
	fields.by_pasid = (bool)SIOMMU_FIELD_GET(COMMAND_WORD0_BY_PASID, word);
	fields.by_ft = (bool)SIOMMU_FIELD_GET(COMMAND_WORD0_BY_FT, word);
	fields.by_addr = (bool)SIOMMU_FIELD_GET(COMMAND_WORD0_BY_ADDR, word);
	fields.ft = (bool)SIOMMU_FIELD_GET(COMMAND_WORD0_FT, word);
	fields.device = (uint16_t)SIOMMU_FIELD_GET(COMMAND_WORD0_DEVICE, word);
	fields.pasid = (uint32_t)SIOMMU_FIELD_GET(COMMAND_WORD0_PASID, word);
	fields.n = (uint8_t)SIOMMU_FIELD_GET(COMMAND_WORD0_N, word);
	return fields;
}

/* Word 0 of FENCE (§6): store writes data to the address in word 1, signal raises CQ_FENCE. */
#define SIOMMU_FENCE_WORD0_OPCODE_SHIFT 0
#define SIOMMU_FENCE_WORD0_OPCODE_MASK  UINT64_C(0xff)
#define SIOMMU_FENCE_WORD0_STORE_SHIFT  8
#define SIOMMU_FENCE_WORD0_STORE_MASK   UINT64_C(0x100)
#define SIOMMU_FENCE_WORD0_SIGNAL_SHIFT 9
#define SIOMMU_FENCE_WORD0_SIGNAL_MASK  UINT64_C(0x200)
#define SIOMMU_FENCE_WORD0_DATA_SHIFT   32
#define SIOMMU_FENCE_WORD0_DATA_MASK    UINT64_C(0xffffffff00000000)
#define SIOMMU_FENCE_WORD0_IGNORED_MASK UINT64_C(0xfffffc00)

struct siommu_fence_word0_fields {
	uint8_t opcode;
	bool store;
	bool signal;
	uint32_t data;
};

static inline uint64_t siommu_fence_word0_encode(struct siommu_fence_word0_fields fields)
{
	return SIOMMU_FIELD_PREP(FENCE_WORD0_OPCODE, fields.opcode) |
	       SIOMMU_FIELD_PREP(FENCE_WORD0_STORE, fields.store) |
	       SIOMMU_FIELD_PREP(FENCE_WORD0_SIGNAL, fields.signal) |
	       SIOMMU_FIELD_PREP(FENCE_WORD0_DATA, fields.data);
}

static inline struct siommu_fence_word0_fields siommu_fence_word0_decode(uint64_t word)
{
	struct siommu_fence_word0_fields fields;

	fields.opcode = (uint8_t)SIOMMU_FIELD_GET(FENCE_WORD0_OPCODE, word);
	fields.store = (bool)SIOMMU_FIELD_GET(FENCE_WORD0_STORE, word);
	fields.signal = (bool)SIOMMU_FIELD_GET(FENCE_WORD0_SIGNAL, word);
	fields.data = (uint32_t)SIOMMU_FIELD_GET(FENCE_WORD0_DATA, word);
	return fields;
}

/* Word 1 of a command (§6). offset is 0 but for the address of a fence's store. */
#define SIOMMU_COMMAND_ADDRESS_OFFSET_SHIFT 0
#define SIOMMU_COMMAND_ADDRESS_OFFSET_MASK  UINT64_C(0xfff)
#define SIOMMU_COMMAND_ADDRESS_PAGE_SHIFT   12
#define SIOMMU_COMMAND_ADDRESS_PAGE_MASK    UINT64_C(0xfffffffffffff000)

struct siommu_command_address_fields {
	uint16_t offset;
	uint64_t page;
};

static inline uint64_t siommu_command_address_encode(struct siommu_command_address_fields fields)
{
	return SIOMMU_FIELD_PREP(COMMAND_ADDRESS_OFFSET, fields.offset) |
	       SIOMMU_FIELD_PREP(COMMAND_ADDRESS_PAGE, fields.page);
}

static inline struct siommu_command_address_fields siommu_command_address_decode(uint64_t word)
{
	struct siommu_command_address_fields fields;

	fields.offset = (uint16_t)SIOMMU_FIELD_GET(COMMAND_ADDRESS_OFFSET, word);
	fields.page = (uint64_t)SIOMMU_FIELD_GET(COMMAND_ADDRESS_PAGE, word);
	return fields;
}

/* ---- tables (§3) ---------------------------------------------------------------------------- */

/* Word 0 of a device entry: `flags` is an OR of SIOMMU_DEVICE_WORD0_*_MASK, V is set anyway. */
static inline uint64_t siommu_device_word0(uint64_t directory, unsigned pdt_levels, uint64_t flags)
{
	return SIOMMU_DEVICE_WORD0_V_MASK | flags |
	       (directory & SIOMMU_DEVICE_WORD0_PDT_PFN_MASK) |
	       SIOMMU_FIELD_PREP(DEVICE_WORD0_PDT_LEVELS, pdt_levels);
}

/* Word 1 of a device entry: the storage device behind the requester. */
static inline uint64_t siommu_device_word1(uint16_t devid)
{
	return SIOMMU_FIELD_PREP(DEVICE_WORD1_DEVID, devid);
}

/* Entry of the PASID directory: address of the next directory or of the contexts. */
static inline uint64_t siommu_directory_entry(uint64_t next)
{
	return SIOMMU_DIRECTORY_ENTRY_V_MASK | (next & SIOMMU_DIRECTORY_ENTRY_PFN_MASK);
}

/* Index into the contexts (level 0) or into a directory (levels 1 and 2). */
static inline uint32_t siommu_pasid_index(uint32_t pasid, unsigned level)
{
	if (level == 0)
		return pasid & ((UINT32_C(1) << SIOMMU_CONTEXT_INDEX_BITS) - 1);
	return (pasid >> (SIOMMU_CONTEXT_INDEX_BITS + SIOMMU_INDEX_BITS * (level - 1))) &
	       (SIOMMU_TABLE_ENTRIES - 1);
}

/* Whether a directory of so many levels has a place for the PASID. */
static inline bool siommu_pasid_in_reach(uint32_t pasid, unsigned pdt_levels)
{
	return pasid >> SIOMMU_PASID_BITS == 0 &&
	       (pdt_levels >= 2 ||
		pasid >> (SIOMMU_CONTEXT_INDEX_BITS + SIOMMU_INDEX_BITS * pdt_levels) == 0);
}

/* Word 0 (memory) or 1 (storage) of a context: address of the root table. */
static inline uint64_t siommu_context_root(uint64_t root, bool five_levels)
{
	return SIOMMU_CONTEXT_ROOT_V_MASK | (root & SIOMMU_CONTEXT_ROOT_ROOT_MASK) |
	       (five_levels ? SIOMMU_CONTEXT_ROOT_L5_MASK : 0);
}

/* Word 0 of a context whose memory table is a RISC-V one; of cores with CAPS0.RISCV_TABLES. */
static inline uint64_t siommu_context_riscv_root(uint64_t root, enum siommu_tableformat format)
{
	return siommu_context_root(root, false) |
	       ((uint64_t)format << SIOMMU_CONTEXT_ROOT_FMT_SHIFT & SIOMMU_CONTEXT_ROOT_FMT_MASK);
}

/* Word 2 of a context: what is done about permission faults. */
static inline uint64_t siommu_context_deny(enum siommu_disposition memory,
					   enum siommu_disposition storage)
{
	return SIOMMU_FIELD_PREP(CONTEXT_DENY_MEM_DENY, memory) |
	       SIOMMU_FIELD_PREP(CONTEXT_DENY_STO_DENY, storage);
}

/* The same word: what is done about absent entries of the memory table. To be ORed to the above. */
static inline uint64_t siommu_context_absent(enum siommu_absent memory)
{
	return SIOMMU_FIELD_PREP(CONTEXT_DENY_MEM_ABSENT, memory);
}

/* Bytes that one entry of this level maps. */
static inline uint64_t siommu_entry_reach(unsigned level)
{
	return UINT64_C(1) << (SIOMMU_PAGE_SHIFT + SIOMMU_INDEX_BITS * (level - 1));
}

/* Index of an address into a table of this level. */
static inline uint32_t siommu_table_index(uint64_t addr, unsigned level)
{
	return (uint32_t)(addr >> (SIOMMU_PAGE_SHIFT + SIOMMU_INDEX_BITS * (level - 1))) &
	       (SIOMMU_TABLE_ENTRIES - 1);
}

/*
 * The entries below are the user's, and A and D are set, so that they pass CHECK_AD. `level` is 1,
 * 2 or 3 (4 KiB, 2 MiB, 1 GiB); an address is cut down to a multiple of that size.
 */

/* An entry that leads to a table one level below, and what may be done through it. */
static inline uint64_t siommu_pte_table(uint64_t table, bool readable, bool writable)
{
	return SIOMMU_TABLE_ENTRY_P_MASK | SIOMMU_TABLE_ENTRY_U_MASK | SIOMMU_TABLE_ENTRY_A_MASK |
	       (table & SIOMMU_TABLE_ENTRY_PFN_MASK) |
	       (readable ? 0 : SIOMMU_TABLE_ENTRY_NR_MASK) |
	       (writable ? SIOMMU_TABLE_ENTRY_W_MASK : 0);
}

/* A leaf of a memory table (FT = 0). */
static inline uint64_t siommu_pte_memory(uint64_t addr, unsigned level, bool writable)
{
	return siommu_pte_table(addr & ~(siommu_entry_reach(level) - 1), true, writable) |
	       SIOMMU_TABLE_ENTRY_D_MASK | (level > 1 ? SIOMMU_TABLE_ENTRY_PS_MASK : 0);
}

/* A leaf of a file table (FT = 1): blocks of the device `devid`. */
static inline uint64_t siommu_pte_block(uint64_t addr, unsigned level, uint16_t devid,
					bool readable, bool writable)
{
	return siommu_pte_memory(addr, level, writable) | SIOMMU_TABLE_ENTRY_FT_MASK |
	       (readable ? 0 : SIOMMU_TABLE_ENTRY_NR_MASK) |
	       SIOMMU_FIELD_PREP(TABLE_ENTRY_DEVID, devid);
}

/* An entry that is not present, and what is done about the fault. */
static inline uint64_t siommu_pte_absent(enum siommu_disposition disposition)
{
	return (uint64_t)disposition << SIOMMU_TABLE_ENTRY_W_SHIFT;
}

/* Whether a present entry of this level is a leaf. */
static inline bool siommu_pte_is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (level <= 3 && (entry & SIOMMU_TABLE_ENTRY_PS_MASK) != 0);
}

/* Address of the page or table behind a present entry of this level. */
static inline uint64_t siommu_pte_address(uint64_t entry, unsigned level)
{
	uint64_t addr = entry & SIOMMU_TABLE_ENTRY_PFN_MASK;

	return siommu_pte_is_leaf(entry, level) ? addr & ~(siommu_entry_reach(level) - 1) : addr;
}

/* Disposition in an entry that is not present; 3 counts as DENY. */
static inline enum siommu_disposition siommu_pte_disposition(uint64_t entry)
{
	switch ((entry & (SIOMMU_TABLE_ENTRY_W_MASK | SIOMMU_TABLE_ENTRY_U_MASK)) >>
		SIOMMU_TABLE_ENTRY_W_SHIFT) {
	case SIOMMU_DISPOSITION_OS:
		return SIOMMU_DISPOSITION_OS;
	case SIOMMU_DISPOSITION_REMAP:
		return SIOMMU_DISPOSITION_REMAP;
	default:
		return SIOMMU_DISPOSITION_DENY;
	}
}

/*
 * Entries of a RISC-V table (§3.4), for memory. They are the user's as well, with A and D set; `level`
 * is 1 to 5, the format's levels.
 */

/* An entry that leads to a table one level below. What may be done is in the leaf alone. */
static inline uint64_t siommu_riscv_table(uint64_t table)
{
	return SIOMMU_RISCV_ENTRY_V_MASK |
	       SIOMMU_FIELD_PREP(RISCV_ENTRY_PFN, table >> SIOMMU_PAGE_SHIFT);
}

/* A leaf; the address is cut down to a multiple of what the level maps. */
static inline uint64_t siommu_riscv_memory(uint64_t addr, unsigned level, bool writable)
{
	return siommu_riscv_table(addr & ~(siommu_entry_reach(level) - 1)) |
	       SIOMMU_RISCV_ENTRY_R_MASK | SIOMMU_RISCV_ENTRY_U_MASK | SIOMMU_RISCV_ENTRY_A_MASK |
	       SIOMMU_RISCV_ENTRY_D_MASK | (writable ? SIOMMU_RISCV_ENTRY_W_MASK : 0);
}

/*
 * A leaf of 64 KiB (NAPOT), the same in each of its 16 entries of level 1; the address is cut down to
 * a multiple of 64 KiB, and the lowest bits of the page number say the size.
 */
static inline uint64_t siommu_riscv_napot(uint64_t addr, bool writable)
{
	return siommu_riscv_memory((addr & ~UINT64_C(0xFFFF)) | UINT64_C(0x8000), 1, writable) |
	       SIOMMU_RISCV_ENTRY_N_MASK;
}

/* ---- commands (§6) -------------------------------------------------------------------------- */

/* A slot of the command ring. */
struct siommu_command {
	uint64_t word[SIOMMU_COMMAND_BYTES / 8];
};

/* What an invalidation goes by; OR them. None: everything. */
#define SIOMMU_BY_DEVICE SIOMMU_COMMAND_WORD0_BY_DEVICE_MASK
#define SIOMMU_BY_PASID  SIOMMU_COMMAND_WORD0_BY_PASID_MASK
#define SIOMMU_BY_FT     SIOMMU_COMMAND_WORD0_BY_FT_MASK
#define SIOMMU_BY_ADDR   SIOMMU_COMMAND_WORD0_BY_ADDR_MASK

/* What INVAL_TLB, INVAL_CONTEXT and PREFETCH have in common. */
static inline struct siommu_command siommu_cmd_about(enum siommu_opcode opcode, uint64_t select,
						     uint16_t device, uint32_t pasid, bool ft,
						     uint64_t addr, unsigned n)
{
	struct siommu_command command;

	command.word[0] = select | SIOMMU_FIELD_PREP(COMMAND_WORD0_OPCODE, opcode) |
			  SIOMMU_FIELD_PREP(COMMAND_WORD0_DEVICE, device) |
			  SIOMMU_FIELD_PREP(COMMAND_WORD0_PASID, pasid) |
			  SIOMMU_FIELD_PREP(COMMAND_WORD0_FT, ft) |
			  SIOMMU_FIELD_PREP(COMMAND_WORD0_N, n);
	command.word[1] = SIOMMU_PAGE_SHIFT + n < 64 ?
		addr & ~((UINT64_C(1) << (SIOMMU_PAGE_SHIFT + n)) - 1) : 0;
	return command;
}

/*
 * Drop the translations that match everything selected. `n` (0 to 63): 2^n pages; the address is
 * cut down to a multiple of them, as the core demands. What is not selected may be 0.
 */
static inline struct siommu_command siommu_cmd_inval_tlb(uint64_t select, uint16_t device,
							 uint32_t pasid, bool ft, uint64_t addr,
							 unsigned n)
{
	return siommu_cmd_about(SIOMMU_OPCODE_INVAL_TLB, select, device, pasid, ft, addr, n);
}

/* Drop contexts and all that is cached through them. Select by device, by PASID, both or none. */
static inline struct siommu_command siommu_cmd_inval_context(uint64_t select, uint16_t device,
							     uint32_t pasid)
{
	return siommu_cmd_about(SIOMMU_OPCODE_INVAL_CONTEXT,
			   select & (SIOMMU_BY_DEVICE | SIOMMU_BY_PASID), device, pasid, false, 0,
			   0);
}

/*
 * Complete when every command before it is. With `store`, `data` is then written to `addr`, a
 * multiple of 4; with `signal`, CQ_FENCE is raised.
 */
static inline struct siommu_command siommu_cmd_fence(bool store, uint64_t addr, uint32_t data,
						     bool signal)
{
	struct siommu_command command;

	command.word[0] = SIOMMU_FIELD_PREP(FENCE_WORD0_OPCODE, SIOMMU_OPCODE_FENCE) |
			  SIOMMU_FIELD_PREP(FENCE_WORD0_STORE, store) |
			  SIOMMU_FIELD_PREP(FENCE_WORD0_SIGNAL, signal) |
			  SIOMMU_FIELD_PREP(FENCE_WORD0_DATA, data);
	command.word[1] = store ? addr : 0;
	return command;
}

/*
 * Fill the caches for 2^n pages, n at most SIOMMU_PREFETCH_MAX_N; the address is cut down to a
 * multiple of them.
 */
static inline struct siommu_command siommu_cmd_prefetch(uint16_t device, uint32_t pasid, bool ft,
							uint64_t addr, unsigned n)
{
	return siommu_cmd_about(SIOMMU_OPCODE_PREFETCH, 0, device, pasid, ft, addr, n);
}

/* ---- fault records (§5.1) ------------------------------------------------------------------- */

struct siommu_fault {
	struct siommu_fault_word0_fields what;
	uint64_t addr;    /* input address that faulted */
	uint64_t entry;   /* address of the entry that decided; 0 where none did */
	uint64_t cycles;  /* counter `cycles` */
};

/* The content of a slot of the fault ring. */
static inline struct siommu_fault
siommu_fault_decode(const uint64_t record[SIOMMU_RECORD_BYTES / 8])
{
	struct siommu_fault fault;

	fault.what = siommu_fault_word0_decode(record[0]);
	fault.addr = record[1];
	fault.entry = record[2];
	fault.cycles = record[3];
	return fault;
}

/* ---- rings: indexes modulo 2^log2, one slot always empty ------------------------------------ */

static inline uint32_t siommu_ring_slots(unsigned log2)
{
	return UINT32_C(1) << log2;
}

/* The index `count` slots behind `index`. */
static inline uint32_t siommu_ring_advance(uint32_t index, uint32_t count, unsigned log2)
{
	return (index + count) & (siommu_ring_slots(log2) - 1);
}

static inline bool siommu_ring_empty(uint32_t head, uint32_t tail)
{
	return head == tail;
}

static inline bool siommu_ring_full(uint32_t head, uint32_t tail, unsigned log2)
{
	return siommu_ring_advance(tail, 1, log2) == head;
}

/* Slots in use. */
static inline uint32_t siommu_ring_used(uint32_t head, uint32_t tail, unsigned log2)
{
	return (tail - head) & (siommu_ring_slots(log2) - 1);
}

/* Slots that can be filled before the ring is full. */
static inline uint32_t siommu_ring_free(uint32_t head, uint32_t tail, unsigned log2)
{
	return siommu_ring_slots(log2) - 1 - siommu_ring_used(head, tail, log2);
}

#ifdef __cplusplus
}
#endif

#endif /* SIOMMU_H */
