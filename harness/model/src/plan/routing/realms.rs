//! Realms: the networks of a lab, as far as they know of each other.
//!
//! A router that translates addresses has an inside and an outside. No route leads from the outside
//! to the inside, so that the address plans of two insides may be the same. A realm is what is left
//! joined when each such router is cut in two. Translation may concern one family only, so each
//! family has realms of its own.

use crate::packet::ip::IpVersion;
use crate::plan::id::SegmentId;
use crate::plan::wiring::{Attachment, Wiring};
use crate::side::Side;
use crate::topology::id::Owner;
use crate::topology::node::StackSpec;
use crate::topology::router::RouterSettings;
use crate::topology::value::{Routing, Topology};

/// The realms of one family.
pub(crate) struct Realms {
    /// The realm of each segment: the number of its first segment.
    of_segment: Vec<usize>,
    /// The realms that belong to the Internet.
    public: Vec<bool>,
    /// The realms in front of each realm, at any distance.
    front: Vec<Vec<usize>>,
}

impl Realms {
    pub(crate) fn of(
        topology: &Topology,
        wiring: &Wiring,
        forwards: &[bool],
        version: IpVersion,
    ) -> Self {
        let mut sets = Sets::new(wiring.segments.len());
        let separating = |stack: usize| {
            let owner = wiring.stacks[stack].owner;
            separates(topology, owner, version)
        };
        for (index, stack) in wiring.stacks.iter().enumerate() {
            if !forwards[index] {
                continue;
            }
            let apart = separating(index);
            for outside in [false, true] {
                let side = stack.interfaces.iter();
                let side = side.filter(|port| !apart || is_uplink(topology, port) == outside);
                sets.join(side.map(|port| port.segment.index()));
            }
        }
        let of_segment: Vec<usize> = (0..wiring.segments.len()).map(|at| sets.root(at)).collect();
        let mut public = vec![false; of_segment.len()];
        let mut next = vec![Vec::new(); of_segment.len()];
        for (index, stack) in wiring.stacks.iter().enumerate() {
            let realm = |port: &Attachment| of_segment[port.segment.index()];
            if router(topology, stack.owner).is_some_and(|router| router.public) {
                for port in &stack.interfaces {
                    public[realm(port)] = true;
                }
            }
            if !separating(index) {
                continue;
            }
            let ports = stack.interfaces.iter();
            let (outer, inner): (Vec<&Attachment>, Vec<_>) =
                ports.partition(|port| is_uplink(topology, port));
            for inside in inner {
                next[realm(inside)].extend(outer.iter().map(|port| realm(port)));
            }
        }
        Self {
            front: (0..of_segment.len())
                .map(|at| all_in_front(at, &next))
                .collect(),
            of_segment,
            public,
        }
    }

    /// Returns whether automatic addresses on a segment are public ones.
    pub(crate) fn is_public(&self, segment: SegmentId) -> bool {
        self.public[self.of_segment[segment.index()]]
    }

    /// Returns whether two segments may have the same addresses: one of them is behind a
    /// translation, and neither is reached from the other.
    pub(crate) fn may_overlap(&self, a: SegmentId, b: SegmentId) -> bool {
        let (a, b) = (self.of_segment[a.index()], self.of_segment[b.index()]);
        let behind = |realm: usize| !self.front[realm].is_empty();
        a != b
            && (behind(a) || behind(b))
            && !self.front[a].contains(&b)
            && !self.front[b].contains(&a)
    }

    /// Returns whether packets from one segment find another one, by routes or by default routes.
    pub(crate) fn reaches(&self, from: SegmentId, to: SegmentId) -> bool {
        let (from, to) = (self.of_segment[from.index()], self.of_segment[to.index()]);
        from == to || self.front[from].contains(&to)
    }

    /// Returns whether a segment is in front of itself: two ways lead out of a network, one of them
    /// into itself.
    pub(crate) fn is_circular(&self, segment: SegmentId) -> bool {
        let realm = self.of_segment[segment.index()];
        self.front[realm].contains(&realm)
    }
}

/// Returns the realms in front of a realm, at any distance. `next` are those at the least distance.
fn all_in_front(realm: usize, next: &[Vec<usize>]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut open = next[realm].clone();
    while let Some(realm) = open.pop() {
        if !found.contains(&realm) {
            found.push(realm);
            open.extend(&next[realm]);
        }
    }
    found
}

/// Returns, for each stack, whether it forwards packets.
pub(crate) fn forwards(topology: &Topology, wiring: &Wiring) -> Vec<bool> {
    let interior = |ports: &[Attachment]| ports.iter().any(|port| port.segment != ports[0].segment);
    // Where there are routers, a node with two interfaces is a host with two interfaces.
    let automatic = topology.settings.routing == Routing::Shortest && !has_routers(topology);
    let forwards = |owner, ports: &[Attachment]| {
        let by_itself = network(topology, owner).router.is_some() || automatic && interior(ports);
        network(topology, owner).forward.unwrap_or(by_itself)
    };
    let stacks = wiring.stacks.iter();
    stacks
        .map(|stack| forwards(stack.owner, &stack.interfaces))
        .collect()
}

/// Returns whether a topology has routers, or uplinks.
pub(crate) fn has_routers(topology: &Topology) -> bool {
    let nodes = topology.nodes.iter().map(|node| &node.spec.network);
    let pods = topology.pods.iter().map(|pod| &pod.network);
    nodes.chain(pods).any(|network| network.router.is_some())
        || topology.links.iter().any(|link| link.spec.uplink)
}

/// Returns the specification of a stack.
pub(crate) fn network(topology: &Topology, owner: Owner) -> &StackSpec {
    match owner {
        Owner::Node(id) => &topology[id].network,
        Owner::Pod(id) => &topology[id].network,
    }
}

/// Returns the name of the node or pod that a stack is of.
pub(crate) fn owner_name(topology: &Topology, owner: Owner) -> &str {
    match owner {
        Owner::Node(id) => &topology[id].name,
        Owner::Pod(id) => &topology[id].name,
    }
}

/// Returns what makes a stack a router, if it is one.
pub(crate) fn router(topology: &Topology, owner: Owner) -> Option<&RouterSettings> {
    network(topology, owner).router.as_ref()
}

/// Returns whether a stack keeps the networks behind it apart from those in front of it.
pub(crate) fn separates(topology: &Topology, owner: Owner, version: IpVersion) -> bool {
    router(topology, owner).is_some_and(|router| match version {
        IpVersion::V4 => router.nat.is_some(),
        IpVersion::V6 => router.nat_v6.separates(),
    })
}

/// Returns whether an interface is an uplink of its stack.
pub(crate) fn is_uplink(topology: &Topology, port: &Attachment) -> bool {
    topology[port.link].uplink && port.side == Side::A
}

/// Returns whether a stack that asks for addresses asks for one at this interface: at its uplinks,
/// or everywhere where there are none. On the networks behind it, it has addresses of the plan.
pub(crate) fn asks_at(topology: &Topology, ports: &[Attachment], port: &Attachment) -> bool {
    is_uplink(topology, port) || !ports.iter().any(|it| is_uplink(topology, it))
}

/// Sets of segments that are joined one by one.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self {
            parent: (0..count).collect(),
        }
    }

    fn join(&mut self, members: impl Iterator<Item = usize>) {
        let mut first = None;
        for member in members {
            let root = self.root(member);
            let into = self.root(*first.get_or_insert(root));
            self.parent[root.max(into)] = root.min(into);
        }
    }

    fn root(&mut self, mut member: usize) -> usize {
        while self.parent[member] != member {
            self.parent[member] = self.parent[self.parent[member]];
            member = self.parent[member];
        }
        member
    }
}
