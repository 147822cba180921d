//! A running lab changes: routes are found again, cables move, and growth may fail.

use snowglobe::Lab;
use snowglobe::dhcp::DhcpSpec;
use snowglobe::dns::DnsSpec;
use snowglobe::lab::{Inspection, Node};
use snowglobe::prelude::*;
use snowglobe::topology::{EndSpec, NodeId, StartCommand, Volume};

use crate::{is_cut_off, reaches};

fn both(node: &Node) -> [IpAddr; 2] {
    let v6 = node.ipv6().expect("labs speak IPv6 unless told otherwise");
    [node.ip(), v6.into()]
}

fn listeners(lab: &Lab) -> TestResult<Vec<TcpListener>> {
    lab.nodes()
        .map(|node| Ok(node.run(|| TcpListener::bind("[::]:80"))?))
        .collect()
}

/// In a ring of four, the last node is known by its address on the link to the third. Without the
/// link between the first two, the first reaches the second, and is reached, by the long way round.
#[snowglobe::test]
fn a_ring_without_a_link_is_a_line() -> TestResult {
    let mut lab = shape::ring(4).start()?;
    let _listeners = listeners(&lab)?;
    let ids: Vec<NodeId> = lab.nodes().map(Node::id).collect();
    let first_link = lab.links().next().ok_or("a link")?.id();
    let across = both(&lab[ids[2]]);
    assert!(across.iter().all(|ip| reaches(&lab[ids[0]], *ip)));
    lab.remove_link(first_link)?;
    // The third node is known by its address on the link to the second, which is three hops away
    // now.
    for ip in across {
        assert!(reaches(&lab[ids[0]], ip), "{ip} from the first");
        assert!(reaches(&lab[ids[1]], ip), "{ip} from the second");
        assert!(reaches(&lab[ids[3]], ip), "{ip} from the fourth");
    }
    Ok(())
}

#[snowglobe::test]
fn routes_go_round_a_node_that_was_removed() -> TestResult {
    // Two ways lead from left to right: over `short`, and over `far` and `away`.
    let mut topology = Topology::new();
    let [left, short, right, far, away] =
        ["left", "short", "right", "far", "away"].map(|name| topology.node(name));
    for (a, b) in [
        (right, away),
        (left, far),
        (left, short),
        (short, right),
        (far, away),
    ] {
        topology.link(a, b);
    }
    let mut lab = topology.start()?;
    let _listeners = listeners(&lab)?;
    let to = both(&lab[right]);
    assert!(to.iter().all(|ip| reaches(&lab[left], *ip)));
    lab.remove_node(short)?;
    for ip in to {
        assert!(reaches(&lab[left], ip), "{ip}");
    }
    // Nobody is there to answer, and no route leads there.
    assert!(is_cut_off(&lab[left], lab[short].ip()));
    lab.remove_node(away)?;
    for ip in to {
        assert!(is_cut_off(&lab[left], ip), "{ip}");
    }
    Ok(())
}

/// A phone goes from one network to another and back, and is found by its name in both.
#[snowglobe::test]
fn a_node_that_moves_to_another_network_gets_addresses_there() -> TestResult {
    let mut topology = Topology::new();
    let (wifi, mobile) = (topology.switch("wifi"), topology.switch("mobile"));
    let [phone, laptop, router, server] =
        ["phone", "laptop", "router", "server"].map(|name| topology.node(name));
    let cable = topology.plug(phone, wifi);
    topology.plug(laptop, wifi);
    topology.plug(router, wifi);
    topology.plug(router, mobile);
    topology.link(router, server);
    let mut lab = topology.start()?;
    let _listeners = listeners(&lab)?;
    let at_home = both(&lab[phone]);
    let meet = |lab: &Lab, others: &[NodeId]| -> TestResult {
        for other in others {
            lab[*other].run(|| TcpStream::connect("phone:80"))?;
            for ip in both(&lab[phone]) {
                assert!(reaches(&lab[*other], ip), "{} to {ip}", lab[*other].name());
            }
            for ip in both(&lab[*other]) {
                assert!(reaches(&lab[phone], ip), "phone to {ip}");
            }
        }
        Ok(())
    };
    meet(&lab, &[laptop, router, server])?;
    lab.move_link(cable, mobile)?;
    let abroad = both(&lab[phone]);
    assert!(at_home.iter().all(|ip| !abroad.contains(ip)), "{abroad:?}");
    meet(&lab, &[laptop, router, server])?;
    assert!(at_home.iter().all(|ip| is_cut_off(&lab[laptop], *ip)));
    let seen = lab.inspect(phone)?;
    assert_eq!(
        seen.interface("eth0").ok_or("eth0")?.altnames,
        ["to-mobile"]
    );
    lab.move_link(cable, wifi)?;
    assert_eq!(both(&lab[phone]), at_home);
    meet(&lab, &[laptop, router, server])
}

/// Two joined switches are one network: a node that moves from one to the other keeps its addresses
/// and connections.
#[snowglobe::test]
fn a_node_that_moves_within_its_network_keeps_its_connections() -> TestResult {
    let mut topology = Topology::new();
    let (here, there) = (topology.switch("here"), topology.switch("there"));
    topology.link(here, there);
    let (phone, server) = (topology.node("phone"), topology.node("server"));
    let cable = topology.plug(phone, here);
    topology.plug(server, here);
    let mut lab = topology.start()?;
    let addresses = both(&lab[phone]);
    let listener = lab[phone].run(|| TcpListener::bind("[::]:80"))?;
    let mut client = lab[server].run(|| TcpStream::connect("phone:80"))?;
    let mut served = listener.accept()?.0;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    served.set_read_timeout(Some(Duration::from_secs(10)))?;
    for to in [there, here, there] {
        lab.move_link(cable, to)?;
        assert_eq!(both(&lab[phone]), addresses);
        let mut byte = [0];
        // The node that did not move sends first: the switches must know the new port already.
        client.write_all(b"?")?;
        served.read_exact(&mut byte)?;
        served.write_all(b"!")?;
        client.read_exact(&mut byte)?;
        assert_eq!(&byte, b"!");
    }
    Ok(())
}

#[snowglobe::test]
fn a_cable_that_cannot_move_stays_where_it_is() -> TestResult {
    let mut topology = Topology::new();
    let (left, right) = (topology.switch("left"), topology.switch("right"));
    let [a, b, c] = ["a", "b", "c"].map(|name| topology.node(name));
    let by_hand = LinkSpec::new().a(EndSpec::new().address("10.9.0.1/24"));
    let cable = topology.plug_with(a, left, by_hand);
    topology.plug(b, left);
    topology.plug(c, right);
    let direct = topology.link(a, c);
    let mut lab = topology.start()?;
    let _listeners = listeners(&lab)?;
    let error = lab.move_link(cable, right).unwrap_err().to_string();
    assert!(
        error.contains("subnet `10.9.0.0/24` of switch `right` overlaps"),
        "{error}"
    );
    assert!(reaches(&lab[b], lab[a].ip()));
    let error = lab.move_link(direct, right).unwrap_err().to_string();
    assert!(
        error.contains("link `a–c` does not lead from a node to a switch"),
        "{error}"
    );
    lab.remove_link(cable)?;
    let error = lab.move_link(cable, right).unwrap_err().to_string();
    assert_eq!(error, "link `a–left` was removed");
    Ok(())
}

/// Returns everything of a node that can be compared, without the counters of packets.
fn network(lab: &Lab, node: NodeId) -> TestResult<impl PartialEq + std::fmt::Debug + use<>> {
    let Inspection {
        interfaces,
        mut addresses,
        mut routes,
        ..
    } = lab.inspect(node)?;
    addresses.sort_by_key(|address| format!("{address:?}"));
    routes.sort_by_key(|route| format!("{route:?}"));
    let interfaces: Vec<_> = interfaces
        .into_iter()
        .map(|it| (it.name, it.altnames, it.mtu, it.state))
        .collect();
    let hosts = lab[node].run(|| std::fs::read_to_string("/etc/hosts"))?;
    let forwards = lab[node].run(|| std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward"))?;
    Ok((interfaces, addresses, routes, hosts, forwards))
}

#[snowglobe::test]
fn growth_that_fails_leaves_the_lab_as_it_was() -> TestResult {
    let mut lab = shape::star(3).start()?;
    let ids: Vec<NodeId> = lab.nodes().map(Node::id).collect();
    let _listeners = listeners(&lab)?;
    let seen = |lab: &Lab| -> TestResult<_> {
        ids.iter()
            .map(|id| network(lab, *id))
            .collect::<Result<Vec<_>, _>>()
    };
    let processes = || -> TestResult<usize> {
        let numbers = std::fs::read_dir("/proc")?;
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        Ok(numbers
            .filter(|entry| {
                entry
                    .as_ref()
                    .is_ok_and(|entry| is_number(&entry.file_name().to_string_lossy()))
            })
            .count())
    };
    let (before, running) = (seen(&lab)?, processes()?);
    let namespaces = lab.namespaces()?.len();
    for program in ["no-such-program", "false"] {
        let grown = lab.grow(|topology| {
            let late = topology.node("late");
            let command = StartCommand::new(program).ready_port(80);
            let broken = topology.node(NodeSpec::new("broken").command(command));
            let lan = topology.find_switch("lan").expect("a star has a switch");
            let other = topology.switch("other");
            topology.plug(late, lan);
            topology.plug(late, other);
            topology.plug(broken, other);
            topology.link(ids[0], broken);
            topology.link(ids[0], ids[1]);
            topology.link(lan, other);
        });
        let error = grown.unwrap_err().to_string();
        assert!(error.contains("broken"), "{error}");
        assert_eq!(seen(&lab)?, before);
        assert_eq!(lab.nodes().count(), 3);
        assert_eq!(lab.links().count(), 3);
        assert!(lab.topology().find("late").is_none());
        lab.wait_until(|| processes().is_ok_and(|now| now == running))?;
        assert_eq!(lab.namespaces()?.len(), namespaces);
    }
    assert!(reaches(&lab[ids[0]], lab[ids[1]].ip()));
    // The lab can still grow, by the very same change.
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        let lan = topology.find_switch("lan").expect("a star has a switch");
        topology.plug(late, lan);
        topology.link(ids[0], ids[1]);
        late
    })?;
    let _listener = lab[late].run(|| TcpListener::bind("[::]:80"))?;
    for ip in both(&lab[late]) {
        assert!(reaches(&lab[ids[2]], ip));
    }
    Ok(())
}

/// A running node has its mounts, programs and servers from its start. A growth that would change
/// them is refused, and does nothing.
#[snowglobe::test]
fn growth_cannot_change_what_a_running_node_has_from_its_start() -> TestResult {
    let mut lab = shape::star(2).start()?;
    let first = lab.nodes().next().ok_or("a node")?.id();
    type Edit = fn(NodeSpec) -> NodeSpec;
    let edits: [(Edit, &str); 6] = [
        (|node| node.command("true"), "its commands cannot change"),
        (
            |node| node.volume("/srv", Volume::named("srv")),
            "its mounts and volumes cannot change",
        ),
        (|node| node.rootfs("/"), "its root filesystem cannot change"),
        (
            |node| node.dns(DnsSpec::new()),
            "it cannot begin or cease to have a name server",
        ),
        (
            |node| node.dhcp(DhcpSpec::new()),
            "its DHCP server cannot come, go or change",
        ),
        (
            NodeSpec::faulty_clock,
            "it cannot get or lose a clock with faults",
        ),
    ];
    for (edit, part) in edits {
        let refused = lab.grow(|topology| {
            let late = topology.node("late");
            topology.plug(
                late,
                topology.find_switch("lan").expect("a star has a switch"),
            );
            topology.edit_node(first, edit);
        });
        let error = refused.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.to_string().contains("node `n1` runs"), "{error}");
        assert_eq!(lab.nodes().count(), 2);
    }
    // What follows the topology may change: a sysctl of the network does.
    lab.grow(|topology| topology.edit_node(first, |node| node.sysctl("net.ipv4.ip_forward", 1)))?;
    let forwards = lab[first].run(|| std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward"))?;
    assert_eq!(forwards.trim(), "1");
    Ok(())
}

/// A node whose cable is pulled has no routes to be changed. It learns the new ones when the cable
/// is put back.
#[snowglobe::test]
fn a_lab_grows_while_a_cable_is_pulled() -> TestResult {
    let mut lab = shape::line(3).start()?;
    let ids: Vec<NodeId> = lab.nodes().map(Node::id).collect();
    let cable = lab.links().next().ok_or("a link")?.id();
    lab[cable].down()?;
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        topology.link(ids[2], late);
        late
    })?;
    let _listener = lab[late].run(|| TcpListener::bind("[::]:80"))?;
    assert!(
        both(&lab[late])
            .iter()
            .all(|ip| is_cut_off(&lab[ids[0]], *ip))
    );
    lab[cable].up()?;
    for ip in both(&lab[late]) {
        assert!(reaches(&lab[ids[0]], ip), "{ip}");
    }
    Ok(())
}

/// A node that was alone has no address; once it has got a cable, it has one.
#[snowglobe::test]
fn a_first_cable_gives_a_node_an_address() -> TestResult {
    let mut topology = Topology::new();
    let (alone, other) = (topology.node("alone"), topology.node("other"));
    let mut lab = topology.start()?;
    assert_eq!(lab[alone].ipv4(), None);
    lab.grow(|topology| topology.link(alone, other))?;
    assert_eq!(lab[alone].ipv4(), Some([10, 0, 0, 1].into()));
    let _listener = lab[alone].run(|| TcpListener::bind("[::]:80"))?;
    lab[other].run(|| TcpStream::connect("alone:80"))?;
    Ok(())
}
