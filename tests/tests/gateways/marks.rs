//! Marks of packets, as the receiver sees them behind routers that let them pass, bleach them or
//! set them.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatEngine, preset};
use snowglobe::topology::{Dscp, Ecn, TopologyErrorKind};
use snowglobe_tests::BehindRouter;

use crate::probe::PATIENCE;

/// "Expedited forwarding" (RFC 3246).
const EXPEDITED: u8 = 46;
/// The codes of ECN (RFC 3168, section 5).
const NOT_CAPABLE: u8 = 0;
const CAPABLE: u8 = 1;
const CONGESTED: u8 = 3;

/// Returns a traffic class of a DSCP and an ECN.
const fn class(dscp: u8, ecn: u8) -> u8 {
    dscp << 2 | ecn
}

/// Opens a socket that tells the traffic class of what it receives.
fn open(node: &Node, v6: bool) -> TestResult<UdpSocket> {
    let any: IpAddr = match v6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    };
    let socket = node.run(|| UdpSocket::bind((any, 0)))?;
    match v6 {
        true => setsockopt(&socket, sockopt::Ipv6RecvTClass, &true)?,
        false => setsockopt(&socket, sockopt::IpRecvTos, &true)?,
    }
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends a datagram with a traffic class.
fn send(socket: &UdpSocket, to: SocketAddr, class: u8) -> TestResult {
    match to.is_ipv6() {
        true => setsockopt(socket, sockopt::Ipv6TClass, &i32::from(class))?,
        false => setsockopt(socket, sockopt::Ipv4Tos, &i32::from(class))?,
    }
    let to = SockaddrStorage::from(to);
    let fd = socket.as_raw_fd();
    sendmsg(fd, &[IoSlice::new(b"!")], &[], MsgFlags::empty(), Some(&to))?;
    Ok(())
}

/// Receives a datagram, and returns its traffic class and its source.
fn receive(socket: &UdpSocket) -> TestResult<(u8, SocketAddr)> {
    let mut bytes = [0; 10];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!(i32);
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut space), flags)?;
    let class = message.cmsgs()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4Tos(class) => Some(class),
        ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
        _ => None,
    });
    let from = message.address.ok_or("no source")?;
    let from = match (from.as_sockaddr_in(), from.as_sockaddr_in6()) {
        (Some(v4), _) => SocketAddr::from((v4.ip(), v4.port())),
        (_, Some(v6)) => SocketAddr::from((v6.ip(), v6.port())),
        (None, None) => return Err("a source of another family".into()),
    };
    Ok((class.ok_or("no traffic class")?, from))
}

/// Starts a host behind this router, and a server.
fn behind(router: RouterSpec) -> TestResult<BehindRouter> {
    BehindRouter::start(router, LinkSpec::new(), "server".into())
}

/// Sends a datagram with a traffic class to the server and another one back, and returns the
/// classes with which the two arrive.
fn classes(world: &BehindRouter, v6: bool, class: u8) -> TestResult<[u8; 2]> {
    let server = &world.lab[world.server];
    let address: IpAddr = match v6 {
        true => server.ipv6().ok_or("no IPv6")?.into(),
        false => server.ipv4().ok_or("no IPv4")?.into(),
    };
    let (host, server) = (open(&world.lab[world.host], v6)?, open(server, v6)?);
    send(&host, (address, server.local_addr()?.port()).into(), class)?;
    let (there, from) = receive(&server)?;
    send(&server, from, class)?;
    let (back, _) = receive(&host)?;
    Ok([there, back])
}

#[snowglobe::test]
fn marks_pass_or_are_bleached_as_asked_whatever_translates() -> TestResult {
    let sent = class(EXPEDITED, CAPABLE);
    let with = |nat| RouterSpec::new("router").nat(nat);
    let engines = [
        (RouterSpec::new("router"), None),
        (with(preset::home()), Some(NatEngine::Nftables)),
        (with(preset::full_cone()), Some(NatEngine::Userspace)),
    ];
    for (router, engine) in engines {
        let mut world = behind(router)?;
        if let Some(engine) = engine {
            assert_eq!(world.lab.nat(world.router)?.engine(), engine);
        }
        let table = [
            (Dscp::Keep, Ecn::Keep, sent),
            (Dscp::Bleach, Ecn::Keep, class(0, CAPABLE)),
            (Dscp::Keep, Ecn::Bleach, class(EXPEDITED, NOT_CAPABLE)),
            (Dscp::Bleach, Ecn::Bleach, 0),
            (Dscp::Set(10), Ecn::Congested, class(10, CONGESTED)),
            (Dscp::Keep, Ecn::Keep, sent),
        ];
        for (dscp, ecn, expected) in table {
            let change = |router: RouterSpec| router.dscp(dscp).ecn(ecn);
            world.lab.change_router(world.router, change)?;
            for v6 in [false, true] {
                let seen = classes(&world, v6, sent)?;
                let what = format!("{dscp:?} {ecn:?}, IPv6: {v6}, {engine:?}");
                assert_eq!(seen, [expected; 2], "{what}");
            }
        }
    }
    Ok(())
}

#[snowglobe::test]
fn only_packets_that_know_ecn_are_told_of_congestion() -> TestResult {
    let mut world = behind(RouterSpec::new("router"))?;
    let change = |router: RouterSpec| router.ecn(Ecn::Congested);
    world.lab.change_router(world.router, change)?;
    for v6 in [false, true] {
        let deaf = class(EXPEDITED, NOT_CAPABLE);
        assert_eq!(classes(&world, v6, deaf)?, [deaf; 2]);
        let told = class(0, CONGESTED);
        assert_eq!(classes(&world, v6, class(0, CAPABLE))?, [told; 2]);
    }
    let counters = world.lab[world.router].firewall_counters()?;
    let counted = counters.iter().find(|it| it.rule == "ecn");
    assert_eq!(counted.map(|it| it.packets), Some(4), "{counters:?}");
    Ok(())
}

#[snowglobe::test]
fn marks_are_read_from_toml_and_a_code_point_that_is_none_is_refused() -> TestResult {
    let text = r#"
        [[router]]
        name = "transit"
        dscp = { set = 46 }
        ecn = "bleach"
    "#;
    let mut built = Topology::new();
    let spec = RouterSpec::new("transit").dscp(Dscp::Set(46));
    built.router(spec.ecn(Ecn::Bleach));
    let read = Topology::from_toml(text)?;
    assert_eq!(read, built);
    assert_eq!(Topology::from_toml(&read.to_toml()?)?, read);
    let error = Topology::from_toml(&text.replace("46", "64")).expect_err("six bits");
    assert_eq!(error.kind(), TopologyErrorKind::Invalid);
    let said = error.to_string();
    assert!(
        said.contains("code point 64") && said.contains("0 to 63"),
        "{said}"
    );
    Ok(())
}
