//! The sysctls of a stack: those that its interfaces and its specification ask for.

use crate::plan::stack::{InterfacePlan, Sysctl};
use crate::topology::node::StackSpec;

/// The packets that a stack forwards.
#[derive(Clone, Copy)]
pub(super) struct Forwards {
    /// Packets between its interfaces.
    pub(super) all: bool,
    /// Packets of IPv6 in any case: what an interface of the node has made of a packet of IPv4 goes
    /// on to the uplink.
    pub(super) v6: bool,
}

/// Returns the sysctls to write before there are interfaces, and gives the others to their
/// interfaces.
pub(super) fn sysctls(
    network: &StackSpec,
    interfaces: &mut [InterfacePlan],
    forwards: Forwards,
) -> Vec<Sysctl> {
    let mut early = Vec::new();
    let mut set = |path: &str, value: u8| {
        early.push(Sysctl {
            path: path.into(),
            value: value.to_string(),
        })
    };
    // A node on several segments may hear the answer on another interface than the one that it
    // asked over. With reverse path filtering the kernel would drop that answer (RFC 3704;
    // net/ipv4/fib_frontend.c, fib_validate_source).
    if interfaces
        .iter()
        .any(|interface| interface.segment != interfaces[0].segment)
    {
        set("net/ipv4/conf/all/rp_filter", 0);
        set("net/ipv4/conf/default/rp_filter", 0);
    }
    if forwards.all {
        set("net/ipv4/ip_forward", 1);
        set("net/ipv4/conf/all/send_redirects", 0);
        set("net/ipv4/conf/default/send_redirects", 0);
    }
    let mut addresses = interfaces.iter().flat_map(|it| &it.addresses);
    if forwards.v6 || forwards.all && addresses.any(|address| address.ip.is_ipv6()) {
        set("net/ipv6/conf/all/forwarding", 1);
    }
    for (key, value) in &network.sysctls {
        let path = if key.contains('/') {
            key.clone()
        } else {
            key.replace('.', "/")
        };
        let mut parts = path.split('/');
        let interface = parts.find_map(|part| {
            interfaces
                .iter()
                .position(|interface| interface.name == part)
        });
        let list = match interface {
            Some(index) => &mut interfaces[index].sysctls,
            None => &mut early,
        };
        list.push(Sysctl {
            path,
            value: value.clone(),
        });
    }
    early
}
