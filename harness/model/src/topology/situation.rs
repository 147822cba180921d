//! Situations that software on the Internet meets: two peers, what stands before them, and a
//! public server.
//!
//! Each function returns a [`Situation`], and [`ALL`] has all of them by name, so that a test can
//! be run in each: as a list of trials, or crossed with other values in a grid.
//!
//! ```
//! use snowglobe_model::topology::situation;
//!
//! for (name, situation) in situation::ALL {
//!     let situation = situation();
//!     situation.topology.validate()?;
//!     println!("{name}: {}", situation.topology.sketch());
//! }
//! # Ok::<(), snowglobe_model::topology::TopologyError>(())
//! ```

use super::id::{LinkId, NodeId};
use super::link::{Families, LinkSpec, SwitchSpec};
use super::node::NodeSpec;
use super::router::{Firewall, RouterSpec};
use super::value::Topology;
use crate::dns::{Dns64Spec, DnsSpec};
use crate::v6::{ClatSpec, Nat64Spec};

/// Two peers that want to talk, and a server that both reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation {
    /// The topology, to which more may be added before it is started.
    pub topology: Topology,
    /// The public part.
    pub internet: NodeId,
    /// The peer that the situation is named after.
    pub a: NodeId,
    /// The router before that peer, if there is one.
    pub router: Option<NodeId>,
    /// The links by which that peer reaches the Internet, the best one first.
    pub links: Vec<LinkId>,
    /// The other peer.
    pub b: NodeId,
    /// A server with a public address, named `server`.
    pub server: NodeId,
}

/// A function that makes a situation.
pub type MakeSituation = fn() -> Situation;

/// All situations, by name.
pub const ALL: [(&str, MakeSituation); 10] = [
    ("public_to_public", public_to_public),
    ("home_to_home", home_to_home),
    ("same_home", same_home),
    ("behind_cgnat", behind_cgnat),
    ("office_without_udp", office_without_udp),
    ("hotel", hotel),
    ("dual_stack_server", dual_stack_server),
    ("v6_only_phone", v6_only_phone),
    ("xlat_phone", xlat_phone),
    ("handover", handover),
];

/// Returns two hosts with public addresses: nothing stands between them.
pub fn public_to_public() -> Situation {
    let mut base = Base::new();
    let a = base.topology.node("a");
    let b = base.topology.node("b");
    let link = base.topology.link(a, base.internet);
    base.topology.link(b, base.internet);
    base.situation(a, None, vec![link], b)
}

/// Returns two hosts behind home routers of their own. Both homes have the same address plan.
pub fn home_to_home() -> Situation {
    let mut base = Base::new();
    let (a, router, link) = base.home("a");
    let (b, ..) = base.home("b");
    base.situation(a, Some(router), vec![link], b)
}

/// Returns two hosts behind the same home router.
pub fn same_home() -> Situation {
    let mut base = Base::new();
    let (a, router, link) = base.home("a");
    let b = base.topology.node("b");
    if let Some(lan) = base.topology.find_switch("a-lan") {
        base.topology.plug(b, lan);
    }
    base.situation(a, Some(router), vec![link], b)
}

/// Returns a host behind two translations, that of its home and that of its carrier (RFC 6888), and
/// a host at another home.
pub fn behind_cgnat() -> Situation {
    let mut base = Base::new();
    let carrier = base.topology.router(RouterSpec::home("carrier"));
    base.topology.uplink(carrier, base.internet);
    let (a, router, link) = base.home_in_front_of("a");
    // The range for such networks: RFC 6598.
    let access = LinkSpec::new().subnet("100.64.1.0/24");
    base.topology.uplink_with(router, carrier, access);
    let (b, ..) = base.home("b");
    base.situation(a, Some(router), vec![link], b)
}

/// Returns a host in an office whose firewall drops UDP, and a host at home.
pub fn office_without_udp() -> Situation {
    let office = RouterSpec::home("office").firewall(Firewall::udp_blocked());
    behind(office)
}

/// Returns a host in a hotel, whose captive portal admits nobody yet, and a host at home. `router`
/// is that of the hotel, whose firewall a running lab changes to admit `a`.
pub fn hotel() -> Situation {
    behind(RouterSpec::home("hotel").firewall(Firewall::captive_portal(PORTAL)))
}

/// The page of the hotel's portal.
const PORTAL: &str = "<html><h1>Welcome</h1><p>Please enter your room number.</p></html>";

/// Returns a host at home and a public host that has addresses of both families, as `server` has.
pub fn dual_stack_server() -> Situation {
    let mut base = Base::new();
    let (a, router, link) = base.home("a");
    let b = base.topology.node("b");
    base.topology.link(b, base.internet);
    base.situation(a, Some(router), vec![link], b)
}

/// Returns a phone whose carrier gives it IPv6 alone, and a host at home. The phone reaches hosts
/// of IPv4 by the carrier's NAT64, whose addresses the name server `resolver` gives for their
/// names (DNS64).
pub fn v6_only_phone() -> Situation {
    mobile(NodeSpec::new("a"))
}

/// Returns the phone of [`v6_only_phone`], which also has the client side of 464XLAT, so that its
/// programs reach addresses of IPv4 themselves.
pub fn xlat_phone() -> Situation {
    mobile(NodeSpec::new("a").clat(ClatSpec::new()))
}

/// Returns this phone with a carrier that gives it IPv6 alone, and a host at home.
fn mobile(phone: NodeSpec) -> Situation {
    let mut base = Base::new();
    // The NAT64 of a carrier lets in whom its own filter lets in (RFC 6146, section 3.5).
    let firewall = Firewall {
        leaves_v4_to_nat: true,
        ..Firewall::inbound_block()
    };
    let carrier = RouterSpec::new("carrier")
        .firewall(firewall)
        .nat64(Nat64Spec::new());
    let carrier = base.topology.router(carrier);
    base.topology.uplink(carrier, base.internet);
    let names = DnsSpec::new().dns64(Dns64Spec::new());
    let names = base.topology.node(NodeSpec::new("resolver").dns(names));
    base.topology.link(names, base.internet);
    let a = base.topology.node(phone);
    let radio = LinkSpec::new().families(Families::V6);
    let link = base.topology.link_with(a, carrier, radio);
    let (b, ..) = base.home("b");
    base.situation(a, Some(carrier), vec![link], b)
}

/// Returns a phone with two ways to the Internet, and a host at home. The phone prefers its Wi-Fi,
/// the first of `links`, to its mobile network, the second. A test changes that by `set_metric`,
/// takes the Wi-Fi down, or removes it.
///
/// After a change of the metric, packets of existing connections leave by the other network, as on
/// any Linux, and arrive at the server from an address that the server does not know. A route for
/// the source address keeps these connections on the Wi-Fi while the Wi-Fi is up:
///
/// ```
/// use snowglobe_model::topology::{RouteSpec, situation};
///
/// let mut here = situation::handover();
/// let by_wifi = RouteSpec::new("0.0.0.0/0", "a-home").from("192.168.1.0/24");
/// here.topology.edit_node(here.a, |phone| phone.route(by_wifi));
/// here.topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
pub fn handover() -> Situation {
    let mut base = Base::new();
    let (a, router, wifi) = base.home("a");
    for family in ["ipv4", "ipv6"] {
        for whose in ["all", "default"] {
            // A network without a carrier is no way out, as for the programs that manage the
            // connections of a phone (Documentation/networking/ip-sysctl.rst).
            let key = format!("net.{family}.conf.{whose}.ignore_routes_with_linkdown");
            base.topology.edit_node(a, |phone| phone.sysctl(key, 1));
        }
    }
    let carrier = base.topology.router(RouterSpec::home("carrier"));
    base.topology.uplink(carrier, base.internet);
    let mobile = base.topology.link(a, carrier);
    let (b, ..) = base.home("b");
    base.situation(a, Some(router), vec![wifi, mobile], b)
}

/// Returns a host behind this router, and a host at home.
fn behind(router: RouterSpec) -> Situation {
    let mut base = Base::new();
    let router = base.topology.router(router);
    base.topology.uplink(router, base.internet);
    let a = base.topology.node("a");
    let link = base.topology.link(a, router);
    let (b, ..) = base.home("b");
    base.situation(a, Some(router), vec![link], b)
}

/// The public part of a situation, to which peers are added.
struct Base {
    topology: Topology,
    internet: NodeId,
    server: NodeId,
}

impl Base {
    fn new() -> Self {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let server = topology.node("server");
        topology.link(server, internet);
        Self {
            topology,
            internet,
            server,
        }
    }

    /// Adds a host behind a home router. Returns the host, its router and its link.
    fn home(&mut self, name: &str) -> (NodeId, NodeId, LinkId) {
        let (host, router, link) = self.home_in_front_of(name);
        self.topology.uplink(router, self.internet);
        (host, router, link)
    }

    /// Adds a host behind a home router that has no uplink yet.
    fn home_in_front_of(&mut self, name: &str) -> (NodeId, NodeId, LinkId) {
        let router = self
            .topology
            .router(RouterSpec::home(format!("{name}-home")));
        let lan = SwitchSpec::new(format!("{name}-lan")).subnet("192.168.1.0/24");
        let lan = self.topology.switch(lan);
        self.topology.plug(router, lan);
        let host = self.topology.node(name);
        let link = self.topology.plug(host, lan);
        (host, router, link)
    }

    fn situation(
        self,
        a: NodeId,
        router: Option<NodeId>,
        links: Vec<LinkId>,
        b: NodeId,
    ) -> Situation {
        Situation {
            topology: self.topology,
            internet: self.internet,
            a,
            router,
            links,
            b,
            server: self.server,
        }
    }
}
