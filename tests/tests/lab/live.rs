//! A lab can change while it runs.

use snowglobe::Lab;
use snowglobe::lab::Node;
use snowglobe::prelude::*;

use crate::{is_cut_off, reaches};

fn listeners(lab: &Lab) -> TestResult<Vec<TcpListener>> {
    lab.nodes()
        .map(|node| Ok(node.run(|| TcpListener::bind("[::]:80"))?))
        .collect()
}

#[snowglobe::test]
fn links_of_a_ring_go_down_and_come_back() -> TestResult {
    let lab = shape::ring(4).start()?;
    let _listeners = listeners(&lab)?;
    let nodes: Vec<_> = lab.nodes().collect();
    let both = |node: &Node| [node.ipv4().map(IpAddr::from), node.ipv6().map(IpAddr::from)];
    for round in 0..2 {
        for link in lab.links() {
            let (a, b) = (link.id().index(), (link.id().index() + 1) % 4);
            // The name of a node with two links stands for an address on the first, so this returns
            // the one on this link.
            let on_link = |index: usize| -> Vec<IpAddr> {
                let stack = lab.plan().stack(nodes[index].id());
                let interface = stack
                    .interfaces
                    .iter()
                    .find(|interface| interface.link == link.id());
                interface.map_or(Vec::new(), |interface| {
                    interface.addresses[..2]
                        .iter()
                        .map(|address| address.ip)
                        .collect()
                })
            };
            assert!(
                on_link(b).iter().all(|ip| reaches(nodes[a], *ip)),
                "{} before, round {round}",
                link.name()
            );
            link.down()?;
            assert!(link.is_down());
            assert!(
                on_link(b).iter().all(|ip| is_cut_off(nodes[a], *ip)),
                "{} down, round {round}",
                link.name()
            );
            link.up()?;
            for ip in on_link(b) {
                assert!(
                    reaches(nodes[a], ip),
                    "{ip} over {} up, round {round}",
                    link.name()
                );
            }
        }
        assert!(
            both(nodes[2])
                .iter()
                .flatten()
                .all(|ip| reaches(nodes[0], *ip)),
            "across, round {round}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_cable_at_a_switch_is_pulled_and_put_back() -> TestResult {
    let lab = shape::star(3).start()?;
    let _listeners = listeners(&lab)?;
    let nodes: Vec<_> = lab.nodes().collect();
    let link = lab.links().nth(1).ok_or("link")?;
    link.down()?;
    assert!(is_cut_off(nodes[0], nodes[1].ip()));
    assert!(reaches(nodes[0], nodes[2].ip()));
    let seen = lab.inspect(nodes[1].id())?;
    assert!(!seen.interface("eth0").ok_or("eth0")?.carrier);
    link.up()?;
    for ip in [nodes[1].ip(), nodes[1].ipv6().ok_or("ipv6")?.into()] {
        // The kernel may be in the middle of asking for the address, which it repeats every second.
        lab.wait_until(|| reaches(nodes[0], ip))?;
    }
    Ok(())
}

#[snowglobe::test]
fn nodes_and_links_come_and_go() -> TestResult {
    let mut lab = shape::star(2).start()?;
    let first = lab.node("n1").ok_or("n1")?.id();
    let (late, pod) = lab.grow(|topology| {
        let lan = topology.find_switch("lan").expect("a star has a switch");
        let late = topology.node("late");
        topology.plug(late, lan);
        let pod = topology.pod("pod");
        let inside = topology.container(pod, "inside");
        topology.link(late, pod);
        (late, inside)
    })?;
    let _listeners = listeners(&lab)?;
    for name in ["late:80", "n2:80", "inside:80"] {
        lab[first].run(|| TcpStream::connect(name))?;
    }
    lab[pod].run(|| TcpStream::connect("n1:80"))?;
    assert_eq!(
        lab[late]
            .command("cat")
            .arg("/proc/sys/kernel/hostname")
            .output()?
            .stdout_str(),
        "late\n"
    );

    let later = lab.grow(|topology| {
        let later = topology.node("later");
        topology.link(later, first);
        later
    })?;
    let _listener = lab[later].run(|| TcpListener::bind("[::]:80"))?;
    lab[first].run(|| TcpStream::connect("later:80"))?;
    // The way leads over the first node, which forwards from now on.
    lab[pod].run(|| TcpStream::connect("later:80"))?;

    lab.remove_node(later)?;
    assert!(!lab[later].is_running());
    let error = lab[later].restart().unwrap_err().to_string();
    assert_eq!(error, "failed to restart node `later`: it was removed");
    assert!(is_cut_off(&lab[first], lab[later].ip()));
    assert!(reaches(&lab[first], lab[late].ip()));
    let cable = lab
        .links()
        .find(|link| link.name().contains("late"))
        .ok_or("link")?
        .id();
    lab.remove_link(cable)?;
    assert!(is_cut_off(&lab[first], lab[late].ip()));
    assert!(lab.grow(|topology| topology.node("late")).is_err());
    Ok(())
}
