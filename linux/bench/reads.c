/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a read of 4 KiB costs: through the kernel (O_DIRECT), and directly. Prints a line for each,
 * "reads PATH DEPTH COUNT TICKS", in ticks of the processor's time stamp counter.
 *
 * Usage: reads FILE COUNT DEPTH...
 *
 * The kernel's way is pread(2) at depth 1, and io_uring with as much in one call as there is to
 * submit at other depths. Both read the same pages in the same order, with one thread, and check
 * what they read: page p of the file begins with p as a 64-bit number.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "siommu_direct.h"

#define PAGE		4096u
#define DEEPEST		256u
#define WARM		64u		/* reads before the count begins */

static char *buffers;
static uint64_t pages, random_state;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "reads: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The next page to be read. */
static uint64_t choose(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % pages;
}

static void check(const char *buffer, uint64_t page, long result)
{
	uint64_t found;

	memcpy(&found, buffer, sizeof(found));
	if (result == PAGE && found == page)
		return;
	fprintf(stderr, "reads: page %llu: %ld bytes of page %llu\n", (unsigned long long)page,
		result, (unsigned long long)found);
	exit(1);
}

/* One way to read: begin() starts a read into a buffer; end() waits for one, and returns its
 * buffer, or -1 if none has ended yet. */
struct way {
	const char *name;
	void (*begin)(unsigned int buffer, uint64_t page);
	int (*end)(long *result);
};

static void run(const struct way *way, unsigned int depth, unsigned int count)
{
	uint64_t wanted[DEEPEST], start = 0;
	unsigned int begun, ended = 0, index;

	random_state = 1;
	for (begun = 0; begun < depth; begun++) {
		wanted[begun] = choose();
		way->begin(begun, wanted[begun]);
	}
	while (ended < WARM + count) {
		long result;
		int which = way->end(&result);

		if (which < 0)
			continue;
		index = (unsigned int)which;
		check(buffers + index * PAGE, wanted[index], result);
		if (++ended == WARM)
			start = __rdtsc();
		if (begun < WARM + count) {
			begun++;
			wanted[index] = choose();
			way->begin(index, wanted[index]);
		}
	}
	printf("reads %s %u %u %llu\n", way->name, depth, count,
	       (unsigned long long)(__rdtsc() - start));
	fflush(stdout);
}

/* ---- the kernel, one read at a time ---- */

static int kernel_fd;
static long kernel_result;

static void pread_begin(unsigned int buffer, uint64_t page)
{
	kernel_result = pread(kernel_fd, buffers + buffer * PAGE, PAGE, (off_t)(page * PAGE));
}

static int pread_end(long *result)
{
	*result = kernel_result;
	return 0;
}

/* ---- the kernel, io_uring ---- */

static struct {
	int fd;
	unsigned int waiting;			/* entries that the kernel was not told of */
	_Atomic(unsigned int) *sq_tail, *cq_head, *cq_tail;
	unsigned int sq_mask, cq_mask, *array;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void *ring_map(size_t bytes, off_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, offset);

	if (at == MAP_FAILED)
		fail("io_uring");
	return at;
}

static void uring_open(unsigned int depth)
{
	struct io_uring_params about = { 0 };
	char *sq, *cq;

	ring.fd = (int)syscall(__NR_io_uring_setup, depth, &about);
	if (ring.fd < 0)
		fail("io_uring_setup");
	sq = ring_map(about.sq_off.array + about.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = ring_map(about.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (void *)(sq + about.sq_off.tail);
	ring.sq_mask = *(unsigned int *)(sq + about.sq_off.ring_mask);
	ring.array = (void *)(sq + about.sq_off.array);
	ring.cq_head = (void *)(cq + about.cq_off.head);
	ring.cq_tail = (void *)(cq + about.cq_off.tail);
	ring.cq_mask = *(unsigned int *)(cq + about.cq_off.ring_mask);
	ring.cqes = (void *)(cq + about.cq_off.cqes);
}

static void uring_begin(unsigned int buffer, uint64_t page)
{
	unsigned int tail = atomic_load_explicit(ring.sq_tail, memory_order_relaxed);
	struct io_uring_sqe *entry = &ring.sqes[tail & ring.sq_mask];

	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_READ;
	entry->fd = kernel_fd;
	entry->off = page * PAGE;
	entry->addr = (uintptr_t)(buffers + buffer * PAGE);
	entry->len = PAGE;
	entry->user_data = buffer;
	ring.array[tail & ring.sq_mask] = tail & ring.sq_mask;
	atomic_store_explicit(ring.sq_tail, tail + 1, memory_order_release);
	ring.waiting++;
}

static int uring_end(long *result)
{
	unsigned int head = atomic_load_explicit(ring.cq_head, memory_order_relaxed);
	struct io_uring_cqe *entry;
	int buffer;

	if (head == atomic_load_explicit(ring.cq_tail, memory_order_acquire)) {
		if (syscall(__NR_io_uring_enter, ring.fd, ring.waiting, 1, IORING_ENTER_GETEVENTS,
			    NULL, 0) < 0)
			fail("io_uring_enter");
		ring.waiting = 0;
		return -1;
	}
	entry = &ring.cqes[head & ring.cq_mask];
	buffer = (int)entry->user_data;
	*result = entry->res;
	atomic_store_explicit(ring.cq_head, head + 1, memory_order_release);
	return buffer;
}

/* ---- directly ---- */

static struct siommu *siommu;
static struct siommu_file *file;

static void direct_begin(unsigned int buffer, uint64_t page)
{
	char *at = buffers + buffer * PAGE;

	if (siommu_submit(file, 0, at, PAGE, (off_t)(page * PAGE), at))
		fail("siommu_submit");
}

static int direct_end(long *result)
{
	struct siommu_event event;

	if (siommu_poll(siommu, &event, 1) != 1)
		return -1;
	*result = event.result;
	return (int)(((char *)event.cookie - buffers) / PAGE);
}

int main(int words, char **word)
{
	static const struct way synchronous = { "kernel", pread_begin, pread_end },
		queued = { "kernel", uring_begin, uring_end },
		direct = { "direct", direct_begin, direct_end };
	struct stat about;
	unsigned int count;

	if (words < 4) {
		fprintf(stderr, "usage: reads FILE COUNT DEPTH...\n");
		return 2;
	}
	count = (unsigned int)strtoul(word[2], NULL, 0);
	kernel_fd = open(word[1], O_RDONLY | O_DIRECT);
	if (kernel_fd < 0 || fstat(kernel_fd, &about))
		fail(word[1]);
	pages = (uint64_t)about.st_size / PAGE;
	buffers = mmap(NULL, DEEPEST * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!pages || buffers == MAP_FAILED)
		fail("no pages");
	siommu = siommu_open(DEEPEST);
	file = siommu ? siommu_attach(siommu, kernel_fd) : NULL;
	if (!file)
		fail("siommu");
	for (int index = 3; index < words; index++) {
		unsigned int depth = (unsigned int)strtoul(word[index], NULL, 0);

		if (!depth || depth >= DEEPEST) {
			fprintf(stderr, "reads: a depth is 1 to %u\n", DEEPEST - 1);
			return 2;
		}
		if (depth == 1) {
			run(&synchronous, 1, count);
		} else {
			uring_open(depth);
			run(&queued, depth, count);
			close(ring.fd);
		}
		run(&direct, depth, count);
	}
	return 0;
}
