/* Stands between a program and the C library (LD_PRELOAD), counts the calls that change files under one folder, and lets
 * one of them fail, or the process die at it. What it does is told by variables of the environment:
 *
 *   TORTURE_FOLDER  the folder, an absolute path without links
 *   TORTURE_COUNT   which calls are counted: `changes`, `writes` (a part of the changes) or `reads`
 *   TORTURE_FAULT   `eio`, `enospc`: that call fails, once; `short`: half is written, and the rest finds no room;
 *                   `full`: from that call on nothing can grow; `dead`: from that call on every call fails with EIO, reads
 *                   too; `kill-before`, `kill-after`: SIGKILL around that call
 *   TORTURE_AT      the number of the call, from 1; 0: none, all are noted
 *   TORTURE_NOTES   a file that gets a line for each call that is hit, or for each that is counted
 *
 * It also remembers of each file whether something was written and not synced, or lost: of a sync that fails, the kernel
 * forgets what it could not write, and a second sync says nothing. A rename that gives such a file its name is noted as
 * `unsynced`, and what is left of them when the process ends by itself as `at-risk`. A folder's failed sync is made good by
 * a later one, as its changes are in a journal that is written in order or not at all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum sort { SMALLER, GROWS, WRITES, READS };  /* what a call does to files */
enum fault { NO_FAULT, EIO_ONCE, ENOSPC_ONCE, SHORT, FULL, DEAD, KILL_BEFORE, KILL_AFTER };
enum verdict { GO, FAIL, HALF, GO_AND_DIE };

static const char *folder = NULL, *counted = "changes";
static long at = 0;
static enum fault fault = NO_FAULT;
static int notes = -1;
static atomic_long number = 0;
static atomic_int half_written = -1;  /* the descriptor whose next write finds no room */

#define REAL(name) \
    static __typeof__(&name) real_##name = NULL; \
    if (!real_##name) real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    static const char *const NAMES[] = {"", "eio", "enospc", "short", "full", "dead", "kill-before", "kill-after"};
    const char *name = getenv("TORTURE_FAULT"), *path = getenv("TORTURE_NOTES"), *call = getenv("TORTURE_AT");
    if (getenv("TORTURE_COUNT")) counted = getenv("TORTURE_COUNT");
    if (call) at = atol(call);
    for (int i = 1; name && i < 8; i++)
        if (!strcmp(name, NAMES[i])) fault = i;
    if (path) notes = syscall(SYS_open, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    folder = getenv("TORTURE_FOLDER");
}

static int inside(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    return length && path && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

/* The path of an open file, an empty text where it has none. */
static const char *path_of(int descriptor, char *buffer) {
    char link[40];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = folder ? syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1) : 0;
    buffer[length > 0 ? length : 0] = 0;
    errno = kept;
    return buffer;
}

/* The path of a name below an open directory. */
static const char *path_at(int directory, const char *name, char *buffer) {
    if (!name || name[0] == '/' || directory == AT_FDCWD) return name;
    size_t length = strlen(path_of(directory, buffer));
    if (name[0]) snprintf(buffer + length, PATH_MAX - length, "/%s", name);
    return buffer;
}

static void note(const char *what, long call, const char *name, const char *path) {
    char line[PATH_MAX + 100];
    int length = snprintf(line, sizeof line, "%s %ld %s %s\n", what, call, name, path + strlen(folder));
    if (notes >= 0) syscall(SYS_write, notes, line, length);
}

/* What is to happen to a call. */
static enum verdict meet(enum sort sort, const char *name, const char *path, int descriptor, size_t length) {
    if (!inside(path)) return GO;
    if (sort == WRITES && descriptor >= 0 && atomic_load(&half_written) == descriptor) {
        atomic_store(&half_written, -1);
        errno = ENOSPC;
        return FAIL;
    }
    int counts = !strcmp(counted, "reads") ? sort == READS : !strcmp(counted, "writes") ? sort == WRITES : sort != READS;
    /* Once a device is gone, it is gone for reads, too. */
    if (!counts && !(fault == DEAD && at && atomic_load(&number) >= at)) return GO;
    long call = counts ? atomic_fetch_add(&number, 1) + 1 : at + 1;
    if (!at) note("call", call, name, path);
    if (!at || call < at || (call > at && fault != FULL && fault != DEAD)) return GO;
    if (call == at) note("hit", call, name, path);
    switch (fault) {
    case EIO_ONCE:
    case DEAD:
        errno = EIO;
        return FAIL;
    case ENOSPC_ONCE:
        errno = ENOSPC;
        return FAIL;
    case FULL:
        errno = ENOSPC;
        return sort == GROWS || sort == WRITES ? FAIL : GO;
    case SHORT:
        if (length < 2) {
            errno = ENOSPC;
            return FAIL;
        }
        atomic_store(&half_written, descriptor);
        return HALF;
    case KILL_BEFORE:
        kill(getpid(), SIGKILL);
        pause();
        return FAIL;
    case KILL_AFTER:
        return GO_AND_DIE;
    default:
        return GO;
    }
}

static void die(enum verdict verdict) {
    if (verdict == GO_AND_DIE) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

/* What is not on the disk yet. */
static struct { dev_t device; ino_t file; int folder, dirty, lost; char path[PATH_MAX]; } known[1024];
static int known_count = 0;
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

enum { WRITTEN, SYNCED, SYNC_FAILED, ASK };

static int remember(const struct stat *status, int what, const char *path) {
    int found = 0;
    pthread_mutex_lock(&known_lock);
    int place = 0;
    while (place < known_count && (known[place].device != status->st_dev || known[place].file != status->st_ino)) place++;
    if (place == known_count && what != ASK && known_count < 1024) {
        known[known_count].device = status->st_dev;
        known[known_count].folder = S_ISDIR(status->st_mode);
        known[known_count++].file = status->st_ino;
    }
    if (place < known_count && path) snprintf(known[place].path, PATH_MAX, "%s", path);
    if (place < known_count) {
        if (what == WRITTEN) known[place].dirty = 1;
        if (what == SYNC_FAILED && (known[place].dirty || known[place].folder)) known[place].lost = 1;
        if (what == SYNCED && known[place].folder) known[place].lost = 0;
        if (what == SYNCED) known[place].dirty = 0;
        found = known[place].dirty || known[place].lost;
    }
    pthread_mutex_unlock(&known_lock);
    return found;
}

static void remember_open(int descriptor, int what, const char *path) {
    struct stat status;
    int kept = errno;
    if (descriptor >= 0 && !fstat(descriptor, &status)) remember(&status, what, path);
    errno = kept;
}

/* Everything of a file system is on the disk, but for what was lost before. */
static void remember_sync_of(int descriptor) {
    struct stat status;
    int kept = errno;
    if (descriptor >= 0 && !fstat(descriptor, &status)) {
        pthread_mutex_lock(&known_lock);
        for (int place = 0; place < known_count; place++)
            if (known[place].device == status.st_dev) {
                known[place].dirty = 0;
                if (known[place].folder) known[place].lost = 0;
            }
        pthread_mutex_unlock(&known_lock);
    }
    errno = kept;
}

__attribute__((destructor)) static void end(void) {
    for (int place = 0; place < known_count; place++)
        if (known[place].dirty || known[place].lost) note("at-risk", 0, known[place].lost ? "lost" : "unsynced", known[place].path);
}

static void remember_rename(const char *from, const char *to) {
    struct stat status;
    int kept = errno;
    if (inside(to) && !lstat(from, &status) && S_ISREG(status.st_mode) && remember(&status, ASK, NULL)) note("unsynced", 0, "rename", to);
    errno = kept;
}

/* Calls with a descriptor: `done` is what the real one gave. */
#define ON_DESCRIPTOR(sort, name, descriptor, call, after) \
    char buffer[PATH_MAX]; \
    REAL(name); \
    enum verdict verdict = meet(sort, #name, path_of(descriptor, buffer), descriptor, 0); \
    int done = verdict == FAIL ? -1 : call; \
    after; \
    die(verdict); \
    return done

#define ON_PATH(sort, name, path, call) \
    REAL(name); \
    enum verdict verdict = meet(sort, #name, path, -1, 0); \
    int done = verdict == FAIL ? -1 : call; \
    die(verdict); \
    return done

#define WRITE(name, signature, descriptor, length, whole, half) \
    ssize_t name signature { \
        char buffer[PATH_MAX]; \
        REAL(name); \
        enum verdict verdict = meet(WRITES, #name, path_of(descriptor, buffer), descriptor, length); \
        ssize_t done = verdict == FAIL ? -1 : verdict == HALF ? half : whole; \
        if (done > 0 && inside(buffer)) remember_open(descriptor, WRITTEN, buffer); \
        die(verdict); \
        return done; \
    }

WRITE(write, (int d, const void *from, size_t n), d, n, real_write(d, from, n), real_write(d, from, n / 2))
WRITE(pwrite, (int d, const void *from, size_t n, off_t o), d, n, real_pwrite(d, from, n, o), real_pwrite(d, from, n / 2, o))
WRITE(pwrite64, (int d, const void *from, size_t n, off64_t o), d, n, real_pwrite64(d, from, n, o), real_pwrite64(d, from, n / 2, o))
WRITE(writev, (int d, const struct iovec *v, int n), d, v->iov_len, real_writev(d, v, n), syscall(SYS_write, d, v->iov_base, v->iov_len / 2))

#define READ(name, signature, descriptor, call) \
    ssize_t name signature { \
        char buffer[PATH_MAX]; \
        REAL(name); \
        enum verdict verdict = meet(READS, #name, path_of(descriptor, buffer), descriptor, 0); \
        ssize_t done = verdict == FAIL ? -1 : call; \
        die(verdict); \
        return done; \
    }

READ(read, (int d, void *to, size_t n), d, real_read(d, to, n))
READ(pread, (int d, void *to, size_t n, off_t o), d, real_pread(d, to, n, o))
READ(pread64, (int d, void *to, size_t n, off64_t o), d, real_pread64(d, to, n, o))

static int opened(const char *name, int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    enum verdict verdict = meet(flags & O_CREAT ? GROWS : READS, name, path, -1, 0);
    int descriptor = verdict == FAIL ? -1 : real(path, flags, mode);
    if (flags & O_CREAT && flags & O_EXCL && inside(path)) remember_open(descriptor, WRITTEN, path);
    die(verdict);
    return descriptor;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        REAL(name); \
        return opened(#name, real_##name, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

#define SYNC(name) \
    int name(int d) { \
        ON_DESCRIPTOR(SMALLER, name, d, real_##name(d), \
            if (inside(buffer)) remember_open(d, done ? SYNC_FAILED : SYNCED, buffer)); \
    }

SYNC(fsync)
SYNC(fdatasync)

int syncfs(int d) { ON_DESCRIPTOR(SMALLER, syncfs, d, real_syncfs(d), if (!done) remember_sync_of(d)); }

#define OPEN_AT(name) \
    int name(int directory, const char *path, int flags, ...) { \
        char buffer[PATH_MAX]; \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        REAL(name); \
        const char *whole = path_at(directory, path, buffer); \
        enum verdict verdict = meet(flags & O_CREAT ? GROWS : READS, #name, whole, -1, 0); \
        int descriptor = verdict == FAIL ? -1 : real_##name(directory, path, flags, mode); \
        if (flags & O_CREAT && flags & O_EXCL && inside(whole)) remember_open(descriptor, WRITTEN, whole); \
        die(verdict); \
        return descriptor; \
    }

OPEN_AT(openat)
OPEN_AT(openat64)

#define COPY(name, signature, to, call) \
    ssize_t name signature { \
        char buffer[PATH_MAX]; \
        REAL(name); \
        enum verdict verdict = meet(WRITES, #name, path_of(to, buffer), to, 0); \
        ssize_t done = verdict == FAIL ? -1 : call; \
        if (done > 0 && inside(buffer)) remember_open(to, WRITTEN, buffer); \
        die(verdict); \
        return done; \
    }

COPY(copy_file_range, (int a, off64_t *i, int b, off64_t *o, size_t n, unsigned f), b, real_copy_file_range(a, i, b, o, n, f))
COPY(sendfile, (int b, int a, off_t *i, size_t n), b, real_sendfile(b, a, i, n))
COPY(sendfile64, (int b, int a, off64_t *i, size_t n), b, real_sendfile64(b, a, i, n))

int ftruncate(int d, off_t n) { ON_DESCRIPTOR(GROWS, ftruncate, d, real_ftruncate(d, n), if (!done && inside(buffer)) remember_open(d, WRITTEN, buffer)); }
int ftruncate64(int d, off64_t n) { ON_DESCRIPTOR(GROWS, ftruncate64, d, real_ftruncate64(d, n), if (!done && inside(buffer)) remember_open(d, WRITTEN, buffer)); }
int fallocate(int d, int m, off_t o, off_t n) { ON_DESCRIPTOR(GROWS, fallocate, d, real_fallocate(d, m, o, n), (void)0); }
int fallocate64(int d, int m, off64_t o, off64_t n) { ON_DESCRIPTOR(GROWS, fallocate64, d, real_fallocate64(d, m, o, n), (void)0); }
int fchmod(int d, mode_t m) { ON_DESCRIPTOR(SMALLER, fchmod, d, real_fchmod(d, m), (void)0); }
int fchown(int d, uid_t u, gid_t g) { ON_DESCRIPTOR(SMALLER, fchown, d, real_fchown(d, u, g), (void)0); }
int unlink(const char *path) { ON_PATH(SMALLER, unlink, path, real_unlink(path)); }
int rmdir(const char *path) { ON_PATH(SMALLER, rmdir, path, real_rmdir(path)); }
int mkdir(const char *path, mode_t mode) { ON_PATH(GROWS, mkdir, path, real_mkdir(path, mode)); }
int link(const char *from, const char *to) { ON_PATH(GROWS, link, to, real_link(from, to)); }
int rename(const char *from, const char *to) {
    remember_rename(from, to);
    ON_PATH(SMALLER, rename, to, real_rename(from, to));
}


#define ON_NAME(sort, name, directory, path, call) \
    char below[PATH_MAX]; \
    ON_PATH(sort, name, path_at(directory, path, below), call)

int futimens(int d, const struct timespec t[2]) { ON_DESCRIPTOR(SMALLER, futimens, d, real_futimens(d, t), (void)0); }
int utimensat(int d, const char *path, const struct timespec t[2], int f) {
    ON_NAME(SMALLER, utimensat, d, path, real_utimensat(d, path, t, f));
}
int chmod(const char *path, mode_t m) { ON_PATH(SMALLER, chmod, path, real_chmod(path, m)); }
int fchmodat(int d, const char *path, mode_t m, int f) { ON_NAME(SMALLER, fchmodat, d, path, real_fchmodat(d, path, m, f)); }
int unlinkat(int d, const char *path, int f) { ON_NAME(SMALLER, unlinkat, d, path, real_unlinkat(d, path, f)); }
int mkdirat(int d, const char *path, mode_t m) { ON_NAME(GROWS, mkdirat, d, path, real_mkdirat(d, path, m)); }
int symlink(const char *to, const char *path) { ON_PATH(GROWS, symlink, path, real_symlink(to, path)); }
int symlinkat(const char *to, int d, const char *path) { ON_NAME(GROWS, symlinkat, d, path, real_symlinkat(to, d, path)); }
int linkat(int a, const char *from, int b, const char *to, int f) { ON_NAME(GROWS, linkat, b, to, real_linkat(a, from, b, to, f)); }
int renameat(int a, const char *from, int b, const char *to) {
    char old[PATH_MAX], new[PATH_MAX];
    remember_rename(path_at(a, from, old), path_at(b, to, new));
    ON_NAME(SMALLER, renameat, b, to, real_renameat(a, from, b, to));
}
int renameat2(int a, const char *from, int b, const char *to, unsigned f) {
    char old[PATH_MAX], new[PATH_MAX];
    remember_rename(path_at(a, from, old), path_at(b, to, new));
    ON_NAME(SMALLER, renameat2, b, to, real_renameat2(a, from, b, to, f));
}

/* The one call without a name of its own in the C library of this program. */
long syscall(long which, ...) {
    static long (*real)(long, ...) = NULL;
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long argument[6];
    va_list rest;
    va_start(rest, which);
    for (int i = 0; i < 6; i++) argument[i] = va_arg(rest, long);
    va_end(rest);
    enum verdict verdict = GO;
    if (which == SYS_renameat2) {
        char old[PATH_MAX], new[PATH_MAX];
        const char *to = path_at((int)argument[2], (const char *)argument[3], new);
        remember_rename(path_at((int)argument[0], (const char *)argument[1], old), to);
        verdict = meet(SMALLER, "renameat2", to, -1, 0);
    }
    long done = verdict == FAIL ? -1 : real(which, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
    die(verdict);
    return done;
}
