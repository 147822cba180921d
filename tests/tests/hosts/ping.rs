//! ICMP sockets of the ordinary kind, which need no privileges.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use snowglobe::prelude::*;
use snowglobe::topology::Users;

/// Pings an address, and returns whether it answers.
fn ping(to: IpAddr) -> std::io::Result<bool> {
    let (family, protocol, request, answer) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let fd: OwnedFd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?;
    // A socket without ports is one of datagrams in all other respects.
    let socket = UdpSocket::from(fd);
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.send_to(&[request, 0, 0, 0, 0, 0, 0, 1, b'x'], (to, 0))?;
    let mut reply = [0; 64];
    let length = socket.recv(&mut reply)?;
    Ok(length == 9 && reply[0] == answer)
}

#[snowglobe::test]
fn a_trial_pings_itself() -> TestResult {
    assert!(ping(Ipv4Addr::LOCALHOST.into())?);
    assert!(ping(Ipv6Addr::LOCALHOST.into())?);
    Ok(())
}

#[snowglobe::test]
fn nodes_of_all_kinds_ping_each_other() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let [plain, one] = [
        topology.node("plain"),
        topology.node(NodeSpec::new("one").users(Users::One)),
    ];
    let pod = topology.pod("pod");
    let container = topology.container(pod, "container");
    topology.plug(plain, lan);
    topology.plug(one, lan);
    topology.plug(pod, lan);
    let lab = topology.start()?;
    lab[plain].restart()?;
    for from in [plain, one, container] {
        for to in [plain, one, container] {
            for ip in [
                lab[to].ipv4().map(IpAddr::from),
                lab[to].ipv6().map(IpAddr::from),
            ] {
                let ip = ip.ok_or("an address")?;
                let answers = lab[from].run(|| ping(ip))?;
                assert!(answers, "{} to {ip}", lab[from].name());
            }
        }
    }
    Ok(())
}

/// Programs and documents name the range of all groups that way, however many are mapped.
#[snowglobe::test]
fn the_usual_sysctl_is_taken_where_few_groups_are_mapped() -> TestResult {
    let mut topology = Topology::new();
    let range = "net.ipv4.ping_group_range";
    let all = topology.node(NodeSpec::new("all").sysctl(range, "0 65535"));
    let one = NodeSpec::new("one").users(Users::One);
    let one = topology.node(one.sysctl(range, "0 2147483647"));
    let lab = topology.start()?;
    for node in [all, one] {
        assert!(lab[node].run(|| ping(Ipv4Addr::LOCALHOST.into()))?);
    }
    let mut wrong = Topology::new();
    wrong.node(NodeSpec::new("wrong").sysctl(range, "everybody"));
    let error = wrong.start().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("ping_group_range` to everybody: EINVAL"),
        "{error}"
    );
    Ok(())
}
