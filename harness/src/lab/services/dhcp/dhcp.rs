//! A DHCP server of a lab, as a test sees it.

use std::sync::Arc;

use crate::events::since_start;
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::services::dhcp::server;
use crate::lab::services::service::{Service, ServicePlace, ServiceThread};
use crate::lab::unfit::UnfitService;
use crate::model::dhcp::pool::LeasePool;
use crate::model::dhcp::server::DhcpServer;
use crate::model::dhcp::{DhcpLease, DhcpSpec};
use crate::topology::Plan;
use crate::topology::plan::NodePlan;

/// A DHCP server of a lab: see [`DhcpSpec`].
///
/// ```no_run
/// use snowglobe::dhcp::{AddressSource, DhcpSpec};
/// use snowglobe::prelude::*;
///
/// #[snowglobe::test]
/// fn a_phone_gets_an_address() -> TestResult {
///     let mut topology = Topology::new();
///     let server = topology.node(NodeSpec::new("server").dhcp(DhcpSpec::new()));
///     let phone = topology.node(NodeSpec::new("phone").addresses(AddressSource::Dhcp));
///     topology.link(server, phone);
///     let lab = topology.start()?; // every client has its lease
///     let leases = lab[server].dhcp().unwrap().leases();
///     assert_eq!(leases[0].address, lab[phone].ip());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Dhcp {
    node: String,
    spec: Lock<DhcpSpec>,
    networks: Arc<Lock<Vec<ServedNetwork>>>,
    plan: Lock<Plan>,
}

/// A network that a server serves.
#[derive(Debug)]
pub(crate) struct ServedNetwork {
    /// Index of the interface.
    pub(crate) index: u32,
    /// MAC address of the interface.
    pub(crate) mac: [u8; 6],
    pub(crate) server: DhcpServer,
}

impl Dhcp {
    pub(crate) fn new(node: &NodePlan, spec: &DhcpSpec, plan: &Plan) -> Self {
        let dhcp = Self {
            node: node.name.clone(),
            spec: Lock::new(spec.clone()),
            networks: Arc::default(),
            plan: Lock::new(plan.clone()),
        };
        dhcp.serve(dhcp.pools(spec));
        dhcp
    }

    /// Takes over what a changed plan says of the networks.
    pub(crate) fn refresh(&self, plan: &Plan) {
        *self.plan.lock() = plan.clone();
        self.serve(self.pools(&self.spec.lock()));
    }

    /// Returns what a specification and the plan say that the server gives, with the index and the
    /// MAC address of the interface.
    fn pools(&self, spec: &DhcpSpec) -> Vec<(u32, [u8; 6], LeasePool)> {
        let plan = self.plan.lock();
        let Some(node) = plan.nodes.iter().find(|it| it.name == self.node) else {
            return Vec::new();
        };
        let interfaces = plan[node.stack].interfaces.iter();
        let pools = interfaces.filter_map(|it| {
            let pool = LeasePool::of(spec, &plan, node.stack, it)?;
            Some((it.index, it.mac, pool))
        });
        pools.collect()
    }

    /// Gives what is in these pools, and keeps the leases.
    fn serve(&self, pools: Vec<(u32, [u8; 6], LeasePool)>) {
        let mut networks = self.networks.lock();
        for (index, mac, pool) in pools {
            match networks.iter_mut().find(|it| it.index == index) {
                Some(known) => known.server.set_pool(pool),
                // New networks come at the end: the thread knows networks by their numbers.
                None => networks.push(ServedNetwork {
                    index,
                    mac,
                    server: DhcpServer::new(pool),
                }),
            }
        }
    }

    /// Returns the addresses that clients have, in their order.
    pub fn leases(&self) -> Vec<DhcpLease> {
        let networks = self.networks.lock();
        // Leases whose time is over are kept until the next message, and are none by now.
        let now = since_start();
        networks
            .iter()
            .flat_map(|it| it.server.leases(now))
            .collect()
    }

    /// Forgets all leases, as a server does that has lost its disk. Clients keep their addresses
    /// until they ask for more time.
    pub fn forget_leases(&self) {
        for network in self.networks.lock().iter_mut() {
            network.server.forget();
        }
    }

    /// Gives other addresses or other times from now on. A client whose address is not among them
    /// hears so (NAK) when it asks for more time, and gets another one.
    ///
    /// # Errors
    /// The pool is no range of addresses, or has no address that is free on a network of the node.
    /// The server is as it was then.
    pub fn change(&self, spec: DhcpSpec) -> Result<()> {
        let pools = self.pools(&spec);
        if !pools.iter().any(|(_, _, pool)| pool.gives_something()) {
            let subject = Subject::Node(self.node.clone());
            return Err(LabError::unfit(subject, UnfitService::NothingToLease));
        }
        // Checked before: a server keeps what it had if the new one makes no sense.
        self.serve(pools);
        *self.spec.lock() = spec;
        Ok(())
    }
}

impl Service for Dhcp {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        server::start(place, Arc::clone(&self.networks))
    }

    fn networks(&self) -> usize {
        self.networks.lock().len()
    }
}
