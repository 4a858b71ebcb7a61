/*
 * Records what a process does to the files under ENC_RECORD_ROOT, in order, into ENC_RECORD: writes with their bytes,
 * syncs, truncations, names; and what it sends over the network, so that an acknowledgement has its place among them.
 * Loaded with LD_PRELOAD. With ENC_RECORD_NOSYNC=1 syncs are swallowed: that is a node that does not sync.
 *
 * A record: u8 kind, u8 flags, u16 zero, u32 length of the payload, u64 inode, u64 number (offset, size or sync), payload.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NAME = 1, WRITE = 2, SYNC_BEGIN = 3, SYNC_END = 4, TRUNCATE = 5, RENAME = 6, UNLINK = 7, SENT = 8, MKDIR = 9 };
enum { UNKNOWN = 0, OURS = 1, NET = 2, OTHER = 3 };
enum { DURABLE = 1 };
#define FDS 65536

struct head { uint8_t kind, flags; uint16_t zero; uint32_t length; uint64_t inode, number; };
struct fd { uint8_t what, durable; uint64_t inode, device; };

static struct fd fds[FDS];
static int out = -1, nosync;
static const char *root;
static uint64_t syncs;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("ENC_RECORD");
  root = getenv("ENC_RECORD_ROOT");
  nosync = getenv("ENC_RECORD_NOSYNC") != NULL;
  if (path && root) out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

#define NEXT(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

static void put(int kind, int flags, uint64_t inode, uint64_t number, const struct iovec *parts, int count, size_t length) {
  if (out < 0) return;
  int saved = errno;
  struct head head = { kind, flags, 0, length, inode, number };
  struct iovec all[1025] = { { &head, sizeof head } };
  size_t left = length;
  int n = 1;
  for (int i = 0; i < count && left > 0 && n < 1025; i++, n++) {
    all[n].iov_base = parts[i].iov_base;
    all[n].iov_len = parts[i].iov_len < left ? parts[i].iov_len : left;
    left -= all[n].iov_len;
  }
  /* one call, so that records of different threads don't mix; a torn recording must not pass for a whole one */
  if (left > 0 || syscall(SYS_writev, out, all, n) != (long)(sizeof head + length)) abort();
  errno = saved;
}

static int under(const char *path) {
  return root && strncmp(path, root, strlen(root)) == 0;
}

static struct fd *look(int fd) {
  static struct fd none = { OTHER, 0, 0, 0 };
  if (fd < 0 || fd >= FDS || out < 0 || fd == out) return &none;
  struct fd *it = &fds[fd];
  int saved = errno;
  struct stat st;
  /* not every close comes by here, so a number may have become another file */
  if (fstat(fd, &st) != 0) {
    errno = saved;
    return &none;
  }
  if (it->what != UNKNOWN && it->inode == st.st_ino && it->device == st.st_dev) {
    it->durable = it->what == OURS && !nosync && (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    errno = saved;
    return it;
  }
  it->inode = st.st_ino;
  it->device = st.st_dev;
  char link[64] = "/proc/self/fd/", path[PATH_MAX];
  it->what = OTHER;
  if (S_ISSOCK(st.st_mode)) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6)) it->what = NET;
  } else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
    char digits[16];
    int n = 0, v = fd;
    do digits[n++] = '0' + v % 10; while ((v /= 10) > 0);
    size_t at = strlen(link);
    while (n > 0) link[at++] = digits[--n];
    link[at] = 0;
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
      path[length] = 0;
      if (under(path)) {
        it->what = OURS;
        it->durable = !nosync && (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
        struct iovec name = { path, length };
        put(NAME, S_ISDIR(st.st_mode), st.st_ino, 0, &name, 1, length);
      }
    }
  }
  errno = saved;
  return it;
}

static void wrote(int fd, off_t offset, const struct iovec *parts, int count, ssize_t done) {
  struct fd *it = look(fd);
  if (done > 0 && it->what == OURS) put(WRITE, it->durable ? DURABLE : 0, it->inode, offset, parts, count, done);
}

static void sent(int fd, const struct iovec *parts, int count) {
  if (look(fd)->what != NET) return;
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  put(SENT, 0, fd, 0, parts, count, length);
}

static void opened(int fd) {
  if (fd < 0 || fd >= FDS) return;
  fds[fd].what = UNKNOWN;
  look(fd);
}

#define OPENER(name) \
  int name(const char *path, int flags, ...) { \
    NEXT(int, #name, const char *, int, ...); \
    va_list list; va_start(list, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; va_end(list); \
    int fd = real(path, flags, mode); \
    opened(fd); \
    return fd; \
  }
OPENER(open)
OPENER(open64)

int openat(int at, const char *path, int flags, ...) {
  NEXT(int, "openat", int, const char *, int, ...);
  va_list list; va_start(list, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; va_end(list);
  int fd = real(at, path, flags, mode);
  opened(fd);
  return fd;
}

int close(int fd) {
  NEXT(int, "close", int);
  if (fd >= 0 && fd < FDS) fds[fd].what = UNKNOWN;
  return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  NEXT(ssize_t, "write", int, const void *, size_t);
  struct iovec part = { (void *)bytes, length };
  sent(fd, &part, 1);
  off_t at = look(fd)->what == OURS ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t done = real(fd, bytes, length);
  wrote(fd, at, &part, 1, done);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  NEXT(ssize_t, "writev", int, const struct iovec *, int);
  sent(fd, parts, count);
  off_t at = look(fd)->what == OURS ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t done = real(fd, parts, count);
  wrote(fd, at, parts, count, done);
  return done;
}

#define PWRITE(name) \
  ssize_t name(int fd, const void *bytes, size_t length, off_t at) { \
    NEXT(ssize_t, #name, int, const void *, size_t, off_t); \
    struct iovec part = { (void *)bytes, length }; \
    ssize_t done = real(fd, bytes, length, at); \
    wrote(fd, at, &part, 1, done); \
    return done; \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off_t at) { \
    NEXT(ssize_t, #name, int, const struct iovec *, int, off_t); \
    ssize_t done = real(fd, parts, count, at); \
    wrote(fd, at, parts, count, done); \
    return done; \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  NEXT(ssize_t, "send", int, const void *, size_t, int);
  struct iovec part = { (void *)bytes, length };
  sent(fd, &part, 1);
  return real(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  NEXT(ssize_t, "sendmsg", int, const struct msghdr *, int);
  sent(fd, message->msg_iov, message->msg_iovlen);
  return real(fd, message, flags);
}

#define SYNCER(name) \
  int name(int fd) { \
    NEXT(int, #name, int); \
    struct fd *it = look(fd); \
    if (it->what != OURS) return real(fd); \
    if (nosync) return 0; \
    uint64_t inode = it->inode, number = __sync_add_and_fetch(&syncs, 1); \
    put(SYNC_BEGIN, 0, inode, number, NULL, 0, 0); \
    int result = real(fd); \
    if (result == 0) put(SYNC_END, 0, inode, number, NULL, 0, 0); \
    return result; \
  }
SYNCER(fsync)
SYNCER(fdatasync)

#define TRUNCATER(name) \
  int name(int fd, off_t size) { \
    NEXT(int, #name, int, off_t); \
    int result = real(fd, size); \
    struct fd *it = look(fd); \
    if (result == 0 && it->what == OURS) put(TRUNCATE, 0, it->inode, size, NULL, 0, 0); \
    return result; \
  }
TRUNCATER(ftruncate)
TRUNCATER(ftruncate64)

int truncate(const char *path, off_t size) {
  NEXT(int, "truncate", const char *, off_t);
  int result = real(path, size);
  struct stat st;
  if (result == 0 && under(path) && stat(path, &st) == 0) put(TRUNCATE, 0, st.st_ino, size, NULL, 0, 0);
  return result;
}

int rename(const char *from, const char *to) {
  NEXT(int, "rename", const char *, const char *);
  int result = real(from, to);
  if (result == 0 && under(to)) {
    struct iovec names[2] = { { (void *)from, strlen(from) + 1 }, { (void *)to, strlen(to) } };
    put(RENAME, 0, 0, 0, names, 2, names[0].iov_len + names[1].iov_len);
  }
  return result;
}

int link(const char *from, const char *to) {
  NEXT(int, "link", const char *, const char *);
  int result = real(from, to);
  struct stat st;
  if (result == 0 && under(to) && stat(to, &st) == 0) {
    struct iovec name = { (void *)to, strlen(to) };
    put(NAME, 0, st.st_ino, 0, &name, 1, name.iov_len);
  }
  return result;
}

int unlink(const char *path) {
  NEXT(int, "unlink", const char *);
  int result = real(path);
  if (result == 0 && under(path)) {
    struct iovec name = { (void *)path, strlen(path) };
    put(UNLINK, 0, 0, 0, &name, 1, name.iov_len);
  }
  return result;
}

int mkdir(const char *path, mode_t mode) {
  NEXT(int, "mkdir", const char *, mode_t);
  int result = real(path, mode);
  if (result == 0 && under(path)) {
    struct iovec name = { (void *)path, strlen(path) };
    put(MKDIR, 0, 0, 0, &name, 1, name.iov_len);
  }
  return result;
}
