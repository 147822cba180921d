//! Checks that need no allocation of addresses: names, references, mounts, MTUs.

pub(crate) mod firewall;
mod named;
pub(crate) mod stack;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use self::stack::{check_beginnings, check_commands, check_mounts, check_stack, wrong_tree};
use crate::dhcp::AddressSource;
use crate::direction::Direction;
use crate::impair::Impairment;
use crate::side::Side;
use crate::topology::error::{Problems, Site, TopologyError, TopologySubject};
use crate::topology::id::{Endpoint, LinkId, NodeId, PodId, SwitchId};
use crate::topology::link::{EndSpec, Families, LinkSpec, Mac};
use crate::topology::name;
use crate::topology::node::{NodeSpec, StackSpec, Users};
use crate::topology::problem::{
    FilesProblem, LinkProblem, NameProblem, NamedPart, PartKind, SettingOfPod, StackProblem,
};
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
                || self.named(id),
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
        let pods = self.pods.len();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.pod.is_some_and(|pod| pod.index() >= pods) {
                problems.add(Site::new(NodeId::new(index), "pod"), || {
                    NameProblem::ForeignPod {
                        container: node.spec.name.clone(),
                    }
                });
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            for end in link.ends {
                let (id, known, kind) = match end {
                    Endpoint::Node(id) => (id.index(), self.nodes.len(), PartKind::Node),
                    Endpoint::Pod(id) => (id.index(), pods, PartKind::Pod),
                    Endpoint::Switch(id) => (id.index(), self.switches.len(), PartKind::Switch),
                };
                if id >= known {
                    let link = LinkId::new(index);
                    problems.add(Site::new(link, "ends"), || NameProblem::ForeignEnd {
                        link: self.link_label(link),
                        kind,
                    });
                }
            }
        }
    }

    fn check_names(&self, problems: &mut Problems) {
        let domain = &self.settings.domain;
        if let Some(mistake) = name::wrong_hostname(domain) {
            let site = Site::new(TopologySubject::Settings, "domain");
            problems.add(site, || NameProblem::Domain {
                domain: domain.clone(),
                mistake,
            });
        }
        let mut taken = HashMap::new();
        let mut claim = |scope: Option<PodId>, name: &str, kind: PartKind, site: Site| {
            let own = || name.to_owned();
            if let Some(mistake) = name::wrong_label(name) {
                let name = own();
                return problems.add(site, || NameProblem::PartName {
                    kind,
                    name,
                    mistake,
                });
            }
            match taken.entry((scope, name.to_ascii_lowercase())) {
                Entry::Vacant(free) => drop(free.insert(kind)),
                Entry::Occupied(other) => {
                    let by = *other.get();
                    let name = own();
                    problems.add(site, || NameProblem::PartNameTaken { kind, name, by });
                }
            }
        };
        for (index, node) in self.nodes.iter().enumerate() {
            let kind = match node.pod {
                Some(_) => PartKind::Container,
                None => PartKind::Node,
            };
            let site = Site::new(NodeId::new(index), "name");
            claim(node.pod, &node.spec.name, kind, site);
        }
        for (index, pod) in self.pods.iter().enumerate() {
            let site = Site::new(PodId::new(index), "name");
            claim(None, &pod.name, PartKind::Pod, site);
        }
        for (index, switch) in self.switches.iter().enumerate() {
            let site = Site::new(SwitchId::new(index), "name");
            claim(None, &switch.name, PartKind::Switch, site);
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
                let owned = || [alias, owner].map(String::clone);
                if let Some(mistake) = name::wrong_hostname(alias) {
                    problems.add(site, || {
                        let [alias, owner] = owned();
                        NameProblem::Alias {
                            alias,
                            owner,
                            mistake,
                        }
                    });
                } else if let Some(other) = taken.insert(alias.to_ascii_lowercase(), owner) {
                    problems.add(site, || {
                        let [alias, owner] = owned();
                        NameProblem::AliasTaken {
                            alias,
                            owner,
                            by: other.to_owned(),
                        }
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
        let node = || self.named(id);
        let in_pod = self.pod_of(id).is_some();
        let refuse = |field, setting, problems: &mut Problems| {
            problems.add(Site::new(id, field), || {
                let node = node();
                StackProblem::PodSetting { node, setting }
            });
        };
        if in_pod && *network != StackSpec::default() {
            refuse("network", SettingOfPod::Network, problems);
        } else {
            check_stack(network, Site::new(id, "network"), &node, problems);
        }
        if in_pod && *users != Users::Trial {
            refuse("users", SettingOfPod::Users, problems);
        }
        if matches!(users, Users::Range(0)) {
            problems.add(Site::new(id, "users"), || StackProblem::EmptyRangeOfUsers {
                node: node(),
            });
        }
        if let Some(mistake) = rootfs.as_ref().and_then(wrong_tree) {
            problems.add(Site::new(id, "rootfs"), || {
                let node = node();
                FilesProblem::Rootfs { node, mistake }
            });
        }
        check_mounts(mounts, Site::new(id, "mounts"), &node, problems);
        check_commands(commands, Site::new(id, "commands"), &node, problems);
        if let Some(dns) = dns {
            if in_pod {
                refuse("dns", SettingOfPod::NameServer, problems);
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
        if in_pod && of_a_host {
            refuse("dhcp", SettingOfPod::Addresses, problems);
        }
    }

    fn check_pod(&self, id: PodId, inhabited: bool, problems: &mut Problems) {
        let pod = || self.named(id);
        check_stack(&self[id].network, Site::new(id, "network"), &pod, problems);
        if !inhabited {
            problems.add(Site::new(id, "name"), || NameProblem::NoContainers {
                pod: pod(),
            });
        }
    }

    fn check_mtu(
        &self,
        mtu: Option<u32>,
        families: Option<Families>,
        site: Site,
        part: impl Fn() -> NamedPart,
        problems: &mut Problems,
    ) {
        let Some(mtu) = mtu else { return };
        if !MTU.contains(&mtu) {
            problems.add(site, || LinkProblem::Mtu {
                part: part(),
                mtu,
                least: *MTU.start(),
                most: *MTU.end(),
            });
        } else if mtu < MTU_V6 && families.unwrap_or(self.settings.families).has_v6() {
            problems.add(site, || LinkProblem::MtuOfIpv6 {
                part: part(),
                mtu,
                least: MTU_V6,
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
        let link = || self.link_label(id);
        if let [Some(a), Some(b)] = ends.map(|end| self.stack_end(end))
            && a == b
        {
            problems.add(site("ends"), || LinkProblem::JoinsItself {
                link: link(),
                part: self.named(a),
            });
        }
        let switches: Vec<SwitchId> = ends.iter().filter_map(|end| end.switch()).collect();
        if let [a, b] = switches[..]
            && a == b
        {
            problems.add(site("ends"), || LinkProblem::JoinsSwitchToItself {
                link: link(),
                switch: self[a].name.clone(),
            });
        }
        if !switches.is_empty() && (!subnets.is_empty() || families.is_some()) {
            problems.add(site("subnets"), || LinkProblem::SettingsOfSwitch {
                link: link(),
                switch: self[switches[0]].name.clone(),
            });
        }
        let families = families.or_else(|| switches.first().and_then(|id| self[*id].families));
        let part = || self.named_link(id);
        self.check_mtu(*mtu, families, site("mtu"), part, problems);
        self.check_impairments(id, problems);
        self.check_ends(id, problems);
    }

    fn check_impairments(&self, id: LinkId, problems: &mut Problems) {
        let [there, back] = &self.links[id.index()].spec.impairments;
        let site = |field| Site::new(id, field);
        if there.is_none() && back.is_none() {
            return;
        }
        let mut refuse = |field, direction, asked: &Impairment| {
            if let Err(wrong) = asked.validate() {
                problems.add(site(field), || LinkProblem::Impairment {
                    link: self.link_label(id),
                    direction,
                    wrong,
                });
            }
        };
        if there == back {
            return refuse("impair", None, there);
        }
        refuse("a_to_b", Some(Direction::AToB), there);
        refuse("b_to_a", Some(Direction::BToA), back);
    }

    fn check_ends(&self, id: LinkId, problems: &mut Problems) {
        let LinkEntry { ends, spec } = &self.links[id.index()];
        for side in Side::BOTH {
            let site = Site::new(id, side.letter());
            let asked = &spec.ends[side];
            let end = || self.link_end(id, side);
            if matches!(ends[side], Endpoint::Switch(_)) && *asked != EndSpec::default() {
                problems.add(site, || LinkProblem::PortOfSwitch { end: end() });
            }
            let name = asked.name.as_deref();
            if let Some((name, mistake)) =
                name.and_then(|name| Some((name, name::wrong_interface(name)?)))
            {
                problems.add(site, || LinkProblem::InterfaceName {
                    end: end(),
                    name: name.to_owned(),
                    mistake,
                });
            }
            if let Some(Err(wrong)) = asked.mac.as_deref().map(str::parse::<Mac>) {
                let end = end();
                problems.add(site, || LinkProblem::Mac { end, wrong });
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
}
