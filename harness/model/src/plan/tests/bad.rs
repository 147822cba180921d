//! What is wrong is said by name, and never by the kernel.

use super::complaint;
use crate::impair::{Direction, Impairment, Percent, Rate};
use crate::topology::{
    EndSpec, Families, LinkSpec, Mount, MountSource, Neighbours, NodeId, NodeSpec, PodId, Size,
    StartCommand, SwitchSpec, Topology, Users, Volume, shape,
};

fn node(spec: NodeSpec) -> String {
    let mut topology = Topology::new();
    topology.node(spec);
    complaint(&topology)
}

fn link(spec: LinkSpec) -> String {
    let mut topology = shape::pair();
    let link = topology.links().next().unwrap();
    topology.edit_link(link, |_| spec);
    complaint(&topology)
}

#[test]
fn names() {
    let long = node(NodeSpec::new("x".repeat(300)));
    assert_eq!(
        long,
        format!(
            "node name `{}…` has 300 bytes; a name has at most 63",
            "x".repeat(40)
        )
    );
    let odd = node(NodeSpec::new("bøb"));
    assert_eq!(
        odd,
        "node name `bøb` has `ø` in it; a name is made of letters a–z, digits and hyphens"
    );
    assert!(node(NodeSpec::new("10")).contains("would be read as an address"));
    assert!(node(NodeSpec::new("")).contains("is empty"));
    assert!(node(NodeSpec::new("a\nb")).contains("node name `a\\nb` has `\\n` in it"));
    let mut topology = Topology::new();
    topology.node("bob");
    topology.node("Bob");
    assert_eq!(
        complaint(&topology),
        "node `Bob` has the name of another; each needs its own"
    );
    topology.edit_node(topology.find("Bob").unwrap(), |_| NodeSpec::new("lan"));
    topology.switch("lan");
    assert_eq!(
        complaint(&topology),
        "switch `lan` has the name of a node; each needs its own"
    );
}

#[test]
fn names_within_a_pod() {
    let mut topology = Topology::new();
    let (one, two) = (topology.pod("one"), topology.pod("two"));
    topology.container(one, "app");
    topology.container(two, "app");
    topology.validate().unwrap();
    topology.container(two, "app");
    assert_eq!(
        complaint(&topology),
        "container `app` has the name of another; each needs its own"
    );
}

#[test]
fn aliases_and_domains() {
    let mut topology = shape::pair();
    topology.edit_node(topology.find("bob").unwrap(), |spec| {
        spec.alias("alice.lab").alias("a b")
    });
    let text = complaint(&topology);
    assert!(
        text.contains("alias `alice.lab` of `bob` is a name of `alice` already"),
        "{text}"
    );
    assert!(
        text.contains("alias `a b` of `bob` has ` ` in it"),
        "{text}"
    );
    topology.domain("a..b");
    assert!(
        complaint(&topology).contains("domain `a..b` is empty")
            || complaint(&topology).contains("domain `a..b`")
    );
}

#[test]
fn sizes() {
    assert!(complaint(&Topology::new()).contains("no nodes"));
    assert_eq!(
        complaint(&shape::star(20_000)),
        "the topology has 20000 nodes; a lab has at most 10000 nodes"
    );
    assert_eq!(
        complaint(&shape::full_mesh(400)),
        "the topology has 79800 links; a lab has at most 50000 links"
    );
    assert!(complaint(&shape::full_mesh(20_000)).contains("20000 nodes"));
    assert!(complaint(&shape::tree(64, 64)).contains("nodes; a lab has at most"));
}

#[test]
fn the_smallest_shapes() {
    for empty in [
        shape::star(0),
        shape::line(0),
        shape::ring(0),
        shape::full_mesh(0),
        shape::random(0, 1),
    ] {
        assert!(complaint(&empty).contains("no nodes"));
    }
    let (alone, pods) = (shape::tree(0, 9), {
        let mut topology = Topology::new();
        let pod = topology.pod("web");
        topology.container(pod, "app");
        topology
    });
    for small in [
        alone,
        pods,
        shape::star(1),
        shape::line(1),
        shape::ring(1),
        shape::ring(2),
        shape::dumbbell(0, 0),
    ] {
        small.validate().unwrap();
    }
    for nodes in 1..6 {
        shape::random(nodes, 1).validate().unwrap();
        shape::full_mesh(nodes).validate().unwrap();
    }
}

#[test]
fn sizes_that_only_the_plan_shows() {
    let mut star = shape::star(800);
    star.neighbours(Neighbours::Fixed);
    assert!(complaint(&star).contains("fixed neighbours for all would be about 640000 entries"));
    assert!(complaint(&shape::random(800, 1)).contains("needs more than 500000 static routes"));
}

#[test]
fn ends_of_links() {
    let mut topology = Topology::new();
    let bob = topology.node("bob");
    topology.link(bob, bob);
    assert_eq!(
        complaint(&topology),
        "link `bob–bob` joins node `bob` to itself; a cable needs two ends"
    );

    let mut topology = Topology::new();
    let pod = topology.pod("web");
    let (app, sidecar) = (
        topology.container(pod, "app"),
        topology.container(pod, "sidecar"),
    );
    topology.link(app, sidecar);
    assert!(
        complaint(&topology).contains("link `web/app–web/sidecar` joins pod `web` to itself"),
        "{}",
        complaint(&topology)
    );

    let mut topology = Topology::new();
    let bob = topology.node("bob");
    topology.link(bob, NodeId::new(7));
    let text = complaint(&topology);
    assert!(
        text.starts_with("link `bob–?` joins a node that this topology does not have"),
        "{text}"
    );
    topology.container(PodId::new(3), "app");
    assert!(
        complaint(&topology)
            .contains("container `app` is in a pod that this topology does not have")
    );
}

#[test]
fn pods_without_containers() {
    let mut topology = shape::pair();
    topology.pod("web");
    assert_eq!(
        complaint(&topology),
        "pod `web` has no containers; add one with `topology.container(pod, \"app\")`, in a file with `[[node]]` and `pod = \"…\"`"
    );
}

#[test]
fn loops_of_switches() {
    let mut topology = shape::star(2);
    let switches = [
        topology.find_switch("lan").unwrap(),
        topology.switch("wan"),
        topology.switch("man"),
    ];
    topology.link(switches[0], switches[1]);
    topology.link(switches[1], switches[2]);
    topology.validate().unwrap();
    topology.link(switches[2], switches[0]);
    assert!(
        complaint(&topology).starts_with("link `man–lan` closes a loop of switches"),
        "{}",
        complaint(&topology)
    );
}

#[test]
fn mtus() {
    assert_eq!(
        link(LinkSpec::new().mtu(67)),
        "MTU 67 of link `alice–bob` is out of range; an MTU is 68 to 65535"
    );
    assert!(link(LinkSpec::new().mtu(65_536)).contains("out of range"));
    assert!(link(LinkSpec::new().mtu(1279)).contains("too small for IPv6, which needs 1280"));
    let mut topology = shape::pair();
    topology.edit_link(topology.links().next().unwrap(), |spec| {
        spec.mtu(68).families(Families::V4)
    });
    topology.validate().unwrap();
}

#[test]
fn addresses() {
    let both = |a: &str, b: &str| link(LinkSpec::new().addresses(a, b));
    assert!(
        both("10.9.0.1", "10.9.0.2")
            .contains("address `10.9.0.1` at `alice` of link `alice–bob` is in no subnet there")
    );
    assert!(
        both("10.9.0.1/24", "10.8.0.1")
            .contains("address `10.8.0.1` at `bob` of link `alice–bob` is in no subnet there")
    );
    assert!(
        both("10.9.0.1/24", "10.9.0.1/24")
            .contains("is taken at `alice` of link `alice–bob` already")
    );
    assert!(
        both("10.9.0.1/24", "10.9.0.2/16")
            .contains("does not fit subnet `10.9.0.0/24` there; write `10.9.0.2/24`")
    );
    assert!(
        both("10.9.0.0/24", "10.9.0.255/24")
            .contains("is one that no interface can have in `10.9.0.0/24`")
    );
    assert!(
        both("seven", "10.9.0.2/24")
            .contains("address at `alice` of link `alice–bob`: `seven` is not an address")
    );
    for unusable in [
        "127.0.0.1/8",
        "0.0.0.0/0",
        "224.0.0.1/24",
        "255.255.255.255/24",
        "::1/64",
        "fe80::1/64",
        "::ffff:1.2.3.4/96",
        "ff02::1/64",
    ] {
        assert!(
            both(unusable, "10.9.0.2/24").contains("choose another"),
            "{unusable}"
        );
    }
}

#[test]
fn subnets() {
    assert!(link(LinkSpec::new().subnet("10.9.0.1/24")).contains("it is in `10.9.0.0/24`"));
    assert!(
        link(LinkSpec::new().subnet("lots"))
            .contains("subnet of link `alice–bob`: `lots` is not a subnet")
    );
    assert!(link(LinkSpec::new().subnet("127.0.0.0/8")).contains("loopback"));
    let mut topology = shape::pair();
    let [alice, bob] = [0, 1].map(|n| topology.nodes().nth(n).unwrap());
    topology.link_with(alice, bob, LinkSpec::new().subnet("10.9.0.0/16"));
    topology.link_with(alice, bob, LinkSpec::new().subnet("10.9.7.0/24"));
    let expected = "subnet `10.9.7.0/24` of link `alice–bob (3)` overlaps `10.9.0.0/16` of link `alice–bob (2)`; choose another";
    assert_eq!(complaint(&topology), expected);
    topology.address_pools("10.0.0.0/30", "fd00::/48");
    topology.edit_link(topology.links().nth(2).unwrap(), |_| LinkSpec::new());
    assert!(complaint(&topology).contains("address pool `10.0.0.0/30` is too small"));
    topology.address_pools("0.0.0.0/0", "fd00::/48");
    assert_eq!(
        complaint(&topology),
        "address pool `0.0.0.0/0` is the unspecified address; choose another"
    );
}

#[test]
fn ends_that_are_ports() {
    let mut topology = Topology::new();
    let lan = topology.switch(SwitchSpec::new("lan"));
    let bob = topology.node("bob");
    topology.plug_with(
        bob,
        lan,
        LinkSpec::new()
            .b(EndSpec::new().address("10.0.0.1/24"))
            .subnet("10.0.0.0/24"),
    );
    let text = complaint(&topology);
    assert!(
        text.contains(
            "`lan` of link `bob–lan` is a switch, whose port has no name, MAC or address"
        ),
        "{text}"
    );
    assert!(
        text.contains("subnets and families are the switch's; ask them of `lan`"),
        "{text}"
    );
}

#[test]
fn interfaces() {
    let end = |end: EndSpec| link(LinkSpec::new().a(end));
    assert!(
        end(EndSpec::new().name("a/b"))
            .contains("interface name `a/b` at `alice` of link `alice–bob` has `/` in it")
    );
    assert!(end(EndSpec::new().name("lo")).contains("reserved"));
    assert!(end(EndSpec::new().name("x".repeat(128))).contains("has 128 bytes"));
    assert!(
        end(EndSpec::new().mac("nonsense"))
            .contains("MAC at `alice` of link `alice–bob`: `nonsense` is not a MAC")
    );
    assert!(end(EndSpec::new().mac("01:00:00:00:00:01")).contains("first byte must be even"));
    let mac = || EndSpec::new().mac("02:00:00:00:00:01");
    assert!(
        link(LinkSpec::new().a(mac()).b(mac()))
            .contains("both have an interface with MAC `02:00:00:00:00:01`")
    );
    let mut topology = shape::pair();
    let [alice, bob] = [0, 1].map(|n| topology.nodes().nth(n).unwrap());
    topology.edit_link(topology.links().next().unwrap(), |spec| {
        spec.names("wan", "x")
    });
    topology.link_with(alice, bob, LinkSpec::new().names("wan", "y"));
    assert_eq!(
        complaint(&topology),
        "node `alice` has two interfaces named `wan`; each needs its own"
    );
}

#[test]
fn mounts() {
    let at = |at: &str| node(NodeSpec::new("a").volume(at, Volume::named("site")));
    assert_eq!(
        at("data"),
        "mount `data` of node `a`: a mount point is an absolute path without `..`"
    );
    assert!(at("/a/../b").contains("without `..`"));
    assert!(at("/").contains("ask for a root filesystem"));
    assert!(at("/proc/sys").contains("every node has a `/proc` of its own"));
    let twice = node(
        NodeSpec::new("a")
            .volume("/data", Volume::named("x"))
            .bind("//data/", "y"),
    );
    assert_eq!(
        twice,
        "mount `//data/` of node `a`: something is mounted there already; choose another path"
    );
    assert!(
        node(NodeSpec::new("a").volume("/data", Volume::named("../x")))
            .contains("volume name `../x` has `/` in it")
    );
    assert!(
        node(NodeSpec::new("a").volume("/data", Volume::tmpfs(Size::bytes(0))))
            .contains("the tmpfs has a size of 0")
    );
    assert!(node(NodeSpec::new("a").bind("/data", "../x")).contains("`../x` leads upwards"));
    assert!(
        node(NodeSpec::new("a").volume("/data", Volume::clone_of("../x")))
            .contains("mount `/data` of node `a`: `../x` leads upwards")
    );
    let two = NodeSpec::new("a")
        .volume("/new", Volume::named("x"))
        .volume("/old", Volume::named_clone("x", "old"));
    assert!(node(two).contains("volume `x` begins with other files"));
    let empty = Mount {
        at: "/data".into(),
        source: MountSource::Bind("".into()),
        read_only: true,
    };
    assert!(node(NodeSpec::new("a").mount(empty)).contains("the path is empty"));
    assert!(
        node(NodeSpec::new("a").rootfs("../x"))
            .contains("root filesystem of node `a`: `../x` leads upwards")
    );
}

#[test]
fn sysctls_users_and_commands() {
    assert!(
        node(NodeSpec::new("a").sysctl("vm.swappiness", 1))
            .contains("sysctl `vm.swappiness` of node `a` is the whole machine's")
    );
    assert!(
        node(NodeSpec::new("a").sysctl("net/../kernel/core_pattern", 1)).contains("is not a key")
    );
    assert!(node(NodeSpec::new("a").sysctl("net.ipv4.ip_forward", "")).contains("has no value"));
    assert!(
        node(NodeSpec::new("a").drop_inbound_udp([53, 0]))
            .contains("the packet filter of node `a` has port 0")
    );
    assert!(
        node(NodeSpec::new("a").drop_inbound_tcp(1..=1001))
            .contains("has 1001 ports; a node can drop at most 1000")
    );
    assert!(
        node(NodeSpec::new("a").users(Users::Range(0))).contains("node `a` maps a range of no ids")
    );
    let mut topology = Topology::new();
    let pod = topology.pod("web");
    topology.container(pod, NodeSpec::new("app").users(Users::One));
    assert_eq!(
        complaint(&topology),
        "node `web/app` is a container, and cannot have users of its own: its network is its pod's, whose users are the trial's"
    );
    assert!(node(NodeSpec::new("a").command("")).contains("a command of node `a` has no program"));
    assert!(
        node(NodeSpec::new("a").command(StartCommand::new("x").arg("a\0b")))
            .contains("command `x` of node `a` has a NUL")
    );
    assert!(
        node(NodeSpec::new("a").host("nowhere", "x"))
            .contains("hosts of node `a`: `nowhere` is not an address")
    );
    let mut topology = Topology::new();
    let pod = topology.pod("web");
    topology.container(pod, NodeSpec::new("app").forward(true));
    assert!(complaint(&topology).contains("node `web/app` is a container"));
}

#[test]
fn many_problems_are_told_at_once_and_very_many_are_counted() {
    let mut topology = Topology::new();
    for n in 0..100 {
        topology.node(format!("n_{n}"));
    }
    let text = complaint(&topology);
    assert!(
        text.starts_with("the topology has 100 problems:\n  - node name `n_0` has `_` in it"),
        "{text}"
    );
    assert!(text.ends_with("\n  - and 80 more"), "{text}");
}

#[test]
fn an_impairment_is_named_with_its_link_and_direction() {
    let lossy = Impairment {
        loss: Percent(130.0),
        ..Impairment::NONE
    };
    assert_eq!(
        link(LinkSpec::from(lossy.clone())),
        "link `alice–bob`: loss of 130 % is not between 0 % and 100 %"
    );
    assert_eq!(
        link(LinkSpec::new().impair_one_way(Direction::BToA, lossy)),
        "link `alice–bob`, b→a: loss of 130 % is not between 0 % and 100 %"
    );
    let stopped = Impairment {
        rate: Some(Rate::bit(0)),
        ..Impairment::NONE
    };
    assert!(
        link(LinkSpec::from(stopped).name("uplink"))
            .starts_with("link `uplink`: rate of 0 bit/s: nothing would ever pass")
    );
}
