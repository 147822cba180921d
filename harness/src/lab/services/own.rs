//! The services that one node has.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::events::Journal;
use crate::lab::disk::DiskServer;
use crate::lab::services::dhcp::client::DhcpClients;
use crate::lab::services::dhcp::dhcp::Dhcp;
use crate::lab::services::dhcp6::clients::Dhcp6Clients;
use crate::lab::services::dhcp6::dhcp6::Dhcp6;
use crate::lab::services::dns::dns::Dns;
use crate::lab::services::ndp::advertiser::Advertiser;
use crate::lab::services::portmap::mapper::PortMapper;
use crate::lab::services::service::Service;
use crate::lab::services::translation::translation::Translation;
use crate::lab::stack::stack::Stack;
use crate::model::dhcp::AddressSource;
use crate::topology::plan::NodePlan;
use crate::topology::{LinkId, Plan};

/// The services of a node that its plan asks for.
#[derive(Debug)]
pub(crate) struct OwnServices {
    pub(crate) dns: Option<Arc<Dns>>,
    pub(crate) dhcp: Option<Arc<Dhcp>>,
    pub(crate) advertiser: Option<Arc<Advertiser>>,
    clients: Option<Arc<DhcpClients>>,
    pub(crate) dhcp6: Option<Arc<Dhcp6>>,
    pub(crate) clients6: Option<Arc<Dhcp6Clients>>,
    /// Whether the node is ready without an IPv6 address, which is the business of a program.
    pub(crate) addresses_by_program: bool,
    /// Whether the IPv4 addresses are the business of a program.
    pub(crate) v4_by_program: bool,
    pub(crate) nat64: Option<Arc<Translation>>,
    clat: Option<Arc<Translation>>,
    pub(crate) port_mapper: Arc<PortMapper>,
    /// Volumes with faults, which run before the node does.
    pub(crate) disks: Vec<Arc<DiskServer>>,
}

impl OwnServices {
    pub(crate) fn of(
        node: &NodePlan,
        plan: &Plan,
        stack: &Arc<Stack>,
        journal: &Arc<Journal>,
    ) -> Self {
        let dns = node.dns.as_ref();
        let dns = dns.map(|spec| Dns::new(&node.name, spec, plan, Arc::clone(journal)));
        let dhcp = node.dhcp.as_ref().map(|spec| Dhcp::new(node, spec, plan));
        let advertiser = node.advertise.as_ref();
        let advertiser = advertiser.map(|spec| Arc::new(Advertiser::new(node, spec, plan)));
        let dhcp6 = node.dhcp6.as_ref();
        let dhcp6 = dhcp6.map(|spec| Dhcp6::new(node, spec, plan));
        let clients6 = Dhcp6Clients::of(node, plan, stack, advertiser.as_ref(), journal);
        let clients = (node.addresses == AddressSource::Dhcp)
            .then(|| DhcpClients::new(&node.name, &plan[node.stack], stack, journal));
        let nat64 = node.nat64.as_ref();
        let nat64 = nat64.and_then(|spec| Translation::nat64(spec, stack));
        let clat = node.clat.as_ref();
        let clat = clat.and_then(|spec| Translation::clat(spec, &plan[node.stack], stack));
        Self {
            nat64: nat64.map(Arc::new),
            clat: clat.map(Arc::new),
            dns: dns.map(Arc::new),
            dhcp: dhcp.map(Arc::new),
            advertiser,
            clients: clients.map(Arc::new),
            dhcp6: dhcp6.map(Arc::new),
            clients6: clients6.map(Arc::new),
            addresses_by_program: node.addresses_v6 == AddressSource::Program,
            v4_by_program: node.addresses == AddressSource::Program,
            port_mapper: Arc::new(PortMapper::new(&node.name)),
            disks: Vec::new(),
        }
    }

    /// Returns all of them, in the order in which they start.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Service>> {
        // Disks are not among them: the programs of the node have them from their start.
        let Self {
            dns,
            dhcp,
            advertiser,
            clients,
            dhcp6,
            clients6,
            addresses_by_program: _,
            v4_by_program: _,
            nat64,
            clat,
            port_mapper,
            disks: _,
        } = self;
        // Servers before clients, which find them at the first question. Translators start before
        // all, since other services may be reached through them.
        let all = [
            as_service(nat64),
            as_service(clat),
            as_service(dns),
            as_service(dhcp),
            as_service(dhcp6),
            as_service(advertiser),
            Some(Arc::clone(port_mapper) as Arc<dyn Service>),
            as_service(clients),
            as_service(clients6),
        ];
        all.into_iter().flatten().collect()
    }

    /// Takes over what a changed plan says.
    pub(crate) fn refresh(&self, plan: &Plan, removed: &BTreeSet<LinkId>) {
        let Self {
            dns,
            dhcp,
            advertiser,
            clients,
            dhcp6,
            clients6,
            // These read nothing from the plan after their start.
            addresses_by_program: _,
            v4_by_program: _,
            nat64: _,
            clat: _,
            port_mapper: _,
            disks: _,
        } = self;
        if let Some(dns) = dns {
            dns.refresh(plan);
        }
        if let Some(dhcp) = dhcp {
            dhcp.refresh(plan);
        }
        if let Some(clients) = clients {
            clients.refresh(plan, removed);
        }
        if let Some(dhcp6) = dhcp6 {
            dhcp6.refresh(plan);
        }
        if let Some(advertiser) = advertiser {
            advertiser.refresh(plan);
        }
        if let Some(clients) = clients6 {
            clients.refresh(plan, removed);
        }
    }

    /// Takes from an interface what a DHCP client has given it: it leads to another network.
    pub(crate) fn give_up_lease(&self, index: u32) {
        if let Some(clients) = &self.clients {
            clients.give_up_lease(index);
        }
    }

    /// Lets the clients of the node ask anew at an interface that leads to another network.
    pub(crate) fn ask_anew(&self, index: u32) {
        if let Some(clients) = &self.clients {
            clients.ask_anew(index);
        }
        if let Some(clients) = &self.clients6 {
            clients.ask_anew(index);
        }
    }
}

fn as_service<S: Service + 'static>(service: &Option<Arc<S>>) -> Option<Arc<dyn Service>> {
    service.clone().map(|it| it as Arc<dyn Service>)
}
