//! What was given to both interfaces of a link is there after its first impairment: the interface
//! that is made anew has all of it that the kernel lets anybody give.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use snowglobe::lab::{Carrier, LabErrorKind, Node};
use snowglobe::prelude::*;
use snowglobe::topology::{LinkId, NodeId, V6Nat};
use snowglobe_tests::{offloads, set_offloads};

use crate::MS;
use crate::kept_beyond::shell;

/// Kinds of things that go together, each with what makes it and what shows it.
const KINDS: &[(&str, &str, &str)] = &[
    (
        "filters",
        "tc qdisc add dev eth0 clsact; \
         tc filter add dev eth0 ingress protocol ip pref 5 u32 match ip dst 10.9.9.9 \
            action mirred egress redirect dev lo; \
         tc filter add dev eth0 egress pref 7 protocol all bpf bytecode '1,6 0 0 0,'",
        "tc filter show dev eth0 ingress; tc filter show dev eth0 egress",
    ),
    (
        "a resilient group of next hops",
        "ip nexthop add id 5 via $PEER dev eth0; \
         ip nexthop add id 7 group 5 type resilient buckets 8 idle_timer 60; \
         ip route add 192.0.10.0/24 nhid 7",
        "ip nexthop | grep -o 'group.*idle_timer [0-9]*'; ip route show 192.0.10.0/24",
    ),
    (
        "a route elsewhere from an address of the interface",
        "ip link add x0 type veth peer name x1; ip link set x0 up; ip link set x1 up; \
         ip addr add 10.50.0.1/24 dev x0; ip addr add 10.0.0.77/32 dev eth0; \
         ip route add 192.0.2.0/24 via 10.50.0.2 src 10.0.0.77",
        "ip route show 192.0.2.0/24",
    ),
    (
        "a route that expires",
        "ip -6 route add 2001:db8:6::/48 via fe80::1 dev eth0 expires 100000",
        "ip -6 route show 2001:db8:6::/48 | sed 's/9[0-9]*sec/soon/; s/100000sec/soon/'",
    ),
    (
        "neighbours of all kinds",
        "ip neigh add 10.0.0.90 lladdr 02:00:00:00:00:90 nud noarp dev eth0; \
         ip neigh add 10.0.0.93 dev eth0 managed; \
         ip neigh add 10.0.0.92 lladdr 02:00:00:00:00:93 nud permanent protocol bird dev eth0",
        "ip neigh show nud all | grep -E '^10.0.0.9[0-9] ' | \
         sed 's/INCOMPLETE\\|FAILED\\|PROBE/sought/; s/probes [0-9]*//; s/ *$//' | sort",
    ),
    (
        "groups of the link layer",
        "ip maddr add 01:00:5e:01:02:03 dev eth0; ip maddr add 33:33:01:02:03:04 dev eth0",
        "ip maddr show dev eth0 | sort",
    ),
    (
        "addresses that are groups",
        "ip addr add 239.5.5.5/32 dev eth0 autojoin; \
         ip -6 addr add ff05::55/128 dev eth0 nodad autojoin",
        "ip -o addr show dev eth0 | grep -o 'inet.*autojoin'",
    ),
    (
        "limits of batches",
        "ip link set eth0 gso_max_size 10000; ip link set eth0 gro_max_size 9000",
        "ip -d -o link show dev eth0 | grep -o 'g[rs]o_max_size [0-9]*'",
    ),
    (
        "addresses that are made at random",
        "ip link set eth0 addrgenmode random",
        "ip -d -o link show dev eth0 | grep -o 'addrgenmode [a-z]*'; \
         ip -6 -o addr show dev eth0 scope link | wc -l",
    ),
];

/// What a bridge of the node's own keeps of its port. The first of these makes the bridge.
const PORT: &[(&str, &str, &str)] = &[
    (
        "settings of a port of a bridge",
        "ip link add br0 type bridge mcast_igmp_version 3; ip link set br0 up; \
         ip link set eth0 master br0; \
         for setting in 'cost 77' 'priority 9' 'hairpin on' 'learning off' 'flood off' 'guard on' \
            'isolated on' 'root_block on' 'mcast_flood off'; do \
            bridge link set dev eth0 $setting; done",
        "bridge -d link show dev eth0 | sed 's/eth0@[^:]*/eth0/; s/ *$//'",
    ),
    (
        "entries of the forwarding table",
        "bridge fdb add 02:00:00:00:00:55 dev eth0 master static; \
         bridge fdb add 02:00:00:00:00:56 dev eth0 master permanent; \
         bridge fdb add 02:00:00:00:00:57 dev eth0 self",
        "bridge fdb show dev eth0 | grep 02:00: | sort",
    ),
    (
        "groups of a port",
        "bridge mdb add dev br0 port eth0 grp 239.1.1.9 permanent; \
         bridge mdb add dev br0 port eth0 grp ff05::9 permanent",
        "bridge mdb show | grep permanent | grep -v src | sort",
    ),
    (
        "groups of one source of a port",
        "bridge mdb add dev br0 port eth0 grp 239.1.1.10 src 10.0.0.1 permanent; \
         bridge mdb add dev br0 port eth0 grp ff05::10 src fd00::1 permanent",
        "bridge -d mdb show | grep permanent | grep src | sort",
    ),
    (
        "VLANs of a port",
        "bridge vlan add dev eth0 vid 7 pvid untagged && bridge vlan del dev eth0 vid 1 && \
         bridge fdb add 02:00:00:00:00:58 dev eth0 master static vlan 7",
        "bridge vlan show dev eth0; bridge fdb show dev eth0 | grep 'vlan 7' | sort",
    ),
];

/// A port from which a program has taken the VLAN that each port has by itself.
const PORT_WITHOUT_VLANS: &[(&str, &str, &str)] = &[(
    "a port without VLANs",
    "ip link add br0 type bridge vlan_default_pvid 5; ip link set br0 up; \
     ip link set eth0 master br0; \
     bridge vlan add dev eth0 vid 6 && bridge vlan del dev eth0 vid 5-6",
    "bridge link show dev eth0 | grep -o 'master br0'; bridge vlan show dev eth0",
)];

/// Kinds that do not go together with some of the others.
const OTHER_KINDS: &[(&str, &str, &str)] = &[
    (
        "a secret for addresses",
        "echo 2003::1 > /proc/sys/net/ipv6/conf/eth0/stable_secret",
        "cat /proc/sys/net/ipv6/conf/eth0/stable_secret; \
         ip -d -o link show dev eth0 | grep -o 'addrgenmode [a-z]*'",
    ),
    (
        "a token for addresses",
        "echo 0 > /proc/sys/net/ipv6/conf/eth0/forwarding; \
         echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra; ip token set ::5 dev eth0",
        "ip token get dev eth0",
    ),
    (
        "an MTU of IPv6",
        "echo 1400 > /proc/sys/net/ipv6/conf/eth0/mtu",
        "cat /proc/sys/net/ipv6/conf/eth0/mtu",
    ),
];

/// Two nodes and a plain link.
struct World {
    lab: Lab,
    nodes: [NodeId; 2],
    link: LinkId,
}

impl World {
    fn new() -> TestResult<Self> {
        let mut topology = Topology::new();
        let nodes = [topology.node("one"), topology.node("two")];
        let link = topology.link(nodes[0], nodes[1]);
        let lab = topology.start()?;
        Ok(Self { lab, nodes, link })
    }

    fn node(&self, number: usize) -> &Node {
        &self.lab[self.nodes[number]]
    }

    fn impair(&self) -> TestResult {
        self.lab[self.link].impair(Impairment::delayed(MS))?;
        assert_ne!(self.lab[self.link].carrier(), Carrier::Veth);
        Ok(())
    }

    /// Runs a script in some nodes; `$PEER` is the address of the other node.
    fn at(&self, numbers: &[usize], script: &str) -> TestResult<Vec<String>> {
        let of = |number: &usize| {
            let peer = self.node(1 - number).ip();
            shell(self.node(*number), &format!("PEER={peer}; {script}"))
        };
        numbers.iter().map(of).collect()
    }
}

/// Runs the scripts of some kinds in some nodes, with one shell for each node. Returns what each
/// script wrote, one after the other.
fn each(world: &World, at: &[usize], scripts: &[&str]) -> TestResult<Vec<String>> {
    const MARK: &str = "next kind";
    let parts = scripts.iter().map(|it| format!("({it}); echo {MARK}\n"));
    let all = world.at(at, &format!("exec 2>&1\n{}", parts.collect::<String>()))?;
    let mut each = vec![String::new(); scripts.len()];
    for output in all {
        for (text, part) in each.iter_mut().zip(output.split(&format!("{MARK}\n"))) {
            *text += part;
        }
    }
    Ok(each)
}

fn is_there_afterwards(kinds: &[(&str, &str, &str)], at: &[usize]) -> TestResult {
    let makes: Vec<&str> = kinds.iter().map(|(_, make, _)| *make).collect();
    let shows: Vec<&str> = kinds.iter().map(|(_, _, show)| *show).collect();
    let world = World::new()?;
    let plain = each(&world, at, &shows)?;
    let said = each(&world, at, &makes)?;
    let before = each(&world, at, &shows)?;
    world.impair()?;
    let after = each(&world, at, &shows)?;
    for (number, (kind, _, _)) in kinds.iter().enumerate() {
        let said = &said[number];
        let lacks = ["not supported", "Unknown", "not found"];
        if lacks.iter().any(|it| said.contains(it)) {
            snowglobe::note(format!("this kernel or its tools have no {kind}: {said}"));
            continue;
        }
        assert_ne!(before[number], plain[number], "{kind}: {said}");
        assert_eq!(after[number], before[number], "{kind}, at {at:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn what_can_be_given_again_is_there_afterwards() -> TestResult {
    for at in [&[0, 1][..], &[0], &[1]] {
        is_there_afterwards(KINDS, at)?;
        is_there_afterwards(OTHER_KINDS, at)?;
        is_there_afterwards(PORT, at)?;
        is_there_afterwards(PORT_WITHOUT_VLANS, at)?;
    }
    Ok(())
}

#[snowglobe::test]
fn offloads_are_there_afterwards() -> TestResult {
    for at in [&[0, 1][..], &[0], &[1]] {
        let world = World::new()?;
        let usual = world.node(0).run(|| offloads("eth0"))?;
        let changed = usual.map(|on| !on);
        for number in at {
            world.node(*number).run(|| set_offloads("eth0", changed))?;
            assert_eq!(world.node(*number).run(|| offloads("eth0"))?, changed);
        }
        world.impair()?;
        for number in at {
            let found = world.node(*number).run(|| offloads("eth0"))?;
            assert_eq!(found, changed, "of node {number}, at {at:?}");
        }
    }
    Ok(())
}

/// A namespace in a node, and a macvlan in it that stands on the node's interface.
const ABROAD: &str = "setsid unshare --net sleep 1000 </dev/null >/dev/null 2>&1 & there=$!; \
    while [ \"$(readlink /proc/$there/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ]; do :; done; \
    ip link add m0 link eth0 type macvlan mode bridge && ip link set m0 netns $there && \
    echo $there";

#[snowglobe::test]
fn a_macvlan_in_a_namespace_of_its_own_goes_on() -> TestResult {
    for at in [0, 1] {
        let world = World::new()?;
        let said = world.at(&[at], ABROAD)?.concat();
        let Ok(there) = said.trim().parse::<u32>() else {
            snowglobe::note(format!("this kernel has no macvlan: {said}"));
            return Ok(());
        };
        let look = format!("nsenter --net --target {there} ip -o link show dev m0");
        assert!(world.at(&[at], &look)?.concat().contains("m0@"));
        world.impair()?;
        let found = world.at(&[at], &look)?.concat();
        assert!(found.contains("m0@"), "at {at}: {found}");
    }
    let world = World::new()?;
    world.at(&[0, 1], ABROAD)?;
    let error = world.lab[world.link].impair(Impairment::delayed(MS));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    let text = error.to_string();
    assert!(
        text.contains("interface `m0` of another namespace on node `two`"),
        "{text}"
    );
    Ok(())
}

/// Programs may have connections from such an address, and only the kernel can make one.
#[snowglobe::test]
fn a_temporary_address_stays_whatever_stands_on_the_other_interface() -> TestResult {
    for at in [0, 1] {
        let world = World::new()?;
        let temporary = "ip -6 -o addr show dev eth0 temporary | grep -o 'fd00:9:[^ ]*'";
        world.at(
            &[at],
            "echo 2 > /proc/sys/net/ipv6/conf/eth0/use_tempaddr; \
             ip addr add fd00:9::1/64 dev eth0 mngtmpaddr nodad \
                valid_lft 100000 preferred_lft 50000",
        )?;
        world.at(
            &[1 - at],
            "for i in 1 2 3 4 5 6 7 8; do ip addr add 10.77.0.$i/24 dev eth0; done",
        )?;
        world
            .lab
            .wait_until(|| world.at(&[at], temporary).is_ok_and(|it| !it[0].is_empty()))?;
        let before = world.at(&[at], temporary)?;
        world.impair()?;
        assert_eq!(world.at(&[at], temporary)?, before, "at {at}");
    }
    Ok(())
}

/// Not all that has ports tells what it keeps of them.
#[snowglobe::test]
fn a_port_of_a_bridge_stays_whatever_stands_on_the_other_interface() -> TestResult {
    for at in [0, 1] {
        let world = World::new()?;
        let bridge = "ip link add br0 type bridge; ip link set br0 up; \
            ip link set eth0 master br0";
        world.at(&[at], bridge)?;
        world.at(
            &[1 - at],
            "for i in 1 2 3 4 5 6 7 8; do ip addr add 10.77.0.$i/24 dev eth0; done",
        )?;
        let ip = ["-o", "monitor", "link"];
        let monitors = [0, 1].map(|it| world.node(it).command("ip").args(ip).spawn());
        let [kept, anew] = [&monitors[at], &monitors[1 - at]];
        let (Ok(kept), Ok(anew)) = (kept, anew) else {
            return Err("no monitor".into());
        };
        let heard = |monitor: &snowglobe::lab::Process| -> String {
            let lines = monitor.log().into_iter().map(|it| it.text.clone());
            lines.filter(|it| it.contains(": eth0")).collect()
        };
        // A monitor that hears has begun.
        for (monitor, node) in [(kept, at), (anew, 1 - at)] {
            let again = || world.at(&[node], "ip link set eth0 alias heard");
            let begun = || again().is_ok() && !heard(monitor).is_empty();
            world.lab.wait_until(begun)?;
        }
        world.impair()?;
        world
            .lab
            .wait_until(|| heard(anew).contains("Deleted"))
            .map_err(|e| format!("at {at}: {e}"))?;
        assert!(!heard(kept).contains("Deleted"), "at {at}");
    }
    Ok(())
}

/// Makes a node route multicast packets from its `eth0`, as mrouted does, for as long as the result
/// lives.
#[expect(unsafe_code, reason = "no crate here routes multicast packets")]
fn route_groups(node: &Node) -> TestResult<OwnedFd> {
    use nix::libc;
    // MRT_INIT, MRT_ADD_VIF, VIFF_USE_IFINDEX and `struct vifctl` (linux/mroute.h).
    const MRT_INIT: i32 = 200;
    const MRT_ADD_VIF: i32 = 202;
    const VIFF_USE_IFINDEX: u8 = 8;
    let set = |fd: &OwnedFd, option, value: &[u8]| {
        // SAFETY: the pointer and the length are those of a slice.
        let done = unsafe {
            let length = value.len() as libc::socklen_t;
            let value = value.as_ptr().cast();
            libc::setsockopt(fd.as_raw_fd(), libc::IPPROTO_IP, option, value, length)
        };
        nix::errno::Errno::result(done)
    };
    let made = node.run(|| -> nix::Result<OwnedFd> {
        let index = nix::net::if_::if_nametoindex("eth0")?;
        // SAFETY: no pointer is passed, and nobody else has the new descriptor.
        let fd = unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_IGMP);
            OwnedFd::from_raw_fd(nix::errno::Errno::result(fd)?)
        };
        set(&fd, MRT_INIT, &1i32.to_ne_bytes())?;
        let mut interface = [0; 16];
        (interface[2], interface[3]) = (VIFF_USE_IFINDEX, 1);
        interface[8..12].copy_from_slice(&index.to_ne_bytes());
        set(&fd, MRT_ADD_VIF, &interface)?;
        Ok(fd)
    })?;
    Ok(made)
}

#[snowglobe::test]
fn an_interface_over_which_a_program_routes_groups_stays() -> TestResult {
    let routed = "grep -c eth0 /proc/net/ip_mr_vif";
    for at in [0, 1] {
        let world = World::new()?;
        let _router = match route_groups(world.node(at)) {
            Ok(router) => router,
            Err(e) => {
                snowglobe::note(format!("this kernel routes no groups: {e}"));
                return Ok(());
            }
        };
        assert_eq!(world.at(&[at], routed)?, ["1\n"]);
        world.at(&[1 - at], "ip addr add 10.77.0.1/24 dev eth0")?;
        world.impair()?;
        assert_eq!(world.at(&[at], routed)?, ["1\n"], "at {at}");
    }
    let world = World::new()?;
    let _routers = [0, 1].map(|at| route_groups(world.node(at)));
    let error = world.lab[world.link].impair(Impairment::delayed(MS));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("multicast routing"), "{text}");
    Ok(())
}

/// The kernel does not answer for an address that it has found to be a duplicate, and nobody waits
/// for it.
#[snowglobe::test]
fn a_duplicate_address_is_no_obstacle() -> TestResult {
    let world = World::new()?;
    let add = "ip -6 addr add fd00::62/64 dev eth0";
    world.at(&[0], &format!("{add} nodad"))?;
    world.at(&[1], add)?;
    let duplicate = "ip -6 -o addr show dev eth0 dadfailed";
    world
        .lab
        .wait_until(|| world.at(&[1], duplicate).is_ok_and(|it| !it[0].is_empty()))?;
    let inspection = world.lab.inspect(world.nodes[1])?;
    let is_told = |it: &&snowglobe::lab::AddressEntry| it.duplicate;
    let found = inspection.addresses.iter().find(is_told);
    assert_eq!(
        found.map(|it| it.address.to_string()).as_deref(),
        Some("fd00::62")
    );
    world.impair()
}

/// The server speaks first: nothing from inside could make the router translate the connection
/// anew.
#[snowglobe::test]
fn a_translated_connection_goes_on() -> TestResult {
    let mut topology = Topology::new();
    let home = topology.router(RouterSpec::new("home").nat_v6(V6Nat::Masquerade));
    let isp = topology.router(RouterSpec::new("isp"));
    let (inside, server) = (topology.node("inside"), topology.node("server"));
    let wan = topology.uplink(home, isp);
    topology.link(inside, home);
    topology.link(server, isp);
    let lab = topology.start()?;
    assert_eq!(lab[wan].carrier(), Carrier::Veth);
    let listener = lab[server].run(|| TcpListener::bind("[::]:80"))?;
    let to = lab[server].ipv6().ok_or("an IPv6 address")?;
    let mut client = lab[inside].run(|| TcpStream::connect((to, 80)))?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut served, from) = listener.accept()?;
    assert_ne!(Some(from.ip()), lab[inside].ipv6().map(IpAddr::from));
    // The other end has more: the home router's has to stay nevertheless.
    for number in 1..9 {
        let add = format!("ip addr add 10.77.0.{number}/24 dev eth0");
        shell(&lab[isp], &add)?;
    }
    lab[wan].impair(Impairment::delayed(MS))?;
    served.write_all(b"x")?;
    client.read_exact(&mut [0])?;
    Ok(())
}
