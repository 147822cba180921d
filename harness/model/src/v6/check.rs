//! What is wrong with the translations of a topology that concern IPv6.

use super::embedded::EmbeddingPrefix;
use super::error::PrefixError;
use super::spec::{ClatSpec, Nat64Spec, V6Nat};
use crate::dhcp::AddressSource;
use crate::packet::ip::IpVersion;
use crate::plan::stack::StackPlan;
use crate::plan::{Plan, router, whose};
use crate::topology::Subnet;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::id::{NodeId, Owner};
use crate::topology::name::show;
use crate::topology::router::RouterSettings;
use crate::topology::value::Topology;

/// A router that is checked.
struct CheckedRouter<'a> {
    topology: &'a Topology,
    plan: &'a Plan,
    stack: &'a StackPlan,
    settings: &'a RouterSettings,
    name: String,
    site: Site,
}

/// Checks the routers and the hosts of a topology.
pub(crate) fn check_with_plan(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    let mut announced: Vec<(Subnet, String)> = Vec::new();
    let mut prefixes: Vec<EmbeddingPrefix> = Vec::new();
    for stack in &plan.stacks {
        let translates = |it: &&RouterSettings| it.nat_v6.separates() || it.nat64.is_some();
        let Some(settings) = router(topology, stack.owner).filter(translates) else {
            continue;
        };
        let (name, subject) = whose(topology, stack.owner);
        let router = CheckedRouter {
            topology,
            plan,
            stack,
            settings,
            name,
            site: Site::new(subject, "nat_v6"),
        };
        router.check_nat_v6(&mut announced, problems);
        if let Some(nat64) = &settings.nat64 {
            let site = Site::new(subject, "nat64");
            let router = CheckedRouter { site, ..router };
            router.check_nat64(nat64, problems);
            prefixes.extend(nat64.parsed_prefix());
        }
    }
    for id in topology.nodes() {
        if let Some(clat) = &topology[id].clat {
            let client = CheckedClient {
                topology,
                plan,
                id,
                clat,
            };
            client.check(&prefixes, problems);
        }
    }
}

impl CheckedRouter<'_> {
    /// Adds a problem with a prefix or a pool.
    fn add_refused(&self, problems: &mut Problems, wrong: PrefixError, whose: &str) {
        problems.add_refused(self.site, whose, wrong);
    }

    fn add(&self, problems: &mut Problems, kind: Kind, what: impl FnOnce(&str) -> String) {
        problems.add(kind, self.site, || what(&self.name));
    }

    /// Returns whether an uplink, or another interface, speaks a family, or may.
    fn speaks(&self, uplink: bool, version: IpVersion) -> bool {
        let is_v6 = version == IpVersion::V6;
        // Addresses of DHCP are in no plan.
        let leased = match self.stack.owner {
            Owner::Node(id) => self.topology[id].addresses == AddressSource::Dhcp && !is_v6,
            Owner::Pod(_) => false,
        };
        let mut interfaces = self.stack.interfaces.iter();
        interfaces.any(|it| {
            let mut own = it.addresses.iter();
            let has = own.any(|it| IpVersion::of(it.ip) == version && !it.is_link_local());
            it.uplink == uplink && (leased || has || is_v6 && self.stack.autoconfigures)
        })
    }

    fn overlapping(&self, other: &Subnet) -> Option<Subnet> {
        let mut subnets = self.plan.segments.iter().flat_map(|it| &it.subnets);
        subnets.find(|it| it.overlaps(other)).copied()
    }

    fn check_nat_v6(&self, announced: &mut Vec<(Subnet, String)>, problems: &mut Problems) {
        let nat = &self.settings.nat_v6;
        if nat.separates() && !self.speaks(true, IpVersion::V6) {
            self.add(problems, Kind::Missing, |name| {
                format!("{name} translates IPv6 addresses, and none of its uplinks has one; give an uplink IPv6, or leave `nat_v6` out")
            });
        }
        let V6Nat::Prefix(prefixes) = nat else {
            return;
        };
        let pair = match prefixes.parsed() {
            Ok(pair) => pair,
            Err(wrong) => {
                let whose = format!("{} cannot exchange its prefixes of IPv6", self.name);
                self.add_refused(problems, wrong, &whose);
                return;
            }
        };
        let outside = pair.outside();
        if let Some(subnet) = self.overlapping(&outside) {
            self.add(problems, Kind::Conflict, |name| {
                format!("{name} exchanges its prefix for `{outside}`, which overlaps network `{subnet}` of the lab; take a prefix that no network has")
            });
        }
        if let Some((other, whose)) = announced.iter().find(|(it, _)| it.overlaps(&outside)) {
            self.add(problems, Kind::Conflict, |name| {
                format!("{name} exchanges its prefix for `{outside}`, which overlaps `{other}` of {whose}; give each router its own")
            });
        }
        announced.push((outside, self.name.clone()));
        let mut behind = self.stack.interfaces.iter().filter(|it| !it.uplink);
        let inside = pair.inside();
        let is_inside = |ip| inside.contains(ip);
        if !behind.any(|it| it.addresses.iter().any(|it| is_inside(it.ip))) {
            self.add(problems, Kind::Missing, |name| {
                format!("{name} exchanges the prefix `{inside}`, and has no network behind it that is part of it; give a link or switch there such a subnet")
            });
        }
    }

    fn check_nat64(&self, nat64: &Nat64Spec, problems: &mut Problems) {
        if matches!(self.stack.owner, Owner::Pod(_)) {
            self.add(problems, Kind::Misplaced, |name| {
                format!(
                    "{name} is to have a NAT64, which only a node can have; make the router a node"
                )
            });
        }
        if self.settings.nat.is_none() {
            self.add(problems, Kind::Missing, |name| {
                format!("{name} has a NAT64 and no NAT of IPv4, which makes one address of many; take `RouterSpec::nat64`, which gives it one, or `RouterSpec::nat`")
            });
        }
        if !self.speaks(true, IpVersion::V4) {
            self.add(problems, Kind::Missing, |name| {
                format!("{name} has a NAT64, and none of its uplinks has an IPv4 address to which hosts of IPv6 could be translated; add an uplink with IPv4")
            });
        }
        if !self.speaks(false, IpVersion::V6) {
            self.add(problems, Kind::Missing, |name| {
                format!(
                    "{name} has a NAT64, and nobody behind it speaks IPv6; add a link with IPv6"
                )
            });
        }
        match nat64.parsed_prefix() {
            Err(wrong) => {
                let whose = format!("the NAT64 of {} cannot have its prefix", self.name);
                self.add_refused(problems, wrong, &whose);
            }
            Ok(prefix) => {
                if let Some(subnet) = self.overlapping(&prefix.subnet()) {
                    self.add(problems, Kind::Conflict, |name| {
                        format!("the prefix `{prefix}` of the NAT64 of {name} overlaps network `{subnet}` of the lab; take another")
                    });
                }
            }
        }
        match nat64.parsed_pool() {
            Err(wrong) => {
                let whose = format!("the NAT64 of {} cannot have its pool", self.name);
                self.add_refused(problems, wrong, &whose);
            }
            Ok(pool) => {
                if let Some(subnet) = self.overlapping(&pool) {
                    self.add(problems, Kind::Conflict, |name| {
                        format!("the pool `{pool}` of the NAT64 of {name} overlaps network `{subnet}` of the lab; set another with `Nat64Spec::pool`")
                    });
                }
            }
        }
    }
}

/// A client of 464XLAT that is checked.
struct CheckedClient<'a> {
    topology: &'a Topology,
    plan: &'a Plan,
    id: NodeId,
    clat: &'a ClatSpec,
}

impl CheckedClient<'_> {
    fn check(&self, prefixes: &[EmbeddingPrefix], problems: &mut Problems) {
        let Self {
            topology,
            plan,
            id,
            clat,
        } = *self;
        let site = Site::new(id, "clat");
        let name = || format!("node {}", show(&topology.node_name(id)));
        if topology.pod_of(id).is_some() {
            problems.add(Kind::Misplaced, site, || {
                format!(
                    "{} is a container, and cannot be a client of 464XLAT; ask it of a node",
                    name()
                )
            });
        }
        let stack = plan.stack(id);
        let mut addresses = stack.interfaces.iter().flat_map(|it| &it.addresses);
        let has_v6 = addresses.any(|it| it.ip.is_ipv6() && !it.is_link_local());
        if !has_v6 && !stack.autoconfigures {
            problems.add(Kind::Missing, site, || {
                format!(
                    "{} is a client of 464XLAT without an IPv6 address; give it a link with IPv6",
                    name()
                )
            });
        }
        match clat.parsed_prefix() {
            Err(wrong) => {
                let whose = format!("the client of 464XLAT of {} cannot have its prefix", name());
                problems.add_refused(site, &whose, wrong);
            }
            Ok(prefix) if !prefixes.contains(&prefix) => problems.add(Kind::Missing, site, || {
                format!("{} sends what is IPv4 to a NAT64 with prefix `{prefix}`, and no router has one; add `RouterSpec::nat64`", name())
            }),
            Ok(_) => {}
        }
    }
}
