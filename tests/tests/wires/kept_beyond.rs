//! Of two interfaces between two nodes, the one that nobody has touched is made anew, so that
//! nothing is lost that could not be given to another interface; and where something stands on
//! both, all of it is given to the other that can be.

use snowglobe::lab::{Carrier, Node};
use snowglobe::prelude::*;

use crate::MS;

pub(crate) fn shell(node: &Node, script: &str) -> TestResult<String> {
    let script = format!("PATH=$PATH:/usr/sbin:/sbin; {script}");
    let output = node.command("sh").args(["-c", &script]).output()?;
    Ok(output.stdout_str() + &output.stderr_str())
}

/// Kinds of things, each with what makes it and what shows it.
const KINDS: [(&str, &str, &str); 6] = [
    (
        "a classful discipline",
        "tc qdisc add dev eth0 root handle 1: htb default 10; \
         tc class add dev eth0 parent 1: classid 1:10 htb rate 10mbit; \
         tc qdisc add dev eth0 clsact",
        "tc qdisc show dev eth0 | sed 's/direct_packets_stat [0-9]*//; s/ *$//'; \
         tc class show dev eth0",
    ),
    (
        "next hops",
        "ip nexthop add id 1 via $PEER dev eth0; ip nexthop add id 2 dev eth0; \
         ip nexthop add id 10 group 1; ip route add 192.0.2.0/24 nhid 10; \
         ip route add 198.51.100.0/24 nhid 1",
        "ip nexthop; ip route",
    ),
    (
        "a port of a bridge",
        "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0; \
         bridge link set dev eth0 cost 77; \
         bridge fdb add 02:00:00:00:00:55 dev eth0 master static",
        "bridge -d link show dev eth0 | grep -o 'cost [0-9]*'; bridge fdb show dev eth0 | grep 55",
    ),
    (
        "limits of batches",
        "ip link set eth0 gso_max_size 1000; ip link set eth0 gro_max_size 1000",
        "ip -d -o link show eth0 | grep -oE '(gso|gro)_max_size [0-9]*'",
    ),
    (
        "a group of the link layer",
        "ip maddr add 01:00:5e:01:02:03 dev eth0; ip link set eth0 group 5",
        "ip maddr show dev eth0",
    ),
    (
        "a VXLAN",
        "ip link add vx0 type vxlan id 5 dev eth0 group 239.1.1.1 dstport 4789; \
         ip addr add 10.5.0.1/24 dev vx0; ip link set vx0 up",
        "ip -4 -o addr show dev vx0",
    ),
];

#[snowglobe::test(timeout = "120s")]
fn what_stands_on_one_interface_stays_whatever_it_is() -> TestResult {
    for at_first_end in [true, false] {
        for (kind, make, show) in KINDS {
            let mut topology = Topology::new();
            let (one, two) = (topology.node("one"), topology.node("two"));
            let link = match at_first_end {
                true => topology.link(one, two),
                false => topology.link(two, one),
            };
            let lab = topology.start()?;
            let plain = shell(&lab[one], show)?;
            let peer = lab[two].ip();
            let said = shell(&lab[one], &format!("PEER={peer}; {make}"))?;
            let before = shell(&lab[one], show)?;
            if said.contains("Unknown device type") || said.contains("not supported") {
                snowglobe::note(format!("this kernel has no {kind}"));
                continue;
            }
            assert_ne!(before, plain, "{kind}: {said}");
            lab[link].impair(Impairment::delayed(MS))?;
            assert_ne!(lab[link].carrier(), Carrier::Veth);
            let after = shell(&lab[one], show)?;
            assert_eq!(after, before, "{kind}, at the first end: {at_first_end}");
        }
    }
    Ok(())
}

/// Kinds of things that another interface can be given.
#[snowglobe::test(timeout = "120s")]
fn what_stands_on_both_interfaces_is_there_afterwards() -> TestResult {
    for (kind, make, show) in &KINDS[..2] {
        let mut topology = Topology::new();
        let nodes = [topology.node("one"), topology.node("two")];
        let link = topology.link(nodes[0], nodes[1]);
        let lab = topology.start()?;
        let seen = || -> TestResult<Vec<String>> {
            nodes.iter().map(|node| shell(&lab[*node], show)).collect()
        };
        for (node, peer) in [(0, 1), (1, 0)] {
            let peer = lab[nodes[peer]].ip();
            shell(&lab[nodes[node]], &format!("PEER={peer}; {make}"))?;
        }
        let before = seen()?;
        lab[link].impair(Impairment::delayed(MS))?;
        assert_eq!(seen()?, before, "{kind}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_vxlan_on_both_interfaces_is_an_error_that_names_them() -> TestResult {
    let mut topology = Topology::new();
    let nodes = [topology.node("one"), topology.node("two")];
    let link = topology.link(nodes[0], nodes[1]);
    let lab = topology.start()?;
    let (_, make, show) = KINDS[5];
    for node in nodes {
        if shell(&lab[node], make)?.contains("Unknown device type") {
            snowglobe::note("this kernel has no VXLAN");
            return Ok(());
        }
    }
    let error = lab[link]
        .impair(Impairment::delayed(MS))
        .unwrap_err()
        .to_string();
    assert!(error.contains("interface `vx0` on node `one`"), "{error}");
    assert!(error.contains("interface `vx0` on node `two`"), "{error}");
    for node in nodes {
        assert!(shell(&lab[node], show)?.contains("10.5.0.1"));
    }
    Ok(())
}
