/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process and its kernel do to files and memory while commands of it are under way: truncate,
 * munmap, fork, exec, exit, kill. A thread reads all the time, and compares.
 *
 * Usage: traffic FILE, to be made.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"
#include "internal.h"

#define PAGES	256u
#define DEPTH	16u
#define TURNS	12u

static struct siommu *siommu;
static struct siommu_file *file;
static _Atomic(unsigned int) reads, wrong;
static _Atomic(bool) over;

/* Reads of the background: two pages at a time, at odd places too. */
static void *background(void *unused)
{
	uint64_t *pages = memory(2 * PAGE_BYTES);
	unsigned int page = 0;

	while (!over) {
		page = (page * 5 + 17) % (PAGES - 1);
		if (siommu_pread(file, pages, 2 * PAGE_BYTES, (off_t)page * PAGE_BYTES) !=
			    2 * PAGE_BYTES ||
		    !is_page(pages, 0, page) || !is_page(pages + WORDS, 0, page + 1))
			wrong++;
		reads++;
	}
	return unused;
}

static void submit(struct siommu_file *from, char *to, unsigned int count)
{
	unsigned int index = 0;

	while (index < count)
		if (!siommu_submit(from, 0, to + index * PAGE_BYTES, PAGE_BYTES,
				   (off_t)(index * 7 % PAGES) * PAGE_BYTES, NULL))
			index++;
		else if (errno != EAGAIN)
			break;
}

/* Memory that somebody else gets after it was given back: filled, and looked at for a while. */
static bool stays_as_it_is(unsigned int pages)
{
	unsigned int index, look;
	bool good = true;
	char *at = memory(pages * PAGE_BYTES);

	for (index = 0; index < pages; index++)
		fill_page((uint64_t *)(at + index * PAGE_BYTES), 99, index, 0);
	for (look = 0; look < 3; look++, usleep(2000))
		for (index = 0; index < pages; index++)
			good &= is_page((uint64_t *)(at + index * PAGE_BYTES), 99, index);
	munmap(at, pages * PAGE_BYTES);
	return good;
}

static void truncated(const char *path)
{
	unsigned int before = reads, refused = 0, turn;

	for (turn = 0; turn < TURNS; turn++, usleep(1000))
		refused += truncate(path, 0) == -1 && errno == ETXTBSY;
	check(refused == TURNS, "truncate is refused");
	while (reads < before + 20 && !wrong)
		usleep(1000);
	check(!wrong, "and the reads go on");
}

static void unmapped(void)
{
	unsigned int turn, done = 0, faults = 0, other = 0;
	struct siommu_event event;
	bool good = true;

	for (turn = 0; turn < TURNS; turn++) {
		char *at = memory(DEPTH * PAGE_BYTES);
		unsigned int ended = 0;

		memset(at, 1, DEPTH * PAGE_BYTES);
		submit(file, at, DEPTH);
		munmap(at, DEPTH * PAGE_BYTES);
		good &= stays_as_it_is(2 * DEPTH);
		while (ended < DEPTH)
			if (siommu_poll(siommu, &event, 1) == 1) {
				ended++;
				done += event.result == PAGE_BYTES;
				faults += event.result == -EFAULT;
				other += event.result != PAGE_BYTES && event.result != -EFAULT;
			}
	}
	check(!other && done + faults == TURNS * DEPTH, "reads into memory that goes away end");
	check(good, "and touch nobody who has it then");
}

/* The same address, another page: what was known of it is forgotten. */
static void mapped_anew(void)
{
	uint64_t *page = memory(PAGE_BYTES), *kept = memory(TURNS * PAGE_BYTES);
	unsigned int turn, good = 0;

	for (turn = 0; turn < TURNS; turn++) {
		bool first = siommu_pread(file, page, PAGE_BYTES, 0) == PAGE_BYTES;

		munmap(page, PAGE_BYTES);
		fill_page(kept + turn * WORDS, 98, turn, 0);	/* likely the page that was freed */
		if (mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		good += first && siommu_pread(file, page, PAGE_BYTES, PAGE_BYTES) == PAGE_BYTES &&
			is_page(page, 0, 1) && is_page(kept + turn * WORDS, 98, turn);
	}
	check(good == TURNS, "memory that is mapped anew at its address is read into");
}

static void forked(void)
{
	uint64_t *page = memory(PAGE_BYTES);
	unsigned int turn, good = 0;
	int status;
	pid_t child;

	for (turn = 0; turn < TURNS; turn++) {
		fill_page(page, 97, turn, 0);
		child = fork();
		if (!child) {
			usleep(3000);
			_exit(is_page(page, 97, turn) && siommu_pread(file, page, PAGE_BYTES, 0) == -1 &&
			      errno == EPERM ? 0 : 1);
		}
		/* The child has the page now; ours is another one. */
		good += siommu_pread(file, page, PAGE_BYTES, 2 * PAGE_BYTES) == PAGE_BYTES &&
			is_page(page, 0, 2) && waitpid(child, &status, 0) == child && !status;
	}
	check(good == TURNS, "after fork each has its own memory, and the parent alone the queue");
}

/* A child that has its own queue, and ends in the way `how` while it is in use. */
static void child_ends(const char *path, const char *how)
{
	struct siommu *own = siommu_open(0);
	struct siommu_file *mine = own ? siommu_attach(own, open(path, O_RDONLY)) : NULL;
	char *at = memory(DEPTH * PAGE_BYTES);

	if (!mine)
		_exit(9);
	memset(at, 1, DEPTH * PAGE_BYTES);
	submit(mine, at, DEPTH);
	if (*how == 'x')
		execl("/proc/self/exe", "traffic", (char *)NULL);
	if (*how == 'k')
		kill(getpid(), SIGKILL);
	_exit(7);
}

static void ended(const char *path, const char *how, const char *text)
{
	unsigned int turn, good = 0;
	int status;

	for (turn = 0; turn < TURNS; turn++) {
		pid_t child = fork();

		if (!child)
			child_ends(path, how);
		good += waitpid(child, &status, 0) == child &&
			(*how == 'k' ? WIFSIGNALED(status) : WIFEXITED(status) &&
			 WEXITSTATUS(status) == 7) && stays_as_it_is(2 * DEPTH);
	}
	check(good == TURNS, text);
}

int main(int words, char **word)
{
	pthread_t thread;
	int fd;

	if (words == 1)
		return 7;		/* what a child executes */
	fd = make_file(word[1], 0, PAGES);
	siommu = siommu_open(0);
	file = fd >= 0 && siommu ? siommu_attach(siommu, fd) : NULL;
	check(file && !pthread_create(&thread, NULL, background, NULL), "a thread reads");
	if (!file)
		return 1;
	truncated(word[1]);
	unmapped();
	mapped_anew();
	forked();
	ended(word[1], "exit", "exit with commands under way: nobody's memory is touched");
	ended(word[1], "kill", "kill -9 with commands under way: nobody's memory is touched");
	ended(word[1], "x", "exec with commands under way: nobody's memory is touched");
	over = true;
	pthread_join(thread, NULL);
	printf("%u reads of the thread\n", reads);
	check(!wrong && reads > 100, "all reads of the thread brought what they should");
	siommu_close(siommu);
	check(!ftruncate(fd, 0), "the file can be cut again");
	return failed;
}
