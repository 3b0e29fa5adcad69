/* SPDX-License-Identifier: Apache-2.0 */
/* A process of the stress: some steps, each chosen by its seed, and one of several ends. */
#include <fcntl.h>
#include <sys/wait.h>

#include "internal.h"
#include "stress.h"

#define PAGES		32u	/* of the buffer */
#define DEPTH		24u
#define ENTRIES		32u
#define PATTERN		77u	/* the "file" of memory that nobody may touch */

static struct {
	uint64_t seed;
	struct rng rng;
	unsigned int step;
	const char *what;
	struct siommu *siommu;
	struct siommu_file *file;
	unsigned int number;		/* of the file */
	bool writable;
	int fd;
	uint64_t *buffer;
} me;

static uint32_t any(uint32_t below)
{
	return rng_next(&me.rng, below);
}

static _Noreturn void wrong(const char *why)
{
	printf("FAIL: %s: %s (errno %s; seed %llu, step %u)\n", me.what, why, strerror(errno),
	       (unsigned long long)me.seed, me.step);
	fflush(stdout);
	_exit(WRONG);
}

static uint64_t *page_of(unsigned int index)
{
	return me.buffer + index * WORDS;
}

static void attach(void)
{
	me.number = any(FILES);
	me.writable = me.number >= READ_ONLY && any(4);
	me.fd = open(paths[me.number], me.writable ? O_RDWR : O_RDONLY);
	me.file = siommu_attach(me.siommu, me.fd);
	if (!me.file)
		wrong("cannot attach");
}

static void detach(void)
{
	if (siommu_detach(me.file))
		wrong("cannot detach");
	close(me.fd);
}

/* One read, into one page or two; only `error` may happen, if it is one. */
static void read_one(unsigned int index, int error)
{
	unsigned int page = any(FILE_PAGES - 1), count = index + 1 < PAGES ? 1 + any(2) : 1, each;
	ssize_t got = siommu_pread(me.file, page_of(index), count * PAGE_BYTES,
				   (off_t)page * PAGE_BYTES);

	if (error) {
		if (got != -1 || errno != error)
			wrong("a read was to be refused");
		counts->refused++;
		return;
	}
	if (got != (ssize_t)(count * PAGE_BYTES))
		wrong("a read failed");
	for (each = 0; each < count; each++)
		if (!is_page(page_of(index + each), me.number, page + each))
			wrong("a read brought something else");
	counts->reads++;
}

static void read_some(void)
{
	unsigned int count = 1 + any(8);

	while (count--)
		read_one(any(PAGES), 0);
}

/* Submits reads of random pages, one into each page of the buffer from the first on. */
static unsigned int submit(unsigned int *pages, unsigned int count)
{
	unsigned int sent = 0;

	while (sent < count) {
		pages[sent] = any(FILE_PAGES);
		if (siommu_submit(me.file, 0, page_of(sent), PAGE_BYTES,
				  (off_t)pages[sent] * PAGE_BYTES, (void *)(uintptr_t)(sent + 1)))
			break;
		sent++;
	}
	return sent;
}

/* Waits for what was submitted. Returns the reads that brought something; these must be right, if
 * the buffer is still there. */
static unsigned int settle(const unsigned int *pages, unsigned int sent, bool there)
{
	struct siommu_event event;
	unsigned int good = 0;

	while (sent) {
		unsigned int index;

		if (siommu_poll(me.siommu, &event, 1) != 1)
			continue;
		sent--;
		index = (unsigned int)(uintptr_t)event.cookie - 1;
		if (event.result == PAGE_BYTES) {
			good++;
			if (there && !is_page(page_of(index), me.number, pages[index]))
				wrong("an asynchronous read brought something else");
		} else if (there || event.result != -EFAULT) {
			errno = (int)-event.result;
			wrong("an asynchronous read failed");
		}
	}
	counts->reads += good;
	return good;
}

static void read_many(void)
{
	unsigned int pages[DEPTH], sent = submit(pages, 1 + any(DEPTH));

	settle(pages, sent, true);
}

static void write_one(void)
{
	unsigned int page = any(FILE_PAGES), index = any(PAGES);

	fill_page(page_of(index), me.number, page, me.seed ^ me.step);
	errno = 0;
	if (me.writable) {
		if (siommu_pwrite(me.file, page_of(index), PAGE_BYTES, (off_t)page * PAGE_BYTES) !=
		    PAGE_BYTES)
			wrong("a write failed");
		counts->writes++;
	} else {
		struct siommu_file cheat = *me.file;

		cheat.about.flags |= SIOMMU_WRITE;
		if (siommu_pwrite(&cheat, page_of(index), PAGE_BYTES, (off_t)page * PAGE_BYTES) != -1 ||
		    errno != EACCES)
			wrong("a write was to be refused");
		counts->refused++;
	}
}

static uint64_t *patterned(unsigned int pages)
{
	uint64_t *at = memory(pages * PAGE_BYTES);
	unsigned int index;

	for (index = 0; index < pages; index++)
		fill_page(at + index * WORDS, PATTERN, index, me.step);
	return at;
}

static void check_pattern(uint64_t *at, unsigned int pages)
{
	unsigned int index;

	for (index = 0; index < pages; index++)
		if (!is_page(at + index * WORDS, PATTERN, index))
			wrong("memory was touched that is none of the SSD's");
	munmap(at, pages * PAGE_BYTES);
}

static void map_buffer(void)
{
	void *at = mmap(me.buffer, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (at != me.buffer)
		wrong("cannot map the buffer");
}

/* The pages that the SIOMMU knows go to others, and the addresses get other pages. */
static void map_anew(void)
{
	unsigned int index, count = 1 + any(8);
	uint64_t *others;

	for (index = 0; index < count; index++)
		read_one(index, 0);
	munmap(me.buffer, PAGES * PAGE_BYTES);
	others = patterned(2 * count);
	map_buffer();
	for (index = 0; index < count; index++)
		read_one(index, 0);
	check_pattern(others, 2 * count);
}

static void unmap_under_way(void)
{
	unsigned int pages[DEPTH], sent;
	uint64_t *others;

	memset(me.buffer, 1, PAGES * PAGE_BYTES);
	sent = submit(pages, DEPTH);
	munmap(me.buffer, PAGES * PAGE_BYTES);
	others = patterned(PAGES);
	settle(pages, sent, false);
	check_pattern(others, PAGES);
	map_buffer();
}

static void forget(void)
{
	madvise(me.buffer, PAGES * PAGE_BYTES, MADV_DONTNEED);
	read_some();
}

static void protect(void)
{
	volatile uint64_t sum = 0;
	unsigned int index;

	mprotect(me.buffer, PAGES * PAGE_BYTES, PROT_READ);
	for (index = 0; index < PAGES; index++)
		sum += *page_of(index);
	read_one(any(PAGES), EFAULT);
	mprotect(me.buffer, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE);
	read_some();
}

static void move_buffer(void)
{
	uint64_t *old = me.buffer, *moved;

	read_some();
	moved = mremap(old, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		       (char *)old + (1 << 20) * (1 + any(8)));
	if (moved == MAP_FAILED)
		wrong("mremap");
	read_one(any(PAGES), EFAULT);
	me.buffer = moved;
	read_some();
}

/* A child that changes what it shares with its parent. */
static void fork_one(void)
{
	unsigned int index = any(PAGES - 1);
	int status;
	pid_t child;

	fill_page(page_of(index), PATTERN, index, me.step);
	child = fork();
	if (!child) {
		if (any(2))
			memset(page_of(index + 1), 3, PAGE_BYTES);
		_exit(!is_page(page_of(index), PATTERN, index));
	}
	read_one(index, 0);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		wrong("a child saw its parent's memory change");
}

static void steal(void)
{
	struct siommu_file theirs = *me.file;

	theirs.about.vba += (uint64_t)(1 + any(200)) << 39;
	theirs.size = UINT64_MAX >> 1;
	if (siommu_pread(&theirs, me.buffer, PAGE_BYTES, (off_t)any(1 << 20) * PAGE_BYTES) != -1 ||
	    errno != EACCES)
		wrong("a block was read that is not the process's");
	counts->refused++;
}

static void change_file(void)
{
	detach();
	attach();
}

static void connect_anew(void)
{
	siommu_close(me.siommu);
	close(me.fd);
	me.siommu = siommu_open(ENTRIES);
	if (!me.siommu)
		wrong("cannot open /dev/siommu");
	attach();
}

static const struct {
	const char *what;
	void (*act)(void);
	unsigned int weight;
} acts[] = {
	{ "reads", read_some, 6 }, { "asynchronous reads", read_many, 4 }, { "a write", write_one, 3 },
	{ "memory mapped anew", map_anew, 4 }, { "memory unmapped under way", unmap_under_way, 3 },
	{ "memory given back", forget, 2 }, { "memory protected", protect, 2 },
	{ "memory moved", move_buffer, 2 }, { "fork", fork_one, 3 }, { "theft", steal, 2 },
	{ "another file", change_file, 2 }, { "another connection", connect_anew, 1 },
};

#define ACTS	(sizeof(acts) / sizeof(*acts))

void worker(uint64_t seed)
{
	unsigned int steps, index, total = 0, pages[DEPTH];

	me.seed = seed;
	me.rng.state = seed;
	me.what = "the start";
	for (index = 0; index < ACTS; index++)
		total += acts[index].weight;
	/* Much room on both sides, for the buffer to move into. */
	me.buffer = (uint64_t *)((char *)memory(64 << 20) + (32 << 20));
	munmap((char *)me.buffer - (32 << 20), 64 << 20);
	map_buffer();
	me.siommu = siommu_open(ENTRIES);
	if (!me.siommu)
		wrong("cannot open /dev/siommu");
	attach();
	for (steps = 3 + any(40); me.step < steps; me.step++) {
		unsigned int chosen = any(total);

		for (index = 0; chosen >= acts[index].weight; index++)
			chosen -= acts[index].weight;
		me.what = acts[index].what;
		acts[index].act();
		counts->steps++;
	}
	me.what = "the end";
	switch (any(4)) {
	case 0:
		siommu_close(me.siommu);
		break;
	case 1:
		submit(pages, DEPTH);
		execl("/proc/self/exe", "stress", (char *)NULL);
		break;
	case 2:
		submit(pages, DEPTH);
		break;
	default:
		detach();
	}
	_exit(0);
}
