/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD=libsiommu_preload.so: an unmodified program reads and writes its files directly.
 *
 * A file is attached when it is first read or written, and the program's calls go to the library.
 * Whatever the library or the module refuses goes through the kernel, as without us: files of other
 * kinds, of other devices, opened for appending, mapped into memory. Calls that a file refuses
 * because it is attached (truncate, unlink) detach it first.
 *
 * The position of a descriptor stays the kernel's, so that copies of it, children and lseek() see
 * the right one. A descriptor is recognised by file and mode at each call, because the C library
 * closes and opens some without us.
 *
 * SIOMMU_PRELOAD_COUNTS=1 writes to standard error at exit what went which way.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "siommu_direct.h"

#define FDS	1024

enum state { UNKNOWN, DIRECT, KERNEL };

static struct descriptor {
	enum state state;
	struct siommu_file *file;
	dev_t dev;
	ino_t ino;
	int mode;
} descriptors[FDS];

static pthread_mutex_t lock;			/* recursive; of the descriptors */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct siommu *siommu;
static int hopeless;				/* there is no /dev/siommu */
static int teller = -1;				/* standard error, which some programs close at exit */
static __thread int inside;			/* a call of ours, which the library makes */

/* The C library's own function behind one of ours. */
#define REAL(name)	((__typeof__(&name))real(#name))

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void take(void)
{
	pthread_mutex_lock(&lock);
}

static void give(void)
{
	pthread_mutex_unlock(&lock);
}

/* A child has its parent's descriptors and none of its queues. */
static void in_child(void)
{
	int fd;

	give();
	for (fd = 0; fd < FDS; fd++)
		descriptors[fd].state = UNKNOWN;
	inside++;
	if (siommu)
		siommu_close(siommu);
	inside--;
	siommu = NULL;
}

static void tell(void)
{
	struct siommu_counts counts = { 0 };

	if (siommu)
		counts = siommu_counts(siommu);
	dprintf(teller, "siommu: direct %llu, kernel %llu, bytes %llu\n",
		(unsigned long long)counts.direct, (unsigned long long)counts.kernel,
		(unsigned long long)counts.bytes);
}

static void begin(void)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&lock, &recursive);
	pthread_atfork(take, give, in_child);
	if (getenv("SIOMMU_PRELOAD_COUNTS")) {
		teller = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
		if (teller >= 0)
			atexit(tell);
	}
}

/* The lock is held. */
static void drop(int fd)
{
	struct descriptor *descriptor = &descriptors[fd];

	if (descriptor->state == DIRECT) {
		inside++;
		siommu_detach(descriptor->file);
		inside--;
	}
	descriptor->state = UNKNOWN;
}

static void drop_fd(int fd)
{
	if (inside || fd < 0 || fd >= FDS)
		return;
	pthread_once(&once, begin);
	take();
	drop(fd);
	give();
}

/* Detaches what is attached of a file; true if there was any. */
static int drop_file(const struct stat *about)
{
	int fd, dropped = 0;

	take();
	for (fd = 0; fd < FDS; fd++)
		if (descriptors[fd].state == DIRECT && descriptors[fd].ino == about->st_ino &&
		    descriptors[fd].dev == about->st_dev) {
			drop(fd);
			dropped = 1;
		}
	give();
	return dropped;
}

static int refused(int result)
{
	return result < 0 && (errno == EPERM || errno == ETXTBSY);
}

/* After a call about a path that was refused: whether to try again. */
static int mended(int folder, const char *path)
{
	int error = errno;
	struct stat about;

	pthread_once(&once, begin);
	if (!inside && !fstatat(folder, path, &about, AT_SYMLINK_NOFOLLOW) && drop_file(&about))
		return 1;
	errno = error;
	return 0;
}

static void attach(int fd, struct descriptor *descriptor, const struct stat *about, int mode)
{
	descriptor->dev = about->st_dev;
	descriptor->ino = about->st_ino;
	descriptor->mode = mode;
	descriptor->state = KERNEL;
	/* What is appended goes where the kernel says. */
	if (mode & (O_APPEND | O_PATH))
		return;
	inside++;
	if (!siommu && !hopeless) {
		siommu = siommu_open(0);
		hopeless = !siommu;
	}
	descriptor->file = siommu ? siommu_attach(siommu, fd) : NULL;
	inside--;
	if (descriptor->file)
		descriptor->state = DIRECT;
}

/* The file behind a descriptor, if it is read and written directly; the lock is held then. */
static struct siommu_file *direct(int fd)
{
	int error = errno, mode;
	struct stat about;

	if (inside || fd < 0 || fd >= FDS)
		return NULL;
	pthread_once(&once, begin);
	if (fstat(fd, &about) || !S_ISREG(about.st_mode))
		goto kernel;
	mode = fcntl(fd, F_GETFL);
	take();
	if (descriptors[fd].state != UNKNOWN &&
	    (descriptors[fd].ino != about.st_ino || descriptors[fd].dev != about.st_dev ||
	     descriptors[fd].mode != mode))
		drop(fd);
	if (descriptors[fd].state == UNKNOWN)
		attach(fd, &descriptors[fd], &about, mode);
	errno = error;
	if (descriptors[fd].state == DIRECT)
		return descriptors[fd].file;
	give();
kernel:
	errno = error;
	return NULL;
}

/* One of the four calls, directly if that is possible. @at NULL: the descriptor's position. */
static ssize_t transfer(int fd, int writes, void *buffer, size_t length, const off_t *at,
			int *done)
{
	struct siommu_file *file = direct(fd);
	ssize_t moved = -1;
	off_t place;

	*done = 0;
	if (!file)
		return -1;
	place = at ? *at : lseek(fd, 0, SEEK_CUR);
	inside++;
	if (place >= 0)
		moved = writes ? siommu_pwrite(file, buffer, length, place) :
				 siommu_pread(file, buffer, length, place);
	inside--;
	if (moved > 0 && !at)
		lseek(fd, place + moved, SEEK_SET);
	/* The kernel has the last word: without us it might have been done. */
	if (moved < 0 && (errno == EACCES || errno == EIO || errno == ESTALE)) {
		drop(fd);
		descriptors[fd].state = KERNEL;
	} else {
		*done = 1;
	}
	give();
	return moved;
}

ssize_t read(int fd, void *buffer, size_t length)
{
	int done;
	ssize_t moved = transfer(fd, 0, buffer, length, NULL, &done);

	return done ? moved : REAL(read)(fd, buffer, length);
}

ssize_t write(int fd, const void *buffer, size_t length)
{
	int done;
	ssize_t moved = transfer(fd, 1, (void *)buffer, length, NULL, &done);

	return done ? moved : REAL(write)(fd, buffer, length);
}

ssize_t pread(int fd, void *buffer, size_t length, off_t offset)
{
	int done;
	ssize_t moved = transfer(fd, 0, buffer, length, &offset, &done);

	return done ? moved : REAL(pread)(fd, buffer, length, offset);
}

ssize_t pwrite(int fd, const void *buffer, size_t length, off_t offset)
{
	int done;
	ssize_t moved = transfer(fd, 1, (void *)buffer, length, &offset, &done);

	return done ? moved : REAL(pwrite)(fd, buffer, length, offset);
}

/* Each part by itself: a short one ends it. */
static ssize_t parts(int fd, int writes, const struct iovec *vector, int count, off_t *at)
{
	ssize_t sum = 0;

	for (; count > 0; vector++, count--) {
		ssize_t moved = at ? writes ? pwrite(fd, vector->iov_base, vector->iov_len, *at) :
					      pread(fd, vector->iov_base, vector->iov_len, *at) :
				writes ? write(fd, vector->iov_base, vector->iov_len) :
					 read(fd, vector->iov_base, vector->iov_len);

		if (moved < 0)
			return sum ? sum : -1;
		sum += moved;
		if (at)
			*at += moved;
		if ((size_t)moved < vector->iov_len)
			break;
	}
	return sum;
}

/* Whether calls on the descriptor go to the library. */
static int is_direct(int fd)
{
	if (!direct(fd))
		return 0;
	give();
	return 1;
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
	return is_direct(fd) ? parts(fd, 0, vector, count, NULL) : REAL(readv)(fd, vector, count);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
	return is_direct(fd) ? parts(fd, 1, vector, count, NULL) : REAL(writev)(fd, vector, count);
}

ssize_t preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
	return is_direct(fd) ? parts(fd, 0, vector, count, &offset) :
			       REAL(preadv)(fd, vector, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
	return is_direct(fd) ? parts(fd, 1, vector, count, &offset) :
			       REAL(pwritev)(fd, vector, count, offset);
}

/* The caller then reads and writes, which is what we are here for. */
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length,
			unsigned int flags)
{
	if (is_direct(from) || is_direct(to)) {
		errno = ENOSYS;
		return -1;
	}
	return REAL(copy_file_range)(from, from_at, to, to_at, length, flags);
}

int close(int fd)
{
	drop_fd(fd);
	return REAL(close)(fd);
}

int dup2(int from, int to)
{
	if (from != to)
		drop_fd(to);
	return REAL(dup2)(from, to);
}

int dup3(int from, int to, int flags)
{
	drop_fd(to);
	return REAL(dup3)(from, to, flags);
}

/* Detaches a descriptor's file, however many descriptors have it. */
static void drop_all(int fd)
{
	int error = errno;
	struct stat about;

	if (inside)
		return;
	pthread_once(&once, begin);
	if (!fstat(fd, &about))
		drop_file(&about);
	errno = error;
}

int ftruncate(int fd, off_t length)
{
	drop_all(fd);
	return REAL(ftruncate)(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	drop_all(fd);
	return REAL(fallocate)(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
	drop_all(fd);
	return REAL(posix_fallocate)(fd, offset, length);
}

int truncate(const char *path, off_t length)
{
	int result = REAL(truncate)(path, length);

	return refused(result) && mended(AT_FDCWD, path) ? REAL(truncate)(path, length) : result;
}

int unlink(const char *path)
{
	int result = REAL(unlink)(path);

	return refused(result) && mended(AT_FDCWD, path) ? REAL(unlink)(path) : result;
}

int unlinkat(int folder, const char *path, int flags)
{
	int result = REAL(unlinkat)(folder, path, flags);

	return refused(result) && mended(folder, path) ? REAL(unlinkat)(folder, path, flags) :
							 result;
}

int rename(const char *from, const char *to)
{
	int result = REAL(rename)(from, to);

	if (refused(result) && (mended(AT_FDCWD, from) | mended(AT_FDCWD, to)))
		result = REAL(rename)(from, to);
	return result;
}

/* A file that is mapped is in the page cache, where we do not look. */
void *mmap(void *at, size_t length, int rights, int flags, int fd, off_t offset)
{
	if (!inside && fd >= 0 && fd < FDS && !(flags & MAP_ANONYMOUS) && is_direct(fd)) {
		drop_all(fd);
		take();
		descriptors[fd].state = KERNEL;
		give();
	}
	return REAL(mmap)(at, length, rights, flags, fd, offset);
}

/* open(2) fails with ETXTBSY where it would cut a file that is attached. */
static int open_again(int folder, const char *path, int flags, mode_t mode)
{
	int fd = REAL(openat)(folder, path, flags, mode);

	return refused(fd) && flags & O_TRUNC && mended(folder, path) ?
		REAL(openat)(folder, path, flags, mode) : fd;
}

#define OPEN(name, head, folder)						\
	int name head								\
	{									\
		mode_t mode = 0;						\
		va_list more;							\
										\
		if (flags & (O_CREAT | __O_TMPFILE)) {				\
			va_start(more, flags);					\
			mode = va_arg(more, mode_t);				\
			va_end(more);						\
		}								\
		return open_again(folder, path, flags, mode);			\
	}
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)

/* Streams for reading: the C library reads for them without calling read(). */
static ssize_t stream_read(void *cookie, char *buffer, size_t length)
{
	return read((int)(intptr_t)cookie, buffer, length);
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
	off_t at = lseek((int)(intptr_t)cookie, *offset, whence);

	*offset = at;
	return at < 0 ? -1 : 0;
}

static int stream_close(void *cookie)
{
	return close((int)(intptr_t)cookie);
}

FILE *fopen(const char *path, const char *mode)
{
	cookie_io_functions_t functions = {
		.read = stream_read, .seek = stream_seek, .close = stream_close,
	};
	FILE *stream;
	int fd;

	if (inside || mode[0] != 'r' || strchr(mode, '+'))
		return REAL(fopen)(path, mode);
	fd = open(path, O_RDONLY | (strchr(mode, 'e') ? O_CLOEXEC : 0));
	if (fd < 0)
		return NULL;
	if (!is_direct(fd)) {
		REAL(close)(fd);
		return REAL(fopen)(path, mode);
	}
	stream = fopencookie((void *)(intptr_t)fd, "r", functions);
	if (!stream)
		close(fd);
	return stream;
}

/* The names that programs with large files call; off_t has 64 bits in both. */
#define ALIAS(name, of)	extern __typeof__(of) name __attribute__((alias(#of)))
#undef pread64
#undef pwrite64
ALIAS(pread64, pread);
ALIAS(pwrite64, pwrite);
ALIAS(preadv64, preadv);
ALIAS(pwritev64, pwritev);
ALIAS(ftruncate64, ftruncate);
ALIAS(fallocate64, fallocate);
ALIAS(posix_fallocate64, posix_fallocate);
ALIAS(truncate64, truncate);
ALIAS(mmap64, mmap);
ALIAS(open64, open);
ALIAS(openat64, openat);
ALIAS(fopen64, fopen);
