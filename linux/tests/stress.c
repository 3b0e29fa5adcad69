/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that start, attach, read, write, unmap, fork, exit and are killed at random, for a time;
 * beside them processes whose memory nobody may touch. Prints "FAIL: " and why, as soon as something
 * is not as it must be, and what it did.
 *
 * Usage: stress SEED SECONDS FOLDER FOLDER, the folders on SSDs behind the SIOMMU; as root.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "internal.h"
#include "stress.h"

#define WORKERS		4u
#define WATCHERS	2u
#define WATCHED		96u	/* pages of each */
#define WARM_SECONDS	3
#define LEAK_KIB	8192	/* what the kernel's own caches may differ by */
#define PASIDS		64u	/* more than there are at a time */

struct counts *counts;
char paths[FILES][100];

static struct rng rng;
static pid_t workers[WORKERS], watchers[WATCHERS];
static unsigned int started, killed;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Holds memory, takes and gives back some: what was another's, and must not be any more. */
static _Noreturn void watcher(uint64_t seed)
{
	uint64_t *pages[WATCHED] = { NULL };
	struct rng own = { seed };

	for (;;) {
		unsigned int index = rng_next(&own, WATCHED);

		if (pages[index])
			munmap(pages[index], PAGE_BYTES);
		pages[index] = memory(PAGE_BYTES);
		fill_page(pages[index], 88, index, seed);
		for (index = 0; index < WATCHED; index++)
			if (pages[index] && !is_page(pages[index], 88, index)) {
				printf("FAIL: memory of a process was touched that has no SSD\n");
				fflush(stdout);
				_exit(WRONG);
			}
		usleep(500);
	}
}

static pid_t start(void (*process)(uint64_t seed))
{
	uint64_t seed = (uint64_t)rng_next(&rng, 1u << 31) << 16 | started++;
	pid_t child = fork();

	if (!child)
		process(seed);
	return child;
}

/* Takes in those that have ended; false if one of them saw what must not be. */
static bool reap(void)
{
	unsigned int index;
	int status;
	pid_t child;

	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		for (index = 0; index < WORKERS; index++)
			if (workers[index] == child)
				workers[index] = 0;
		if (WIFEXITED(status) ? WEXITSTATUS(status) == WRONG : WTERMSIG(status) != SIGKILL) {
			printf("FAIL: a process ended with status %#x\n", (unsigned int)status);
			return false;
		}
	}
	return true;
}

static void tell_kernel(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		printf("note: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* What happens around the workers. */
static void disturb(void)
{
	unsigned int index = rng_next(&rng, WORKERS), which = rng_next(&rng, FILES);

	switch (rng_next(&rng, 80)) {
	case 0: case 1:
		if (workers[index] > 0 && !kill(workers[index], SIGKILL))
			killed++;
		break;
	case 3:
		tell_kernel("/proc/sys/vm/compact_memory");
		break;
	case 4:
		tell_kernel("/proc/sys/vm/drop_caches");
		break;
	case 5: case 6: case 7: case 8:
		if (truncate(paths[which], FILE_PAGES * PAGE_BYTES) && errno != ETXTBSY)
			printf("FAIL: truncate: %s\n", strerror(errno));
		break;
	default:
		break;
	}
}

static bool run_for(double seconds)
{
	double end = now() + seconds;
	unsigned int index;

	while (now() < end) {
		if (!reap())
			return false;
		for (index = 0; index < WORKERS; index++)
			if (!workers[index])
				workers[index] = start(worker);
		disturb();
		usleep(1000 * (1 + rng_next(&rng, 60)));
	}
	return true;
}

/* Ends all workers; false if one of them saw what must not be, or does not end. */
static bool stop(void)
{
	double end = now() + 60;
	unsigned int index, left;

	do {
		if (!reap())
			return false;
		for (left = 0, index = 0; index < WORKERS; index++)
			left += workers[index] > 0;
		usleep(1000);
	} while (left && now() < end);
	check(!left, "all processes end");
	return !left;
}

static long free_kib(void)
{
	char text[4096], *at;

	sync();
	tell_kernel("/proc/sys/vm/drop_caches");
	usleep(200000);
	read_text("/proc/meminfo", text, sizeof(text));
	at = strstr(text, "MemAvailable:");
	return at ? strtol(at + 13, NULL, 10) : 0;
}

static bool is_empty(const char *name)
{
	char path[100], text[4096];
	double end = now() + 10;

	snprintf(path, sizeof(path), "/sys/kernel/debug/siommu/%s", name);
	do {
		read_text(path, text, sizeof(text));
	} while (*text && now() < end);
	if (*text)
		printf("note: %s: %s", name, text);
	return !*text;
}

static void look_behind(long before)
{
	struct siommu *siommu = siommu_open(0);
	struct siommu_info info = { 0 };
	long less;

	check(siommu && !ioctl(siommu->fd, SIOMMU_IOC_INFO, &info) && info.pasid &&
	      info.pasid < PASIDS, "PASIDs are used again");
	if (siommu)
		siommu_close(siommu);
	check(is_empty("spaces"), "no address space is left");
	check(is_empty("files"), "no file is held");
	less = before - free_kib();
	printf("note: %ld KiB of memory less than before\n", less);
	check(less < LEAK_KIB, "no memory is lost");
}

int main(int words, char **word)
{
	double seconds;
	unsigned int index;
	long before;
	bool good;

	if (words == 1)
		return 0;		/* what a worker executes */
	if (words != 5) {
		fprintf(stderr, "usage: stress SEED SECONDS FOLDER FOLDER\n");
		return 2;
	}
	rng.state = strtoull(word[1], NULL, 0);
	seconds = strtod(word[2], NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* children of those that were killed are ours */
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (index = 0; index < FILES; index++) {
		snprintf(paths[index], sizeof(paths[index]), "%s/%u", word[3 + index % 2], index);
		close(make_file(paths[index], index, FILE_PAGES));
	}
	for (index = 0; index < WATCHERS; index++)
		watchers[index] = start(watcher);
	good = run_for(WARM_SECONDS) && stop();
	before = free_kib();
	good = good && run_for(seconds) && stop();
	for (index = 0; index < WATCHERS; index++)
		kill(watchers[index], SIGKILL);
	printf("note: %u processes, %u killed; %llu steps, %llu reads, %llu writes, %llu refusals\n",
	       started, killed, (unsigned long long)counts->steps,
	       (unsigned long long)counts->reads, (unsigned long long)counts->writes,
	       (unsigned long long)counts->refused);
	check(good, "nothing was seen that must not be");
	if (good) {
		usleep(100000);
		reap();
		look_behind(before);
	}
	return failed;
}
