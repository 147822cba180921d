//! Hosts that make addresses of what routers advertise.

use crate::dhcp::AddressSource;
use crate::plan::stack::Sysctl;
use crate::topology::id::Owner;
use crate::topology::value::Topology;

/// Returns whether a stack makes its IPv6 addresses of what routers advertise.
pub(crate) fn autoconfigures(topology: &Topology, owner: Owner) -> bool {
    match owner {
        // A client of DHCPv6 learns of it by advertisements, and has its default route from there.
        Owner::Node(id) => {
            topology[id].autoconfigure || topology[id].addresses_v6 != AddressSource::Plan
        }
        Owner::Pod(_) => false,
    }
}

/// Returns the sysctls of an interface that gets its addresses, and its default route with this
/// metric, from routers.
pub(crate) fn autoconfiguration(interface: &str, metric: u32) -> Vec<Sysctl> {
    let of = |(key, value): (&str, &str)| Sysctl {
        path: format!("net/ipv6/conf/{interface}/{key}"),
        value: value.to_owned(),
    };
    // The kernel refuses a metric of 0 here (EINVAL, net/ipv6/addrconf.c).
    let metric = metric.max(1).to_string();
    // The metric goes first, since the next advertisement uses it. With 2, the kernel heeds
    // advertisements also where the node forwards. Duplicate address detection would cost a second,
    // and is off: the MAC address is part of each address (Documentation/networking/ip-sysctl.rst).
    [
        ("ra_defrtr_metric", metric.as_str()),
        ("accept_ra", "2"),
        ("autoconf", "1"),
        ("accept_dad", "0"),
    ]
    .map(of)
    .to_vec()
}
