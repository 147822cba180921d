//! The names of a lab's nodes, as the plan has them for hosts files.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::dns::name::DomainName;
use crate::plan::Plan;
use crate::plan::stack::{NearName, StackPlan};

/// The names of all nodes, and the addresses that they stand for.
#[derive(Clone, Debug, Default)]
pub struct LabNames {
    /// The addresses of the lines that all nodes share.
    lines: Vec<IpAddr>,
    /// The lines of each name.
    names: HashMap<DomainName, Vec<usize>>,
    /// The names of nodes, and all names above them.
    there: HashSet<DomainName>,
    /// The long name of each address.
    reverse: HashMap<IpAddr, DomainName>,
    /// Lines that have another address for whoever asks from one.
    near: HashMap<IpAddr, HashMap<usize, IpAddr>>,
    /// The IPv6 addresses of nodes that have IPv4 addresses too.
    dual: HashSet<IpAddr>,
}

impl LabNames {
    /// Reads the names off a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut all = Self::default();
        let stacks = plan.stacks.iter();
        let stacks: HashMap<IpAddr, &StackPlan> = stacks
            .flat_map(|stack| stack.primary().map(move |ip| (ip, stack)))
            .collect();
        for line in plan.hosts.lines() {
            let Some((ip, names)) = line.split_once('\t') else {
                continue;
            };
            let Ok(ip) = ip.parse() else { continue };
            let number = all.lines.len();
            all.lines.push(ip);
            for name in names.split(' ').map(DomainName::as_asked) {
                all.there.extend(name.and_above());
                all.names.entry(name).or_default().push(number);
            }
            // The second name is the long one.
            let long = names.split(' ').nth(1).map(DomainName::as_asked);
            if let (Some(long), Some(stack)) = (long, stacks.get(&ip)) {
                let addresses = stack.known().flat_map(|it| &it.addresses);
                for address in addresses.filter(|it| !it.is_link_local()) {
                    all.reverse.insert(address.ip, long.clone());
                }
            }
        }
        for stack in &plan.stacks {
            let addresses = stack.interfaces.iter().flat_map(|it| &it.addresses);
            let (v6, v4): (Vec<IpAddr>, Vec<_>) =
                addresses.map(|it| it.ip).partition(IpAddr::is_ipv6);
            all.dual.extend(v6.iter().filter(|_| !v4.is_empty()));
        }
        for stack in plan.stacks.iter().filter(|it| !it.near_names.is_empty()) {
            let near = stack.near_names.iter();
            let near: HashMap<usize, IpAddr> =
                near.map(|NearName { line, ip }| (*line, *ip)).collect();
            for address in stack.interfaces.iter().flat_map(|it| &it.addresses) {
                all.near.insert(address.ip, near.clone());
            }
        }
        all
    }

    /// Returns the addresses of a name for an asker; none where no node has the name.
    pub(super) fn addresses(&self, name: &DomainName, asker: IpAddr) -> Option<Vec<IpAddr>> {
        let lines = self.names.get(name)?.iter();
        let near = self.near.get(&asker);
        let address = |line: &usize| {
            let near = near.and_then(|near| near.get(line));
            near.copied().unwrap_or(self.lines[*line])
        };
        Some(lines.map(address).collect())
    }

    /// Returns whether an IPv6 address is that of a node which has an IPv4 address too.
    pub(super) fn has_v4(&self, address: IpAddr) -> bool {
        self.dual.contains(&address)
    }

    /// Returns the name of an address, of which `name` is the name to be looked up.
    pub(super) fn name_of(&self, name: &DomainName) -> Option<&DomainName> {
        address_of(name).and_then(|address| self.reverse.get(&address))
    }

    /// Returns whether a name, or one below it, is there.
    pub(super) fn has(&self, name: &DomainName) -> bool {
        self.there.contains(name)
    }

    /// Returns whether a node has the name.
    pub(super) fn has_node(&self, name: &DomainName) -> bool {
        self.names.contains_key(name)
    }
}

/// Returns the address whose name is looked up under `name` (RFC 1035, section 3.5; RFC 3596,
/// section 2.5).
pub(super) fn address_of(name: &DomainName) -> Option<IpAddr> {
    if let Some(v4) = name.as_str().strip_suffix(".in-addr.arpa") {
        let octets: Vec<u8> = v4
            .rsplit('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        return <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    }
    let digits: String = name
        .as_str()
        .strip_suffix(".ip6.arpa")?
        .rsplit('.')
        .collect();
    if digits.len() != 32 || name.as_str().len() != 63 + ".ip6.arpa".len() {
        return None;
    }
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    Some(IpAddr::from(bits.to_be_bytes()))
}
