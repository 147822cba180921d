/*
 * A TCP stream as fast as it goes, and a veth pair made by hand through which one can go: a lab's
 * links are measured against both.
 *
 * usage: stream serve PORT             waits for one stream, to its end, and prints how fast it was: `gbit 34.5`
 *        stream send ADDRESS PORT MS   sends for so long
 *        stream pair MS                both, in namespaces joined by a veth pair as `ip link add` makes it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <time.h>

#include "shared/netlink.h"

static char data[128 << 10];

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* Uses cubic, Linux' default congestion control. A machine may have another default, which
 * namespaces inherit. */
static int stream_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd < 0, "socket");
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
        fprintf(stderr, "note: no cubic here: %s\n", strerror(errno));
    return fd;
}

/* Both ends stay on their cores: the link is measured, and not the choice of the scheduler. */
static void stay_on(int processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor % sysconf(_SC_NPROCESSORS_ONLN), &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        fprintf(stderr, "note: not on processor %d: %s\n", processor, strerror(errno));
}

static void listen_at(int fd, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    check(bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1), "listen");
    puts("listening");
    fflush(stdout);
}

static void serve(int listener) {
    stay_on(0);
    int fd = accept(listener, NULL, NULL);
    double begin = seconds(), bytes = 0;
    check(fd < 0, "accept");
    for (ssize_t got; (got = read(fd, data, sizeof data)) != 0; bytes += got)
        check(got < 0, "read");
    printf("gbit %.2f\n", bytes * 8 / 1e9 / (seconds() - begin));
}

static void send_to(const char *ip, int port, double duration) {
    stay_on(1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = stream_socket();
    check(inet_pton(AF_INET, ip, &address.sin_addr) != 1, ip);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) < 0, "connect");
    for (double end = seconds() + duration; seconds() < end;)
        check(write(fd, data, sizeof data) < 0, "write");
}

static int own_netns(void) {
    check(unshare(CLONE_NEWNET) < 0, "unshare");
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    check(fd < 0, "open a namespace");
    return fd;
}

static void pair(double duration) {
    static struct requests requests;
    const uint8_t mac[] = {2, 0, 0, 0, 0, 2};
    enum { NEAR = 3, FAR = 2, PORT = 5201 };
    outer();
    int far = own_netns(), far_netlink = route_socket(0);
    own_netns();
    int near_netlink = route_socket(0);
    veth(&requests, NEAR, "eth0", 0, far, mac, 0);
    address(&requests, NEAR, "10.0.0.1", 24);
    bring_up(&requests, NEAR);
    execute(near_netlink, &requests, 0);
    address(&requests, FAR, "10.0.0.2", 24);
    bring_up(&requests, FAR);
    execute(far_netlink, &requests, 0);
    int listener = stream_socket();
    listen_at(listener, PORT);
    pid_t sender = child_with(0);
    if (sender == 0) {
        check(setns(far, CLONE_NEWNET) < 0, "enter the other namespace");
        send_to("10.0.0.1", PORT, duration);
        _exit(0);
    }
    serve(listener);
    waitpid(sender, NULL, 0);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        int listener = stream_socket();
        listen_at(listener, atoi(argv[2]));
        serve(listener);
    } else if (argc == 5 && strcmp(argv[1], "send") == 0) {
        send_to(argv[2], atoi(argv[3]), atoi(argv[4]) / 1e3);
    } else if (argc == 3 && strcmp(argv[1], "pair") == 0) {
        pair(atoi(argv[2]) / 1e3);
    } else {
        fputs("usage: stream serve PORT | send ADDRESS PORT MS | pair MS\n", stderr);
        return 2;
    }
    return 0;
}
