//! The sysctls of a stack: those that its interfaces and its specification ask for.

use crate::packet::ip::IpVersion;
use crate::plan::stack::{InterfacePlan, Sysctl};
use crate::topology::node::StackSpec;

/// Returns the sysctls to write before there are interfaces, and gives the others to their
/// interfaces. The stack forwards packets of some versions.
pub(super) fn sysctls(
    network: &StackSpec,
    interfaces: &mut [InterfacePlan],
    forwards: &[IpVersion],
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
    if forwards.contains(&IpVersion::V4) {
        set("net/ipv4/ip_forward", 1);
        set("net/ipv4/conf/all/send_redirects", 0);
        set("net/ipv4/conf/default/send_redirects", 0);
    }
    if forwards.contains(&IpVersion::V6) {
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
