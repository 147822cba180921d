/*
 * The floor against which `Topology::start` is measured: a star whose nodes have the same
 * namespaces, process, mounts, files, link and addresses as a lab's, and which is ready in the same
 * sense. One process clones nodes and one lays cables, as in the lab; there is nothing else.
 *
 * usage: star NODES
 * prints how many milliseconds it took: `start 12.3`
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "shared/netlink.h"

enum { BRIDGE = 2, FIRST_PORT = 10, ETH0 = 2 };

static struct requests requests;
static long nodes;
/* Process ids by number of the node, as the PID namespace of the nodes' parent has them. */
static pid_t *pids;
static int hub;

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Returns one of the addresses of a node. */
static const char *ip(const char *pattern, long node) {
    static char buffer[64];
    snprintf(buffer, sizeof buffer, pattern, (node + 1) >> 8, (node + 1) & 255);
    return buffer;
}

#define V4 "10.0.%ld.%ld"
#define V6 "fd73:6e6f:77::%lx%02lx"
#define LINK_LOCAL "fe80::53:ff:fe%02lx:%lx00"

/* Returns the names of all nodes. Every node has a copy of its own. */
static char *names(void) {
    char *text = malloc(nodes * 100 + 100), *at = text;
    at += sprintf(at, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    for (long node = 0; node < nodes; node++) {
        at += sprintf(at, "%s\tn%ld n%ld.lab\n", ip(V4, node), node, node);
        at += sprintf(at, "%s\tn%ld n%ld.lab\n", ip(V6, node), node, node);
    }
    return text;
}

/* Returns a detached mount of a file, which a node finds in /etc. */
static int in_hand(const char *path) {
    int tree = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    check(tree < 0, path);
    return tree;
}

static void lay_over(int tree, const char *path) {
    check(syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0, path);
    close(tree);
}

static void live(long node, const char *hosts, const char *resolver, int ready) {
    char hostname[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(hostname, sizeof hostname, "n%ld", node);
    int trees[] = {in_hand(hosts), in_hand(resolver)};
    furnish(hostname);
    lay_over(trees[0], "/etc/hosts");
    lay_over(trees[1], "/etc/resolv.conf");
    check(write(ready, &node, sizeof node) != sizeof node, "ready");
    for (;;)
        pause();
}

/* The parent of all nodes. It kills its nodes once `stop` is closed. */
static void bear(int ready, int stop) {
    char hosts[64], resolver[64], *text = names();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (long node = 0; node < nodes; node++) {
        snprintf(hosts, sizeof hosts, "/run/star/n%ld.hosts", node);
        snprintf(resolver, sizeof resolver, "/run/star/n%ld.resolv.conf", node);
        put(hosts, text);
        put(resolver, "nameserver 127.0.0.1\nsearch lab\noptions timeout:1 attempts:1\n");
        pid_t pid = child_with(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID);
        if (pid == 0)
            live(node, hosts, resolver, ready);
        __atomic_store_n(&pids[node], pid, __ATOMIC_RELEASE);
    }
    check(read(stop, hosts, 1) != 0, "stop");
    for (long node = 0; node < nodes; node++)
        kill(pids[node], SIGKILL);
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

/* The bridge stays down, without multicast snooping, until every port exists: a running bridge walks
 * over all ports for each new one. */
static void make_bridge(void) {
    uint64_t never = 100000000, at_once = 0;
    uint8_t deaf = 0;
    link_request(&requests, BRIDGE, NLM_F_CREATE | NLM_F_EXCL, 0);
    text(&requests, IFLA_IFNAME, "sw0");
    int info = nest(&requests, IFLA_LINKINFO);
    text(&requests, IFLA_INFO_KIND, "bridge");
    int data = nest(&requests, IFLA_INFO_DATA);
    attribute(&requests, IFLA_BR_MCAST_SNOOPING, &deaf, 1);
    number(&requests, IFLA_BR_MCAST_STARTUP_QUERY_CNT, 0);
    attribute(&requests, IFLA_BR_MCAST_MEMBERSHIP_INTVL, &never, 8);
    attribute(&requests, IFLA_BR_MCAST_QUERIER_INTVL, &never, 8);
    attribute(&requests, IFLA_BR_MCAST_QUERY_INTVL, &never, 8);
    attribute(&requests, IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, &at_once, 8);
    unnest(&requests, data), unnest(&requests, info);
    end(&requests);
    no_addresses(&requests, BRIDGE);
    address(&requests, BRIDGE, "fe80::1", 64);
    altname(&requests, BRIDGE, "switch-lan");
    execute(hub, &requests, 0);
}

static void start_bridge(void) {
    uint8_t on = 1;
    bring_up(&requests, BRIDGE);
    link_request(&requests, BRIDGE, 0, 0);
    int info = nest(&requests, IFLA_LINKINFO);
    text(&requests, IFLA_INFO_KIND, "bridge");
    int data = nest(&requests, IFLA_INFO_DATA);
    attribute(&requests, IFLA_BR_MCAST_QUERIER, &on, 1);
    attribute(&requests, IFLA_BR_MCAST_SNOOPING, &on, 1);
    unnest(&requests, data), unnest(&requests, info);
    end(&requests);
    execute(hub, &requests, 0);
}

/* Tells the bridge which port leads to each solicited-node group, known by three bytes. */
static void membership(long node, const char *ip) {
    struct br_port_msg fixed = {.family = AF_BRIDGE, .ifindex = BRIDGE};
    struct br_mdb_entry entry = {.ifindex = FIRST_PORT + node, .state = MDB_PERMANENT, .addr.proto = htons(0x86dd)};
    uint8_t value[16], *group = entry.addr.u.ip6.s6_addr;
    check(inet_pton(AF_INET6, ip, value) != 1, ip);
    inet_pton(AF_INET6, "ff02::1:ff00:0", group);
    memcpy(group + 13, value + 13, 3);
    begin(&requests, RTM_NEWMDB, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof fixed);
    attribute(&requests, MDBA_SET_ENTRY, &entry, sizeof entry);
    end(&requests);
}

/* Lays the cable of a node, and gives its end in the node addresses and routes. */
static void connect_node(long node, int netns) {
    char name[16];
    uint8_t mac[] = {2, 83, 0, node >> 8, node & 255, 0};
    int port = FIRST_PORT + node;
    snprintf(name, sizeof name, "p%ld", node);
    veth(&requests, port, name, BRIDGE, netns, mac, 1);
    no_addresses(&requests, port);
    bring_up(&requests, port);
    execute(hub, &requests, 0);
    check(setns(netns, CLONE_NEWNET) < 0, "enter a node");
    int inside = route_socket(0);
    no_addresses(&requests, ETH0);
    altname(&requests, ETH0, "to-lan");
    bring_up(&requests, ETH0);
    address(&requests, ETH0, ip(V4, node), 16);
    address(&requests, ETH0, ip(V6, node), 64);
    address(&requests, ETH0, ip(LINK_LOCAL, node), 64);
    execute(inside, &requests, 0);
    close(inside);
}

/* Waits until the kernel has made the local routes of a node's two IPv6 addresses. Until then the
 * kernel drops packets to these addresses. */
static void await_addresses(int netns) {
    struct rtmsg fixed = {.rtm_family = AF_INET6};
    int global = 0, local = 0, done = 0;
    check(setns(netns, CLONE_NEWNET) < 0, "enter a node");
    int fd = route_socket(RTMGRP_IPV6_ROUTE);
    begin(&requests, RTM_GETROUTE, NLM_F_DUMP, &fixed, sizeof fixed);
    end(&requests);
    check(send(fd, requests.bytes, requests.length, 0) < 0, "ask for routes");
    requests.length = 0;
    while (!done || !global || !local) {
        int length = recv(fd, answer, sizeof answer, 0);
        check(length < 0, "hear of routes");
        for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
            struct rtmsg *route = NLMSG_DATA(m);
            done |= m->nlmsg_type == NLMSG_DONE;
            if (m->nlmsg_type != RTM_NEWROUTE || route->rtm_dst_len != 128 || route->rtm_type != RTN_LOCAL)
                continue;
            int rest = RTM_PAYLOAD(m);
            for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, rest); a = RTA_NEXT(a, rest))
                if (a->rta_type == RTA_DST) {
                    uint8_t first = *(uint8_t *)RTA_DATA(a);
                    global |= first == 0xfd, local |= first == 0xfe;
                }
        }
    }
    close(fd);
}

static int is_up(struct nlmsghdr *m) {
    int rest = IFLA_PAYLOAD(m);
    for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(m)); RTA_OK(a, rest); a = RTA_NEXT(a, rest))
        if (a->rta_type == IFLA_OPERSTATE)
            return *(uint8_t *)RTA_DATA(a) == 6;
    return 0;
}

/* Waits until packets pass all ports. It subscribes before it looks, so that no change is missed. */
static void await_ports(void) {
    struct ifinfomsg fixed = {.ifi_family = AF_BRIDGE};
    int fd = route_socket(RTMGRP_LINK);
    char *up = calloc(nodes, 1);
    long missing = nodes;
    begin(&requests, RTM_GETLINK, NLM_F_DUMP, &fixed, sizeof fixed);
    number(&requests, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    end(&requests);
    check(send(fd, requests.bytes, requests.length, 0) < 0, "ask for ports");
    while (missing) {
        int length = recv(fd, answer, sizeof answer, 0);
        if (length < 0 && errno == ENOBUFS) {
            /* Notifications were lost. */
            check(send(fd, requests.bytes, requests.length, 0) < 0, "ask for ports");
            continue;
        }
        check(length < 0, "hear of ports");
        for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
            if (m->nlmsg_type != RTM_NEWLINK)
                continue;
            long node = ((struct ifinfomsg *)NLMSG_DATA(m))->ifi_index - FIRST_PORT;
            if (node >= 0 && node < nodes && !up[node] && is_up(m))
                up[node] = 1, missing--;
        }
    }
}

static int netns_of(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd < 0, path);
    return fd;
}

int main(int argc, char **argv) {
    int ready[2], stop[2];
    nodes = argc > 1 ? atol(argv[1]) : 10;
    outer();
    check(mount("tmpfs", "/run", "tmpfs", 0, NULL) || mkdir("/run/star", 0755), "run");
    double begin = milliseconds();
    pids = mmap(NULL, nodes * sizeof *pids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(pids == MAP_FAILED || pipe2(ready, O_CLOEXEC) || pipe2(stop, O_CLOEXEC), "pipe");
    pid_t parent = child_with(0);
    if (parent == 0) {
        close(stop[1]);
        bear(ready[1], stop[0]);
    }
    check(unshare(CLONE_NEWNET) < 0, "a namespace for the switch");
    loopback();
    hub = route_socket(0);
    int home = netns_of(getpid()), *netns = malloc(nodes * sizeof *netns);
    make_bridge();
    for (long i = 0, node; i < nodes; i++) {
        check(read(ready[0], &node, sizeof node) != sizeof node, "hear from a node");
        pid_t pid;
        while (!(pid = __atomic_load_n(&pids[node], __ATOMIC_ACQUIRE)))
            sched_yield();
        netns[node] = netns_of(pid);
        connect_node(node, netns[node]);
    }
    for (long node = 0; node < nodes; node++)
        await_addresses(netns[node]);
    start_bridge();
    for (long node = 0; node < nodes; node++) {
        membership(node, ip(V6, node));
        membership(node, ip(LINK_LOCAL, node));
        if (node % 64 == 63 || node + 1 == nodes)
            execute(hub, &requests, EEXIST);
    }
    check(setns(home, CLONE_NEWNET) < 0, "come back to the switch");
    await_ports();
    printf("start %.3f\n", milliseconds() - begin);
    fflush(stdout);
    close(stop[1]);
    waitpid(parent, NULL, 0);
    return 0;
}
