//! The NAT of a router in a running lab: what carries it, its mappings, and what changes it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::kernel_nat;
use crate::kernel::clock::monotonic;
use crate::kernel::nft::conntrack::{
    FlowTuple, TrackedFlow, find_flow, forget_all_flows, tracked_flows,
};
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::link::link::Link;
use crate::lab::unfit::UnfitService;
use crate::model::nat::{Nat, NatCounters, NatEngine, NatMapping, NatProtocol, NatSpec};
use crate::model::packet::ip::{ICMP, TCP, UDP};
use crate::topology::NodeId;
use crate::topology::plan::InterfacePlan;
use crate::wire::UplinkNat;

/// Types of ICMP messages (RFC 792).
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// The NAT of a router in a running lab.
///
/// [`Lab::change_router`] gives the router another one.
///
/// ```no_run
/// # use snowglobe::prelude::*;
/// # use snowglobe::topology::nat::preset;
/// # #[snowglobe::test]
/// # fn t() -> TestResult {
/// let mut topology = Topology::new();
/// let internet = topology.internet();
/// let home = topology.router(RouterSpec::new("home").nat(preset::full_cone()));
/// topology.uplink(home, internet);
/// let lab = topology.start()?;
/// let nat = lab.nat(home)?;
/// println!("{}", nat.engine()); // userspace: Linux itself has no full cone
/// for mapping in nat.mappings()? {
///     println!("{} is {} outside", mapping.inside, mapping.outside);
/// }
/// nat.rebind_ports()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RouterNat<'l> {
    lab: &'l Lab,
    router: NodeId,
    spec: &'l NatSpec,
}

impl Lab {
    /// Returns the NAT of a router.
    ///
    /// # Errors
    /// The node is no router, or does not translate.
    pub fn nat(&self, router: NodeId) -> Result<RouterNat<'_>> {
        let netfilter = self.plan().stack(router).own.netfilter.as_ref();
        let settings = netfilter.and_then(|netfilter| netfilter.router.as_ref());
        match settings.and_then(|settings| settings.nat.as_ref()) {
            Some(spec) => Ok(RouterNat {
                lab: self,
                router,
                spec,
            }),
            None => Err(LabError::unfit(self[router].subject(), UnfitService::NoNat)),
        }
    }

    /// Gives each uplink a wire on which a NAT of ours is to work, where it has none.
    pub(crate) fn carry_nats(&self) -> Result<()> {
        // A veth pair hands no packet to this process; a wire does.
        let links = self.links().filter(|link| link.ends().cable().translates());
        for link in links {
            link.state().require_wire("such translation of addresses")?;
        }
        Ok(())
    }
}

impl RouterNat<'_> {
    /// Returns the behaviours that were asked for.
    pub fn spec(&self) -> &NatSpec {
        self.spec
    }

    /// Returns what carries the NAT: [`NatEngine::Nftables`] or [`NatEngine::Userspace`].
    pub fn engine(&self) -> NatEngine {
        self.spec.carried_by()
    }

    /// Returns the mappings of all uplinks, in order: those of connections, of forwarded ports, and
    /// of ports that hosts have asked for. nftables has a mapping for each connection, which the
    /// kernel tracks.
    ///
    /// # Errors
    /// The kernel refuses to list the connections, or the router was removed.
    pub fn mappings(&self) -> Result<Vec<NatMapping>> {
        if self.engine() == NatEngine::Userspace {
            let of_each = self.each("tell its mappings", |nat| nat.mappings(monotonic()))?;
            return Ok(of_each.concat());
        }
        let node = &self.lab[self.router];
        let flows = tracked_flows(node.stack().require_netns()?)
            .map_err(|error| LabError::network(format!("node `{}`", node.name()), error))?;
        Ok(self.of_flows(&flows))
    }

    /// Returns the mapping by which packets from an address and port inside to a remote one leave,
    /// if there is one. The search takes as long for a hundred thousand mappings as for one.
    ///
    /// For ICMP, both ports are the identifier of the echo. Where nftables carries the NAT, the
    /// mapping of a forwarded port names no peer other than this remote address and port.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::topology::{NodeId, nat::NatProtocol};
    /// # fn t(lab: &Lab, home: NodeId) -> TestResult {
    /// let (inside, server) = ("192.168.1.2:4000".parse()?, "203.0.113.10:443".parse()?);
    /// let nat = lab.nat(home)?;
    /// let mapping = nat.outbound_mapping(NatProtocol::Tcp, inside, server)?;
    /// let outside = mapping.ok_or("the laptop has not connected")?.outside;
    /// assert_eq!(nat.inbound_mapping(NatProtocol::Tcp, outside, server)?.unwrap().inside, inside);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The kernel refuses to find the connection, or the router was removed.
    pub fn outbound_mapping(
        &self,
        protocol: NatProtocol,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Result<Option<NatMapping>> {
        if self.engine() == NatEngine::Userspace {
            let find = |nat: &mut Nat| nat.outbound_mapping(protocol, inside, remote, monotonic());
            return self.first(find);
        }
        let mut mappings = self.of_packets(protocol, [inside, remote], ECHO_REQUEST)?;
        mappings.retain(|it| it.inside == inside);
        Ok(kernel_nat::one_for(mappings, protocol, remote))
    }

    /// Returns the mapping to which packets from a remote address and port to an external one
    /// belong, if there is one, whether or not the filter lets them in. See
    /// [`outbound_mapping`](Self::outbound_mapping).
    ///
    /// # Errors
    /// The kernel refuses to find the connection, or the router was removed.
    pub fn inbound_mapping(
        &self,
        protocol: NatProtocol,
        outside: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Result<Option<NatMapping>> {
        if self.engine() == NatEngine::Userspace {
            let find = |nat: &mut Nat| nat.inbound_mapping(protocol, outside, remote, monotonic());
            return self.first(find);
        }
        let mut mappings = self.of_packets(protocol, [remote, outside], ECHO_REPLY)?;
        mappings.retain(|it| it.outside == outside);
        Ok(kernel_nat::one_for(mappings, protocol, remote))
    }

    /// Returns the first mapping that the NAT of an uplink finds.
    fn first(&self, find: impl Fn(&mut Nat) -> Option<NatMapping>) -> Result<Option<NatMapping>> {
        Ok(self
            .each("tell a mapping", find)?
            .into_iter()
            .flatten()
            .next())
    }

    /// Returns the mappings of the connection to which packets between two ends belong, and the
    /// open ports.
    fn of_packets(
        &self,
        protocol: NatProtocol,
        [source, destination]: [SocketAddrV4; 2],
        echo: u8,
    ) -> Result<Vec<NatMapping>> {
        let node = &self.lab[self.router];
        let (number, icmp) = match protocol {
            NatProtocol::Udp => (UDP, None),
            NatProtocol::Tcp => (TCP, None),
            NatProtocol::Icmp => (ICMP, Some(echo)),
        };
        // A request has the identifier of the host inside, and a reply that of its mapping.
        let source = match icmp {
            Some(ECHO_REPLY) => SocketAddrV4::new(*source.ip(), destination.port()),
            _ => source,
        };
        let packets = FlowTuple {
            source,
            destination,
        };
        let flow = find_flow(node.stack().require_netns()?, number, &packets, icmp)
            .map_err(|error| LabError::network(format!("node `{}`", node.name()), error))?;
        Ok(self.of_flows(flow.as_slice()))
    }

    /// Returns the mappings of these connections, which nftables translates, and the open ports.
    fn of_flows(&self, flows: &[TrackedFlow]) -> Vec<NatMapping> {
        let node = &self.lab[self.router];
        let leases = node.own_services().port_mapper.leases();
        let leases = leases.iter();
        let leases = leases.map(|(it, external)| kernel_nat::leased(it, *external, monotonic()));
        let interfaces = self.lab.plan().stack(self.router).interfaces.iter();
        // An uplink has the address of the plan, or that of a lease.
        let own = |it: &InterfacePlan| it.v4().chain(node.stack().leased_at(it.index)).collect();
        let external = interfaces.filter(|it| it.uplink);
        let external = external.flat_map(|it| -> Vec<Ipv4Addr> { own(it) });
        let (external, leases): (Vec<_>, Vec<_>) = (external.collect(), leases.collect());
        kernel_nat::mappings(self.spec, &external, &leases, flows)
    }

    /// Returns what the NATs of all uplinks have counted, uplink by uplink.
    ///
    /// # Errors
    /// The kernel carries the NAT.
    pub fn counters(&self) -> Result<Vec<NatCounters>> {
        self.each("tell its counters", |nat| nat.counters().clone())
    }

    /// Forgets all mappings but those of forwarded ports, as a router does that loses its power.
    /// Ports that hosts have asked for are among them; the hosts are told so by PCP and NAT-PMP.
    ///
    /// With nftables, the kernel forgets all connections that it tracks in the router.
    ///
    /// # Errors
    /// The kernel refuses, or the router was removed.
    pub fn flush(&self) -> Result<()> {
        let node = &self.lab[self.router];
        node.own_services().port_mapper.forget();
        if self.engine() == NatEngine::Userspace {
            return self.each("forget its mappings", Nat::flush).map(drop);
        }
        forget_all_flows(node.stack().require_netns()?)
            .map_err(|error| LabError::network(format!("node `{}`", node.name()), error))
    }

    /// Gives every mapping another external port: who answers to the old one is not heard.
    ///
    /// # Errors
    /// The kernel carries the NAT.
    pub fn rebind_ports(&self) -> Result<()> {
        self.each("rebind its ports", Nat::rebind_ports).map(drop)
    }

    /// Gives the NAT of each uplink another external address. It has to be one of the uplink's
    /// subnet; the NAT answers ARP for it.
    ///
    /// # Errors
    /// The kernel carries the NAT, or the address is in no subnet of an uplink.
    pub fn rebind_address(&self, address: Ipv4Addr) -> Result<()> {
        let plan = self.lab.plan();
        let uplink = plan.uplink_to(plan.stack(self.router), address.into());
        // The NAT answers ARP on the network of the uplink, and no route leads there to any other
        // address: every answer would be lost without a word.
        if uplink.is_none() {
            let subject = self.lab[self.router].subject();
            let reason = UnfitService::AddressOfNoUplink(address);
            return Err(LabError::unfit(subject, reason));
        }
        self.each("rebind its address", |nat| nat.rebind_addresses(&[address]))?;
        self.lab[self.router].own_services().port_mapper.announce();
        Ok(())
    }

    fn each<R>(&self, what: &'static str, work: impl Fn(&mut Nat) -> R) -> Result<Vec<R>> {
        // What the kernel has chosen for a connection stays as it is.
        if self.engine() != NatEngine::Userspace {
            let subject = self.lab[self.router].subject();
            let reason = UnfitService::NatOfKernel { what };
            return Err(LabError::unfit(subject, reason));
        }
        let nats = translators(self.lab, self.router);
        Ok(nats
            .iter()
            .filter_map(|nat| nat.with(|nat| nat.v4.as_mut().map(&work)))
            .collect())
    }
}

/// Returns the translators on the wires of the uplinks of a router.
pub(super) fn translators(lab: &Lab, router: NodeId) -> Vec<Arc<UplinkNat>> {
    let uplinks = lab.plan().stack(router).interfaces.iter();
    let uplinks = uplinks.filter(|it| it.uplink);
    let nat = |link: &Link| link.ends().nat().cloned();
    uplinks
        .filter_map(|it| lab.all_links().get(it.link.index()).and_then(nat))
        .collect()
}
