/*
 * The floor that the runner is measured against: sandboxes with the same namespaces, mounts and
 * loopback as a trial's, and the same body, made by a loop around clone3, with no runner at all.
 *
 * usage: floor TRIALS WORKERS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(int bad, const char *what) {
    if (bad) {
        perror(what);
        _exit(1);
    }
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd < 0, path);
    check(write(fd, text, strlen(text)) < 0, path);
    close(fd);
}

static void loopback(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    check(fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0, "lo");
    close(fd);
}

/* Port 80: bind, connect, exchange bytes. */
static void body(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char heard[2];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) < 0, "bind");
    check(listen(listener, 128) < 0, "listen");
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(client, (struct sockaddr *)&address, sizeof address) < 0, "connect");
    check(write(client, "hi", 2) != 2, "write");
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(server < 0 || read(server, heard, 2) != 2 || memcmp(heard, "hi", 2), "read");
    check(write(server, "ho", 2) != 2 || read(client, heard, 2) != 2, "answer");
}

static int sandboxed(void) {
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", "0 0 1");
    put("/proc/self/gid_map", "0 0 1");
    sethostname("floor", 5);
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
    put("/proc/sys/user/max_user_namespaces", "0");
    body();
    return 0;
}

static void worker(long trials) {
    for (long i = 0; i < trials; i++) {
        struct clone_args args = {
            .flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID,
            .exit_signal = SIGCHLD,
        };
        long pid = syscall(SYS_clone3, &args, sizeof args);
        check(pid < 0, "clone3");
        if (pid == 0)
            _exit(sandboxed());
        int status;
        waitpid((pid_t)pid, &status, 0);
        check(status != 0, "trial");
    }
    _exit(0);
}

int main(int argc, char **argv) {
    long trials = argc > 1 ? atol(argv[1]) : 1000, workers = argc > 2 ? atol(argv[2]) : 4;
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    /* As the runner does, once: a user namespace above all, and a mount namespace with /dev/mqueue. */
    check(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0, "unshare");
    put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    put("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    put("/proc/self/gid_map", map);
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(mount("tmpfs", "/dev", "tmpfs", 0, NULL), "dev");
    mkdir("/dev/shm", 0755), mkdir("/dev/mqueue", 0755), mkdir("/dev/pts", 0755);
    for (long w = 0; w < workers; w++) {
        long share = trials / workers + (w < trials % workers);
        pid_t pid = fork();
        check(pid < 0, "fork");
        if (pid == 0)
            worker(share);
    }
    int status, bad = 0;
    while (wait(&status) > 0)
        bad |= status;
    return bad != 0;
}
