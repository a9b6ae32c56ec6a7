/* System calls that fail: FAIL_CALL (open, read, pread, write, fsync, flock, mmap, rename or close) ends in
   FAIL_ERRNO for files with FAIL_NAME in their path. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
    const char *name = getenv("FAIL_NAME"), *which = getenv("FAIL_CALL"), *number = getenv("FAIL_ERRNO");
    if (!name || !which || !number || strcmp(which, call) || !strstr(path, name)) return 0;
    errno = atoi(number);
    return 1;
}

static int fd_fails(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return fails(call, path);
}

#define NEXT(type, name) __typeof__(type) *original = (__typeof__(type) *)dlsym(RTLD_NEXT, name)

int flock(int fd, int how) {
    NEXT(int  (int, int), "flock");
    return fd_fails("flock", fd) ? -1 : original(fd, how);
}
ssize_t read(int fd, void *data, size_t n) {
    NEXT(ssize_t  (int, void *, size_t), "read");
    return fd_fails("read", fd) ? -1 : original(fd, data, n);
}
ssize_t pread(int fd, void *data, size_t n, off_t at) {
    NEXT(ssize_t  (int, void *, size_t, off_t), "pread");
    return fd_fails("pread", fd) ? -1 : original(fd, data, n, at);
}
ssize_t pread64(int fd, void *data, size_t n, off_t at) { return pread(fd, data, n, at); }
ssize_t write(int fd, const void *data, size_t n) {
    NEXT(ssize_t  (int, const void *, size_t), "write");
    return fd_fails("write", fd) ? -1 : original(fd, data, n);
}
int fsync(int fd) {
    NEXT(int  (int), "fsync");
    return fd_fails("fsync", fd) ? -1 : original(fd);
}
int close(int fd) {
    NEXT(int  (int), "close");
    if (!fd_fails("close", fd)) return original(fd);
    int number = errno;
    original(fd);
    errno = number;
    return -1;
}
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    NEXT(void * (void *, size_t, int, int, int, off_t), "mmap");
    return fd >= 0 && fd_fails("mmap", fd) ? (void *)-1 : original(at, n, prot, flags, fd, offset);
}
void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    return mmap(at, n, prot, flags, fd, offset);
}
int rename(const char *from, const char *to) {
    NEXT(int  (const char *, const char *), "rename");
    return fails("rename", to) ? -1 : original(from, to);
}
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    NEXT(int  (const char *, int, mode_t), "open");
    return fails("open", path) ? -1 : original(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open(path, flags, mode);
}
