/*
 * Code that the floors share: sandboxes as the runner and the lab make them, without either.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void check(int bad, const char *what) {
    if (bad) {
        perror(what);
        _exit(1);
    }
}

static inline void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    check(fd < 0, path);
    check(write(fd, text, strlen(text)) < 0, path);
    close(fd);
}

/* clone3; in the child it returns 0. */
static inline pid_t child_with(uint64_t namespaces) {
    struct clone_args args = {.flags = namespaces, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    check(pid < 0, "clone3");
    return (pid_t)pid;
}

static inline void loopback(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    check(fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0, "lo");
    close(fd);
}

/* Makes the mounts of a trial and of a node. */
static inline void furnish(const char *hostname) {
    check(sethostname(hostname, strlen(hostname)) < 0, "hostname");
    loopback();
    unsigned long flags = MS_NOSUID | MS_NODEV;
    check(mount("proc", "/proc", "proc", flags | MS_NOEXEC, NULL), "proc");
    check(mount("sysfs", "/sys", "sysfs", flags | MS_NOEXEC, NULL), "sysfs");
    check(mount("tmpfs", "/tmp", "tmpfs", flags, "mode=1777,size=1g,nr_inodes=1m"), "tmp");
    check(mount("tmpfs", "/run", "tmpfs", flags, "mode=755,size=1g,nr_inodes=1m"), "run");
    check(mount("tmpfs", "/dev/shm", "tmpfs", flags, "mode=1777,size=1g,nr_inodes=1m"), "shm");
    check(mount("mqueue", "/dev/mqueue", "mqueue", flags | MS_NOEXEC, NULL), "mqueue");
    check(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"), "pts");
    put("/proc/sys/net/ipv4/tcp_orphan_retries", "1");
}

/* Makes, once and as the runner does, the outer user namespace and a mount namespace with
 * /dev/mqueue. */
static inline void outer(void) {
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    check(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0, "unshare");
    put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    put("/proc/self/gid_map", map);
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(mount("tmpfs", "/dev", "tmpfs", 0, NULL), "dev");
    mkdir("/dev/shm", 0755), mkdir("/dev/mqueue", 0755), mkdir("/dev/pts", 0755);
}

#endif
