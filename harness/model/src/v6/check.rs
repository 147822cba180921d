//! What is wrong with the translations of a topology that concern IPv6.

use super::embedded::EmbeddingPrefix;
use super::spec::{ClatSpec, Nat64Spec, V6Nat};
use crate::dhcp::AddressSource;
use crate::packet::ip::IpVersion;
use crate::plan::stack::StackPlan;
use crate::plan::{Plan, named_with_subject, router};
use crate::topology::Subnet;
use crate::topology::error::{Problems, Site};
use crate::topology::id::{NodeId, Owner};
use crate::topology::problem::{
    ExchangeProblem, NamedPart, Nat64Problem, SettingOfPod, StackProblem, TopologyProblem,
};
use crate::topology::router::RouterSettings;
use crate::topology::value::Topology;

/// A router that is checked.
struct CheckedRouter<'a> {
    topology: &'a Topology,
    plan: &'a Plan,
    stack: &'a StackPlan,
    settings: &'a RouterSettings,
    name: NamedPart,
    site: Site,
}

/// Checks the routers and the hosts of a topology.
pub(crate) fn check_with_plan(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    let mut announced: Vec<(Subnet, NamedPart)> = Vec::new();
    let mut prefixes: Vec<EmbeddingPrefix> = Vec::new();
    for stack in &plan.stacks {
        let translates = |it: &&RouterSettings| it.nat_v6.separates() || it.nat64.is_some();
        let Some(settings) = router(topology, stack.owner).filter(translates) else {
            continue;
        };
        let (name, subject) = named_with_subject(topology, stack.owner);
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
    /// Adds a problem, which is made with the name of the router.
    fn add<P: Into<TopologyProblem>>(
        &self,
        problems: &mut Problems,
        problem: impl FnOnce(NamedPart) -> P,
    ) {
        problems.add(self.site, || problem(self.name.clone()));
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

    fn check_nat_v6(&self, announced: &mut Vec<(Subnet, NamedPart)>, problems: &mut Problems) {
        let nat = &self.settings.nat_v6;
        if nat.separates() && !self.speaks(true, IpVersion::V6) {
            self.add(problems, |router| ExchangeProblem::NoUplinkWithIpv6 {
                router,
            });
        }
        let V6Nat::Prefix(prefixes) = nat else {
            return;
        };
        let pair = match prefixes.parsed() {
            Ok(pair) => pair,
            Err(wrong) => {
                self.add(problems, |router| ExchangeProblem::Exchange {
                    router,
                    wrong,
                });
                return;
            }
        };
        let outside = pair.outside();
        if let Some(network) = self.overlapping(&outside) {
            self.add(problems, |router| ExchangeProblem::OutsideOverlapsNetwork {
                router,
                outside,
                network,
            });
        }
        if let Some((other, whose)) = announced.iter().find(|(it, _)| it.overlaps(&outside)) {
            self.add(problems, |router| ExchangeProblem::OutsideOverlapsOther {
                router,
                outside,
                other: *other,
                whose: whose.clone(),
            });
        }
        announced.push((outside, self.name.clone()));
        let mut behind = self.stack.interfaces.iter().filter(|it| !it.uplink);
        let inside = pair.inside();
        let is_inside = |ip| inside.contains(ip);
        if !behind.any(|it| it.addresses.iter().any(|it| is_inside(it.ip))) {
            self.add(problems, |router| ExchangeProblem::NothingInside {
                router,
                inside,
            });
        }
    }

    fn check_nat64(&self, nat64: &Nat64Spec, problems: &mut Problems) {
        if matches!(self.stack.owner, Owner::Pod(_)) {
            self.add(problems, |router| Nat64Problem::Nat64OfPod { router });
        }
        if self.settings.nat.is_none() {
            self.add(problems, |router| Nat64Problem::Nat64WithoutNat { router });
        }
        if !self.speaks(true, IpVersion::V4) {
            self.add(problems, |router| Nat64Problem::Nat64WithoutIpv4 { router });
        }
        if !self.speaks(false, IpVersion::V6) {
            self.add(problems, |router| Nat64Problem::Nat64WithoutIpv6 { router });
        }
        match nat64.parsed_prefix() {
            Err(wrong) => self.add(problems, |router| Nat64Problem::Nat64Prefix {
                router,
                wrong,
            }),
            Ok(prefix) => {
                if let Some(network) = self.overlapping(&prefix.subnet()) {
                    self.add(problems, |router| Nat64Problem::Nat64PrefixOverlaps {
                        router,
                        prefix,
                        network,
                    });
                }
            }
        }
        match nat64.parsed_pool() {
            Err(wrong) => self.add(problems, |router| Nat64Problem::Nat64Pool { router, wrong }),
            Ok(pool) => {
                if let Some(network) = self.overlapping(&pool) {
                    self.add(problems, |router| Nat64Problem::Nat64PoolOverlaps {
                        router,
                        pool,
                        network,
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
        let node = || topology.named(id);
        if topology.pod_of(id).is_some() {
            problems.add(site, || StackProblem::PodSetting {
                node: node(),
                setting: SettingOfPod::Clat,
            });
        }
        let stack = plan.stack(id);
        let mut addresses = stack.interfaces.iter().flat_map(|it| &it.addresses);
        let has_v6 = addresses.any(|it| it.ip.is_ipv6() && !it.is_link_local());
        if !has_v6 && !stack.autoconfigures {
            problems.add(site, || Nat64Problem::ClatWithoutIpv6 { node: node() });
        }
        match clat.parsed_prefix() {
            Err(wrong) => problems.add(site, || Nat64Problem::ClatPrefix {
                node: node(),
                wrong,
            }),
            Ok(prefix) if !prefixes.contains(&prefix) => {
                problems.add(site, || Nat64Problem::ClatWithoutNat64 {
                    node: node(),
                    prefix,
                });
            }
            Ok(_) => {}
        }
    }
}
