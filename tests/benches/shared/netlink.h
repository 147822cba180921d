/*
 * Netlink by hand: a buffer of requests, sent with one system call, of which the last is acknowledged.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "floor.h"

#ifndef RTM_NEWLINKPROP
#define RTM_NEWLINKPROP 108
#endif

struct requests {
    int length, sequence, last;
    char bytes[32 << 10] __attribute__((aligned(4)));
};

static inline void *append(struct requests *r, const void *from, int length) {
    void *at = r->bytes + r->length;
    if (from)
        memcpy(at, from, length);
    else
        memset(at, 0, length);
    memset((char *)at + length, 0, NLMSG_ALIGN(length) - length);
    r->length += NLMSG_ALIGN(length);
    return at;
}

static inline void begin(struct requests *r, int kind, int flags, const void *fixed, int length) {
    struct nlmsghdr header = {.nlmsg_type = kind, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++r->sequence};
    r->last = r->length;
    append(r, &header, sizeof header);
    append(r, fixed, length);
}

static inline void end(struct requests *r) {
    ((struct nlmsghdr *)(r->bytes + r->last))->nlmsg_len = r->length - r->last;
}

static inline void attribute(struct requests *r, int kind, const void *value, int length) {
    struct rtattr header = {.rta_type = kind, .rta_len = RTA_LENGTH(length)};
    append(r, &header, sizeof header);
    append(r, value, length);
}

static inline void number(struct requests *r, int kind, uint32_t value) {
    attribute(r, kind, &value, sizeof value);
}

static inline void text(struct requests *r, int kind, const char *value) {
    attribute(r, kind, value, strlen(value) + 1);
}

static inline int nest(struct requests *r, int kind) {
    int start = r->length;
    attribute(r, kind, NULL, 0);
    return start;
}

static inline void unnest(struct requests *r, int start) {
    ((struct rtattr *)(r->bytes + start))->rta_len = r->length - start;
}

static inline int route_socket(unsigned groups) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    check(fd < 0, "netlink");
    check(groups && bind(fd, (struct sockaddr *)&address, sizeof address), "subscribe");
    return fd;
}

static char answer[64 << 10] __attribute__((aligned(4)));

/* Sends all requests to the kernel, waits for the answer, and empties the buffer. */
static inline void execute(int fd, struct requests *r, int tolerated) {
    ((struct nlmsghdr *)(r->bytes + r->last))->nlmsg_flags |= NLM_F_ACK;
    check(send(fd, r->bytes, r->length, 0) != r->length, "send to netlink");
    r->length = 0;
    for (;;) {
        int length = recv(fd, answer, sizeof answer, 0);
        check(length < 0, "hear from netlink");
        for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
            if (m->nlmsg_type != NLMSG_ERROR)
                continue;
            int error = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
            if (error && error != tolerated) {
                fprintf(stderr, "netlink: request %u: %s\n", m->nlmsg_seq, strerror(error));
                _exit(1);
            }
            if ((int)m->nlmsg_seq == r->sequence)
                return;
        }
    }
}

static inline void link_request(struct requests *r, int index, int flags, int up) {
    struct ifinfomsg fixed = {.ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = up ? IFF_UP : 0};
    begin(r, RTM_NEWLINK, flags, &fixed, sizeof fixed);
}

static inline void bring_up(struct requests *r, int index) {
    link_request(r, index, 0, 1);
    end(r);
}

/* Turns the automatic addresses of IPv6 off. */
static inline void no_addresses(struct requests *r, int index) {
    uint8_t none = 1;
    link_request(r, index, 0, 0);
    int spec = nest(r, IFLA_AF_SPEC), inet6 = nest(r, AF_INET6);
    attribute(r, IFLA_INET6_ADDR_GEN_MODE, &none, 1);
    unnest(r, inet6), unnest(r, spec);
    end(r);
}

static inline void altname(struct requests *r, int index, const char *name) {
    struct ifinfomsg fixed = {.ifi_index = index};
    begin(r, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
    int list = nest(r, IFLA_PROP_LIST | NLA_F_NESTED);
    text(r, IFLA_ALT_IFNAME, name);
    unnest(r, list);
    end(r);
}

/* Makes a veth pair, whose far end has index 2 in `netns`. If `queues` is 0, the pair has as many
 * queues as the kernel chooses. */
static inline void veth(struct requests *r, int port, const char *name, int master, int netns, const uint8_t *mac, int queues) {
    struct ifinfomsg peer = {.ifi_index = 2};
    link_request(r, port, NLM_F_CREATE | NLM_F_EXCL, 0);
    text(r, IFLA_IFNAME, name);
    if (master)
        number(r, IFLA_MASTER, master);
    if (queues)
        number(r, IFLA_NUM_TX_QUEUES, queues), number(r, IFLA_NUM_RX_QUEUES, queues);
    int info = nest(r, IFLA_LINKINFO);
    text(r, IFLA_INFO_KIND, "veth");
    int data = nest(r, IFLA_INFO_DATA), far = nest(r, VETH_INFO_PEER);
    append(r, &peer, sizeof peer);
    text(r, IFLA_IFNAME, "eth0");
    attribute(r, IFLA_ADDRESS, mac, 6);
    if (queues)
        number(r, IFLA_NUM_TX_QUEUES, queues), number(r, IFLA_NUM_RX_QUEUES, queues);
    number(r, IFLA_NET_NS_FD, netns);
    unnest(r, far), unnest(r, data), unnest(r, info);
    end(r);
}

static inline void address(struct requests *r, int index, const char *ip, int prefix) {
    int family = strchr(ip, ':') ? AF_INET6 : AF_INET, size = family == AF_INET ? 4 : 16;
    struct ifaddrmsg fixed = {.ifa_family = family, .ifa_prefixlen = prefix, .ifa_flags = IFA_F_NODAD, .ifa_index = index};
    uint8_t value[16];
    check(inet_pton(family, ip, value) != 1, ip);
    if (value[0] == 0xfe)
        fixed.ifa_scope = RT_SCOPE_LINK;
    begin(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
    attribute(r, IFA_LOCAL, value, size);
    attribute(r, IFA_ADDRESS, value, size);
    end(r);
}

#endif
