//! The `/etc/resolv.conf` of each stack: which name server it asks, and how (resolv.conf(5)).

use std::net::IpAddr;

use super::id::StackId;
use super::plan::Plan;
use super::stack::{StackPlan, is_link_local};
use crate::packet::ip::IpVersion;

/// The most name servers that glibc reads (`MAXNS`, resolv.conf(5)).
const SERVERS: usize = 3;

/// Returns the text. Without a name server there is nobody to ask, so that no time is lost with it.
pub(super) fn resolv_conf_of(plan: &Plan, stack: StackId) -> String {
    let servers: String = plan
        .name_servers
        .iter()
        .filter_map(|server| address(plan, *server, stack))
        .take(SERVERS)
        .map(|ip| format!("nameserver {ip}\n"))
        .collect();
    let domain = &plan.domain;
    if servers.is_empty() {
        return format!("nameserver 127.0.0.1\nsearch {domain}\noptions timeout:1 attempts:1\n");
    }
    // A lost question is asked again after a second, and not after the usual five: wires of a lab
    // are short, and a test waits.
    format!("{servers}search {domain}\noptions timeout:1 attempts:3\n")
}

/// Returns the address at which a stack reaches a server: on a segment of both, if there is one.
fn address(plan: &Plan, server: StackId, asker: StackId) -> Option<IpAddr> {
    if server == asker {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    let (server, asker) = (&plan[server], &plan[asker]);
    let here = |it: &IpAddr| has_family(plan, asker, IpVersion::of(*it));
    let near = server.interfaces.iter().filter(|it| {
        let mut own = asker.interfaces.iter();
        own.any(|own| own.segment == it.segment)
    });
    let near = near.flat_map(|it| &it.addresses).map(|it| it.ip);
    near.filter(|ip| !is_link_local(*ip))
        .chain(server.primary())
        .find(here)
}

/// Returns whether a stack has addresses of a family, or may get them.
fn has_family(plan: &Plan, stack: &StackPlan, version: IpVersion) -> bool {
    let mut own = stack.interfaces.iter().flat_map(|it| &it.addresses);
    let mut around = stack
        .interfaces
        .iter()
        .flat_map(|it| &plan[it.segment].subnets);
    own.any(|it| IpVersion::of(it.ip) == version && !it.is_link_local())
        || around.any(|it| it.version() == version)
}
