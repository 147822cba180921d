//! A DHCPv6 server of a lab, as a test sees it.

use std::sync::Arc;

use crate::events::since_start;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::services::dhcp6::server::{self, ServedInterface};
use crate::lab::services::service::{Service, ServicePlace, ServiceThread, ThreadWaker};
use crate::model::dhcp6::network::{Dhcp6Network, link_local};
use crate::model::dhcp6::server::Dhcp6Server;
use crate::model::dhcp6::{Dhcp6Lease, Dhcp6Spec};
use crate::model::order::sort_by_key;
use crate::topology::Plan;
use crate::topology::plan::NodePlan;

/// A DHCPv6 server of a lab: see [`Dhcp6Spec`]. [`Lab::set_dhcp6`](crate::lab::Lab::set_dhcp6)
/// changes it.
///
/// ```no_run
/// use snowglobe::dhcp6::Dhcp6Spec;
/// use snowglobe::ndp::AdvertiseSpec;
/// use snowglobe::prelude::*;
///
/// #[snowglobe::test]
/// fn a_home_gets_a_prefix() -> TestResult {
///     let mut topology = Topology::new();
///     let spec = Dhcp6Spec::new().delegate("2001:db8:100::/40", 56);
///     let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp6(spec)));
///     let advertise = AdvertiseSpec::new().delegated();
///     let home = topology.router(RouterSpec::home("home").node(|node| node.advertise(advertise)));
///     topology.uplink(home, isp);
///     let laptop = topology.node(NodeSpec::new("laptop").autoconfigure());
///     topology.link(laptop, home);
///     let lab = topology.start()?; // the laptop has an address of the prefix
///     let leases = lab[isp].dhcp6().unwrap().leases();
///     assert_eq!(Some(leases[0].range), lab[home].delegated_prefix());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Dhcp6 {
    node: String,
    shared: Arc<Dhcp6State>,
    waker: ThreadWaker,
}

/// The state that a server and its thread share.
#[derive(Debug)]
pub(crate) struct Dhcp6State {
    pub(super) server: Lock<Dhcp6Server>,
    /// The interfaces, by the numbers of the server's networks.
    pub(super) interfaces: Lock<Vec<ServedInterface>>,
}

impl Dhcp6 {
    pub(crate) fn new(node: &NodePlan, spec: &Dhcp6Spec, plan: &Plan) -> Self {
        let (interfaces, networks) = served(node, spec, plan, &[]);
        // The host has one name, whatever interface it answers on (RFC 8415, section 11).
        let mac = plan[node.stack].interfaces.first().map(|it| it.mac);
        let server = Dhcp6Server::new(mac.unwrap_or_default(), spec, networks);
        Self {
            node: node.name.clone(),
            shared: Arc::new(Dhcp6State {
                server: Lock::new(server),
                interfaces: Lock::new(interfaces),
            }),
            waker: ThreadWaker::default(),
        }
    }

    /// Takes over what a changed plan says of the networks, and of what is given there.
    pub(crate) fn refresh(&self, plan: &Plan) {
        let Some(node) = plan.nodes.iter().find(|it| it.name == self.node) else {
            return;
        };
        let Some(spec) = &node.dhcp6 else {
            return;
        };
        let mut interfaces = self.shared.interfaces.lock();
        let (now, networks) = served(node, spec, plan, &interfaces);
        *interfaces = now;
        // The thread takes the two locks one by one as well.
        drop(interfaces);
        self.shared.server.lock().change(spec, networks);
        self.waker.wake();
    }

    /// Returns the addresses and prefixes that clients have, in their order.
    pub fn leases(&self) -> Vec<Dhcp6Lease> {
        self.shared.server.lock().leases(since_start())
    }

    /// Forgets all leases, as a server does that has lost its disk. Clients keep what they have
    /// until they ask for more time, but no route leads to delegated prefixes until then.
    pub fn forget_leases(&self) {
        self.shared.server.lock().forget();
        self.waker.wake();
    }
}

/// Returns the interfaces of a server and what it gives there: first those of before, by their
/// numbers, and then new ones.
fn served(
    node: &NodePlan,
    spec: &Dhcp6Spec,
    plan: &Plan,
    before: &[ServedInterface],
) -> (Vec<ServedInterface>, Vec<Dhcp6Network>) {
    let interfaces = plan[node.stack].interfaces.iter();
    let all = interfaces.filter_map(|it| {
        let interface = ServedInterface {
            index: it.index,
            link_local: link_local(it)?,
        };
        Some((interface, Dhcp6Network::of(spec, plan, node.stack, it)?))
    });
    let mut all: Vec<_> = all.collect();
    let place = |it: &ServedInterface| {
        let mut known = before.iter();
        known.position(|old| old == it).unwrap_or(usize::MAX)
    };
    // Leases name networks by their numbers, which stay.
    sort_by_key(&mut all, |(it, _)| place(it));
    all.into_iter().unzip()
}

impl Service for Dhcp6 {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let thread = server::start(place, &self.shared)?;
        self.waker.set(&thread);
        Ok(thread)
    }

    fn networks(&self) -> usize {
        self.shared.interfaces.lock().len()
    }
}
