//! Checks that need no allocation of addresses: names, references, mounts, MTUs.

pub(crate) mod firewall;
pub(crate) mod stack;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use self::stack::{check_beginnings, check_commands, check_mounts, check_stack, wrong_tree};
use crate::dhcp::AddressSource;
use crate::direction::Direction;
use crate::topology::error::{
    Problems, Site, TopologyError, TopologyErrorKind as Kind, TopologySubject,
};
use crate::topology::id::{Endpoint, LinkId, NodeId, PodId, SwitchId};
use crate::topology::link::{Families, LinkSpec, Mac};
use crate::topology::name::{self, show};
use crate::topology::node::{NodeSpec, StackSpec, Users};
use crate::topology::value::{LinkEntry, Topology};

/// The least and the largest MTU that a veth pair takes, and the least that IPv6 needs (RFC 8200,
/// section 5), in bytes.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;
const MTU_V6: u32 = 1280;

impl Topology {
    pub(crate) fn check_parts(&self) -> Result<(), TopologyError> {
        self.check_size()?;
        let mut problems = Problems::default();
        self.check_references(&mut problems);
        problems.check()?; // what follows may look things up
        self.check_names(&mut problems);
        for id in self.nodes() {
            self.check_node(id, &mut problems);
        }
        let mounts = self.nodes().flat_map(|id| {
            let mounts = self[id].mounts.iter();
            mounts.map(move |mount| (Site::new(id, "mounts"), mount))
        });
        check_beginnings(mounts, &mut problems);
        let inhabited: HashSet<PodId> = self.nodes.iter().filter_map(|node| node.pod).collect();
        for id in self.pods() {
            self.check_pod(id, inhabited.contains(&id), &mut problems);
        }
        for id in self.switches() {
            let site = Site::new(id, "mtu");
            self.check_mtu(
                self[id].mtu,
                self[id].families,
                site,
                || format!("switch {}", show(&self[id].name)),
                &mut problems,
            );
        }
        for id in self.links() {
            self.check_link(id, &mut problems);
        }
        problems.check()
    }

    /// Refuses ids that this topology never gave, and containers without a pod.
    fn check_references(&self, problems: &mut Problems) {
        let foreign = "that this topology does not have; ids belong to the topology that gave them";
        let pods = self.pods.len();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.pod.is_some_and(|pod| pod.index() >= pods) {
                let name = show(&node.spec.name);
                problems.add(Kind::Missing, Site::new(NodeId::new(index), "pod"), || {
                    format!("container {name} is in a pod {foreign}")
                });
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            for end in link.ends {
                let (id, known, kind) = match end {
                    Endpoint::Node(id) => (id.index(), self.nodes.len(), "node"),
                    Endpoint::Pod(id) => (id.index(), pods, "pod"),
                    Endpoint::Switch(id) => (id.index(), self.switches.len(), "switch"),
                };
                if id >= known {
                    let site = Site::new(LinkId::new(index), "ends");
                    problems.add(Kind::Missing, site, || {
                        format!(
                            "link {} joins a {kind} {foreign}",
                            self.shown_link(LinkId::new(index))
                        )
                    });
                }
            }
        }
    }

    fn check_names(&self, problems: &mut Problems) {
        if let Some(wrong) = name::wrong_hostname(&self.settings.domain) {
            let domain = show(&self.settings.domain);
            problems.add(
                Kind::Invalid,
                Site::new(TopologySubject::Settings, "domain"),
                || format!("domain {domain} {wrong}"),
            );
        }
        let mut taken = HashMap::new();
        let mut claim = |scope: Option<PodId>,
                         name: &str,
                         kind: &'static str,
                         site: Site,
                         problems: &mut Problems| {
            if let Some(wrong) = name::wrong_label(name) {
                return problems.add(Kind::Invalid, site, || {
                    format!("{kind} name {} {wrong}", show(name))
                });
            }
            match taken.entry((scope, name.to_ascii_lowercase())) {
                Entry::Vacant(free) => drop(free.insert(kind)),
                Entry::Occupied(other) => {
                    let other = *other.get();
                    let whose = if other == kind {
                        "another".into()
                    } else {
                        format!("a {other}")
                    };
                    problems.add(Kind::Conflict, site, || {
                        format!(
                            "{kind} {} has the name of {whose}; each needs its own",
                            show(name)
                        )
                    });
                }
            }
        };
        for (index, node) in self.nodes.iter().enumerate() {
            let kind = if node.pod.is_some() {
                "container"
            } else {
                "node"
            };
            claim(
                node.pod,
                &node.spec.name,
                kind,
                Site::new(NodeId::new(index), "name"),
                problems,
            );
        }
        for (index, pod) in self.pods.iter().enumerate() {
            claim(
                None,
                &pod.name,
                "pod",
                Site::new(PodId::new(index), "name"),
                problems,
            );
        }
        for (index, switch) in self.switches.iter().enumerate() {
            claim(
                None,
                &switch.name,
                "switch",
                Site::new(SwitchId::new(index), "name"),
                problems,
            );
        }
        self.check_aliases(problems);
    }

    /// Checks aliases, which share one space with the names of nodes and pods.
    fn check_aliases(&self, problems: &mut Problems) {
        let stacks =
            (self.nodes.iter().enumerate())
                .map(|(index, node)| {
                    (
                        &node.spec.name,
                        &node.spec.network,
                        Site::new(NodeId::new(index), "aliases"),
                    )
                })
                .chain(self.pods.iter().enumerate().map(|(i, pod)| {
                    (&pod.name, &pod.network, Site::new(PodId::new(i), "aliases"))
                }));
        let stacks: Vec<_> = stacks.collect();
        if stacks
            .iter()
            .all(|(_, network, _)| network.aliases.is_empty())
        {
            return;
        }
        let mut taken: HashMap<String, &str> = HashMap::new();
        for (owner, _, _) in &stacks {
            taken.insert(owner.to_ascii_lowercase(), owner);
            taken.insert(
                format!("{owner}.{}", self.settings.domain).to_ascii_lowercase(),
                owner,
            );
        }
        for (owner, network, site) in stacks {
            for (number, alias) in network.aliases.iter().enumerate() {
                let site = Site {
                    item: Some(number),
                    ..site
                };
                if let Some(wrong) = name::wrong_hostname(alias) {
                    problems.add(Kind::Invalid, site, || {
                        format!("alias {} of {} {wrong}", show(alias), show(owner))
                    });
                } else if let Some(other) = taken.insert(alias.to_ascii_lowercase(), owner) {
                    problems.add(Kind::Conflict, site, || {
                        format!(
                            "alias {} of {} is a name of {} already; take another",
                            show(alias),
                            show(owner),
                            show(other)
                        )
                    });
                }
            }
        }
    }

    fn check_node(&self, id: NodeId, problems: &mut Problems) {
        let NodeSpec {
            rootfs,
            users,
            mounts,
            commands,
            dns,
            dhcp,
            addresses,
            dhcp6,
            addresses_v6,
            advertise,
            autoconfigure,
            network,
            // The names of all nodes are checked together; pods and the clients of 464XLAT with the
            // plan. Any node may have a clock that faults can change.
            name: _,
            pod: _,
            clat: _,
            faulty_clock: _,
        } = &self[id];
        let node = || format!("node {}", show(&self.node_name(id)));
        if self.pod_of(id).is_some() && *network != StackSpec::default() {
            problems.add(Kind::Misplaced, Site::new(id, "network"), || {
                format!("{} is a container; aliases, hosts, sysctls and forwarding are its pod's: ask them of the pod", node())
            });
        } else {
            check_stack(network, Site::new(id, "network"), &node, problems);
        }
        self.check_users(id, users, problems);
        if let Some(wrong) = rootfs.as_ref().and_then(wrong_tree) {
            problems.add(Kind::Invalid, Site::new(id, "rootfs"), || {
                format!("root filesystem of {}: {wrong}", node())
            });
        }
        check_mounts(mounts, Site::new(id, "mounts"), &node, problems);
        check_commands(commands, Site::new(id, "commands"), &node, problems);
        if let Some(dns) = dns {
            if self.pod_of(id).is_some() {
                problems.add(Kind::Misplaced, Site::new(id, "dns"), || {
                    format!(
                        "{} is a container, and cannot be a name server; ask it of a node",
                        node()
                    )
                });
            }
            crate::dns::check::check(dns, Site::new(id, "dns"), &node(), problems);
        }
        if let Some(dhcp) = dhcp {
            crate::dhcp::check::check(dhcp, Site::new(id, "dhcp"), &node(), problems);
        }
        if let Some(dhcp6) = dhcp6 {
            crate::dhcp6::check::check(dhcp6, Site::new(id, "dhcp6"), &node(), problems);
        }
        if let Some(advertise) = advertise {
            crate::ndp::check::check(advertise, Site::new(id, "advertise"), &node(), problems);
        }
        let sources = [addresses, addresses_v6];
        let of_a_host = dhcp.is_some()
            || dhcp6.is_some()
            || advertise.is_some()
            || *autoconfigure
            || sources.contains(&&AddressSource::Dhcp)
            || sources.contains(&&AddressSource::Program);
        if self.pod_of(id).is_some() && of_a_host {
            problems.add(Kind::Misplaced, Site::new(id, "dhcp"), || {
                format!(
                    "{} is a container, whose addresses are its pod's; ask for DHCP and advertisements at a node",
                    node()
                )
            });
        }
    }

    fn check_users(&self, id: NodeId, users: &Users, problems: &mut Problems) {
        let node = || format!("node {}", show(&self.node_name(id)));
        if self.pod_of(id).is_some() && *users != Users::Trial {
            problems.add(Kind::Misplaced, Site::new(id, "users"), || {
                format!("{} is a container, and cannot have users of its own: its network is its pod's, whose users are the trial's", node())
            });
        }
        if matches!(users, Users::Range(0)) {
            problems.add(Kind::Invalid, Site::new(id, "users"), || {
                format!("{} maps a range of no ids; 65536 is usual", node())
            });
        }
    }

    fn check_pod(&self, id: PodId, inhabited: bool, problems: &mut Problems) {
        let pod = || format!("pod {}", show(&self[id].name));
        check_stack(&self[id].network, Site::new(id, "network"), &pod, problems);
        if !inhabited {
            problems.add(Kind::Missing, Site::new(id, "name"), || {
                format!(
                    "{} has no containers; add one with `topology.container(pod, \"app\")`, in a file with `[[node]]` and `pod = \"…\"`",
                    pod()
                )
            });
        }
    }

    fn check_mtu(
        &self,
        mtu: Option<u32>,
        families: Option<Families>,
        site: Site,
        place: impl Fn() -> String,
        problems: &mut Problems,
    ) {
        let Some(mtu) = mtu else { return };
        if !MTU.contains(&mtu) {
            problems.add(Kind::Invalid, site, || {
                format!(
                    "MTU {mtu} of {} is out of range; it is 68 to 65535",
                    place()
                )
            });
        } else if mtu < MTU_V6 && families.unwrap_or(self.settings.families).has_v6() {
            problems.add(Kind::Invalid, site, || {
                format!("MTU {mtu} of {} is too small for IPv6, which needs {MTU_V6}; ask for Families::V4 there", place())
            });
        }
    }

    fn check_link(&self, id: LinkId, problems: &mut Problems) {
        let LinkEntry { ends, spec } = &self.links[id.index()];
        let LinkSpec {
            mtu,
            subnets,
            families,
            // The names of all links are checked together, impairments and ends below.
            name: _,
            impairments: _,
            ends: _,
            // The plan checks these, since they depend on routers and on other links.
            engine: _,
            uplink: _,
            metric: _,
            cost: _,
        } = spec;
        let site = |field| Site::new(id, field);
        let link = || format!("link {}", self.shown_link(id));
        if let [Some(a), Some(b)] = ends.map(|end| self.stack_end(end))
            && a == b
        {
            let what = format!(
                "{} {}",
                if matches!(a, Endpoint::Pod(_)) {
                    "pod"
                } else {
                    "node"
                },
                show(&self.end_name(a))
            );
            problems.add(Kind::Wiring, site("ends"), || {
                format!("{} joins {what} to itself; a cable needs two ends", link())
            });
        }
        let switches: Vec<SwitchId> = ends.iter().filter_map(|end| end.switch()).collect();
        if let [a, b] = switches[..]
            && a == b
        {
            problems.add(Kind::Wiring, site("ends"), || {
                format!("{} joins switch {} to itself", link(), show(&self[a].name))
            });
        }
        if !switches.is_empty() && (!subnets.is_empty() || families.is_some()) {
            problems.add(Kind::Misplaced, site("subnets"), || {
                format!(
                    "{}: subnets and families are the switch's; ask them of {}",
                    link(),
                    show(&self[switches[0]].name)
                )
            });
        }
        let families = families.or_else(|| switches.first().and_then(|id| self[*id].families));
        self.check_mtu(*mtu, families, site("mtu"), link, problems);
        self.check_impairments(id, problems);
        self.check_ends(id, problems);
    }

    fn check_impairments(&self, id: LinkId, problems: &mut Problems) {
        let [there, back] = &self.links[id.index()].spec.impairments;
        let site = |field| Site::new(id, field);
        if there.is_none() && back.is_none() {
            return;
        }
        let link = self.shown_link(id);
        if there == back {
            if let Err(wrong) = there.validate() {
                problems.add_refused(site("impair"), &format!("link {link}"), wrong);
            }
            return;
        }
        for (direction, field, asked) in [
            (Direction::AToB, "a_to_b", there),
            (Direction::BToA, "b_to_a", back),
        ] {
            if let Err(wrong) = asked.validate() {
                problems.add_refused(site(field), &format!("link {link}, {direction}"), wrong);
            }
        }
    }

    fn check_ends(&self, id: LinkId, problems: &mut Problems) {
        let LinkEntry { ends, spec } = &self.links[id.index()];
        for (end, side) in [0, 1].map(|n| (n, ["a", "b"][n])) {
            let site = Site::new(id, side);
            let asked = &spec.ends[end];
            let place = || {
                format!(
                    "{} of link {}",
                    show(&self.end_name(ends[end])),
                    self.shown_link(id)
                )
            };
            if matches!(ends[end], Endpoint::Switch(_)) && *asked != Default::default() {
                problems.add(Kind::Misplaced, site, || {
                    format!(
                        "{} is a switch, whose port has no name, MAC or address to ask for",
                        place()
                    )
                });
            }
            if let Some(wrong) = asked.name.as_deref().and_then(name::wrong_interface) {
                let name = show(asked.name.as_deref().unwrap_or_default());
                problems.add(Kind::Invalid, site, || {
                    format!("interface name {name} at {} {wrong}", place())
                });
            }
            if let Some(Err(wrong)) = asked.mac.as_deref().map(str::parse::<Mac>) {
                problems.add(Kind::Invalid, site, || {
                    format!("MAC at {}: {wrong}", place())
                });
            }
        }
    }

    /// Returns the node or pod whose network stack an end is in, or nothing for a switch.
    pub(crate) fn stack_end(&self, end: Endpoint) -> Option<Endpoint> {
        match end {
            Endpoint::Node(id) => Some(self.pod_of(id).map_or(end, Endpoint::Pod)),
            Endpoint::Pod(_) => Some(end),
            Endpoint::Switch(_) => None,
        }
    }

    pub(crate) fn shown_link(&self, id: LinkId) -> String {
        let LinkEntry { ends, spec } = &self.links[id.index()];
        let clip = |name: String| show(&name).trim_matches('`').to_string();
        match &spec.name {
            Some(name) => show(name),
            None if self.link_name(id).ends_with(')') => format!("`{}`", self.link_name(id)),
            None => format!(
                "`{}–{}`",
                clip(self.end_name(ends[0])),
                clip(self.end_name(ends[1]))
            ),
        }
    }
}
