/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for translations: through the SIOMMU's debug port, and through the device. */
#include "access.h"
#include "memory.h"
#include "report.h"
#include "soc.h"

static const char *const directions[] = { "read ", "write" };
static const char *const sizes[] = { "4 KiB", "2 MiB", "1 GiB", "untranslated" };

static struct {
	uint64_t source, target;
	uint32_t bytes, pasid;
	uint8_t tag;
	unsigned refused;
} device;

struct translation granted(uint32_t address, enum rights rights, enum siommu_size size)
{
	return (struct translation){ SIOMMU_CAUSE_OK, SIOMMU_DISPOSITION_DENY, address, true,
				     rights == READ_WRITE, size };
}

struct translation refused(enum siommu_cause cause, enum siommu_disposition disposition)
{
	return (struct translation){ .cause = cause, .disposition = disposition };
}

static struct translation translate(uint16_t requester, uint32_t pasid, enum direction direction,
				    uint64_t address)
{
	struct translation found = { 0 };
	uint32_t result;

	wr32(SIOMMU_REG_DBG_ADDR_LOW, (uint32_t)address);
	wr32(SIOMMU_REG_DBG_ADDR_HIGH, (uint32_t)(address >> 32));
	wr32(SIOMMU_REG_DBG_SOURCE, requester);
	wr32(SIOMMU_REG_DBG_PASID, pasid);
	wr32(SIOMMU_REG_DBG_CTRL, SIOMMU__DBG_CTRL__GO_bm |
	     SIOMMU_REG_PREP(DBG_CTRL, WRITE, direction == WRITE) | SIOMMU_REG_PREP(DBG_CTRL, FT, 0));
	while (rd32(SIOMMU_REG_DBG_CTRL) & SIOMMU__DBG_CTRL__GO_bm)
		;
	result = rd32(SIOMMU_REG_DBG_RESULT);
	found.cause = (enum siommu_cause)SIOMMU_REG_GET(DBG_RESULT, CAUSE, result);
	found.disposition =
		(enum siommu_disposition)SIOMMU_REG_GET(DBG_RESULT, DISPOSITION, result);
	if (found.cause != SIOMMU_CAUSE_OK)
		return found;
	found.address = load64(SIOMMU + SIOMMU_REG_DBG_PHYS_LOW);
	found.readable = SIOMMU_REG_GET(DBG_RESULT, READ, result);
	found.writable = SIOMMU_REG_GET(DBG_RESULT, WRITE, result);
	found.size = (enum siommu_size)SIOMMU_REG_GET(DBG_RESULT, SIZE, result);
	return found;
}

void ask(uint16_t requester, uint32_t pasid, enum direction direction, uint64_t address,
	 struct translation expected)
{
	struct translation found = translate(requester, pasid, direction, address);

	print("  %s %q: ", directions[direction], address);
	if (found.cause == SIOMMU_CAUSE_OK)
		print("%q, %s, %s%s", found.address, sizes[found.size],
		      found.readable ? "r" : "-", found.writable ? "w" : "-");
	else
		print("%s, %s", siommu_cause_name(found.cause),
		      siommu_disposition_name(found.disposition));
	same("cause", found.cause, expected.cause);
	same("disposition", found.disposition, expected.disposition);
	same("address", found.address, expected.address);
	same("readable", found.readable, expected.readable);
	same("writable", found.writable, expected.writable);
	same("size", found.size, expected.size);
	verdict();
}

void copy_prepare(uint32_t pasid, uint64_t source, uint64_t target, uint32_t bytes)
{
	device.source = source;
	device.target = target;
	device.bytes = bytes;
	device.pasid = pasid;
	device.tag += 0x11;
	store64(DEVICE_SOURCE, source);
	store64(DEVICE_TARGET, target);
	store32(DEVICE_BYTES, bytes);
	store32(DEVICE_PASID, pasid);
	store32(DEVICE_TAG, device.tag);
}

void copy_go(void)
{
	wmb();				/* the source is in memory before the device reads it */
	store32(DEVICE_GO, 1);
}

bool copy_goes_on(void)
{
	return load32(DEVICE_STATUS) & DEVICE_BUSY;
}

uint32_t copy_moved(void)
{
	return load32(DEVICE_MOVED);
}

void copy_end(struct copy expected)
{
	struct copy found = { 0 };
	uint32_t status;

	while (copy_goes_on())
		;
	rmb();
	status = load32(DEVICE_STATUS);
	found.moved = load32(DEVICE_MOVED);
	if (status & DEVICE_WAS_REFUSED) {
		found.cause = (enum siommu_cause)(status >> 8 & 0xFF);
		found.disposition = (enum siommu_disposition)(status >> 16 & 3);
		found.refused = status & DEVICE_WRITING ? WRITE : READ;
		found.address = load64(DEVICE_REFUSED);
		device.refused++;
	}
	print("  copy %u bytes from %q to %q", device.bytes, device.source, device.target);
	same("wrong", status & DEVICE_WRONG, 0);
	same("moved", found.moved, expected.moved);
	verdict();
	if (found.cause == SIOMMU_CAUSE_OK && expected.cause == SIOMMU_CAUSE_OK)
		return;
	if (found.cause == SIOMMU_CAUSE_OK)
		print("    nothing was refused");
	else
		print("    %s of %q: %s, %s", directions[found.refused], found.address,
		      siommu_cause_name(found.cause), siommu_disposition_name(found.disposition));
	print("; %u bytes were moved", found.moved);
	same("cause", found.cause, expected.cause);
	same("disposition", found.disposition, expected.disposition);
	same("refused", found.refused, expected.refused);
	same("address", found.address, expected.address);
	verdict();
}

void copy(uint32_t pasid, uint64_t source, uint64_t target, uint32_t bytes, struct copy expected)
{
	copy_prepare(pasid, source, target, bytes);
	copy_go();
	copy_end(expected);
}

struct copy whole(uint32_t bytes)
{
	return (struct copy){ .moved = bytes };
}

void expect_equal(uint32_t target, uint32_t source, uint32_t bytes)
{
	uint32_t count = different(target, source, bytes);

	print("    %u bytes at %w compared with those at %w: %u words differ", bytes, target, source,
	      count);
	same("words that differ", count, 0);
	verdict();
}

void expect_untouched(uint32_t address, uint32_t bytes, uint32_t seed)
{
	uint32_t count = unlike(address, bytes, seed);

	print("    %u bytes at %w compared with what was there: %u words differ", bytes, address,
	      count);
	same("words that differ", count, 0);
	verdict();
}

uint8_t last_tag(void)
{
	return device.tag;
}

unsigned refusals(void)
{
	return device.refused;
}
