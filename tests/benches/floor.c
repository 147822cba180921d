/*
 * The floor against which the runner is measured: sandboxes with the same namespaces, mounts and
 * loopback as a trial's, and the same body, made by a loop around clone3, without any runner.
 *
 * usage: floor TRIALS WORKERS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>

#include "shared/floor.h"

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
    furnish("floor");
    put("/proc/sys/user/max_user_namespaces", "0");
    body();
    return 0;
}

static void worker(long trials) {
    for (long i = 0; i < trials; i++) {
        pid_t pid = child_with(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID);
        if (pid == 0)
            _exit(sandboxed());
        int status;
        waitpid(pid, &status, 0);
        check(status != 0, "trial");
    }
    _exit(0);
}

int main(int argc, char **argv) {
    long trials = argc > 1 ? atol(argv[1]) : 1000, workers = argc > 2 ? atol(argv[2]) : 4;
    outer();
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
