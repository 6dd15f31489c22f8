/* Every call of the C library that changes a disk asks a judge first. Loaded before all others (LD_PRELOAD). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Asked with the call's name, an open file (or -1), one or two paths, and where and how much is written.
   Answers how many bytes may be written; for other calls anything from 0 on lets them happen. Below 0 is an error. */
typedef long (*judge_t)(const char *call, int file, const char *path, const char *second, long at, long bytes);

static judge_t judge;
static __thread int is_judging; /* what the judge itself does at the disk is nobody's business */

void set_judge(judge_t other) { judge = other; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long ask(const char *call, int file, const char *path, const char *second, long at, long bytes)
{
    int saved = errno;
    long answer = bytes;
    if (judge != NULL && !is_judging) {
        is_judging = 1;
        answer = judge(call, file, path, second, at, bytes);
        is_judging = 0;
    }
    errno = saved;
    if (answer < 0)
        errno = (int)-answer;
    return answer;
}

#define ASK(call, file, path, second, at, bytes) \
    long answer = ask(call, file, path, second, at, bytes); \
    if (answer < 0) \
        return -1

static int opened(const char *name, int place, const char *path, int flags, mode_t mode)
{
    if (flags & (O_CREAT | O_TRUNC)) {
        ASK(flags & O_CREAT ? "create" : "truncate", place, path, NULL, flags, 0);
    }
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, name))(place, path, flags, mode);
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opened("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opened("openat64", AT_FDCWD, path, flags, mode); }
int openat(int place, const char *path, int flags, ...) { MODE(flags, mode) return opened("openat", place, path, flags, mode); }
int openat64(int place, const char *path, int flags, ...) { MODE(flags, mode) return opened("openat64", place, path, flags, mode); }

ssize_t write(int file, const void *data, size_t bytes)
{
    ASK("write", file, NULL, NULL, -1, (long)bytes);
    return REAL(write)(file, data, (size_t)answer);
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t at)
{
    ASK("write", file, NULL, NULL, at, (long)bytes);
    return REAL(pwrite)(file, data, (size_t)answer, at);
}

ssize_t pwrite64(int file, const void *data, size_t bytes, off64_t at)
{
    ASK("write", file, NULL, NULL, at, (long)bytes);
    return REAL(pwrite64)(file, data, (size_t)answer, at);
}

int fsync(int file) { ASK("sync", file, NULL, NULL, 0, 0); return REAL(fsync)(file); }
int fdatasync(int file) { ASK("sync", file, NULL, NULL, 0, 0); return REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { ASK("cut", file, NULL, NULL, size, 0); return REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { ASK("cut", file, NULL, NULL, size, 0); return REAL(ftruncate64)(file, size); }

int posix_fallocate(int file, off_t at, off_t bytes)
{
    long answer = ask("reserve", file, NULL, NULL, at, bytes);
    return answer < 0 ? (int)-answer : REAL(posix_fallocate)(file, at, bytes);
}

int link(const char *from, const char *to)
{
    ASK("link", AT_FDCWD, to, from, 0, 0);
    return REAL(link)(from, to);
}

int linkat(int place, const char *from, int other, const char *to, int flags)
{
    ASK("link", other, to, from, 0, 0);
    return REAL(linkat)(place, from, other, to, flags);
}

int rename(const char *from, const char *to)
{
    ASK("rename", AT_FDCWD, to, from, 0, 0);
    return REAL(rename)(from, to);
}

int renameat(int place, const char *from, int other, const char *to)
{
    ASK("rename", other, to, from, 0, 0);
    return REAL(renameat)(place, from, other, to);
}

int unlink(const char *path) { ASK("remove", AT_FDCWD, path, NULL, 0, 0); return REAL(unlink)(path); }
int remove(const char *path) { ASK("remove", AT_FDCWD, path, NULL, 0, 0); return REAL(remove)(path); }

int unlinkat(int place, const char *path, int flags)
{
    ASK(flags & AT_REMOVEDIR ? "rmdir" : "remove", place, path, NULL, 0, 0);
    return REAL(unlinkat)(place, path, flags);
}

int rmdir(const char *path) { ASK("rmdir", AT_FDCWD, path, NULL, 0, 0); return REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { ASK("mkdir", AT_FDCWD, path, NULL, 0, 0); return REAL(mkdir)(path, mode); }

int mkdirat(int place, const char *path, mode_t mode)
{
    ASK("mkdir", place, path, NULL, 0, 0);
    return REAL(mkdirat)(place, path, mode);
}
