//! The place where a router serves, and the carrier of its NAT.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::lab::stack::stack::Stack;
use crate::model::nat::{NatSpec, PortForward};
use crate::wire::UplinkNat;

/// The place where a router serves.
#[derive(Clone, Debug)]
pub(crate) struct LeaseSite {
    /// The networks behind the router.
    pub(crate) inside: Vec<InsideNetwork>,
    pub(crate) carrier: NatCarrier,
    pub(crate) stack: Arc<Stack>,
    /// The index of the uplink that has the external ports.
    pub(crate) uplink: u32,
    /// Whether a firewall stands there.
    pub(crate) firewall: bool,
    /// The behaviours of the NAT. Others may have lost its mappings.
    pub(crate) nat: NatSpec,
}

impl LeaseSite {
    /// Takes over the address that DHCP has given to the uplink, if the plan has none for it.
    pub(super) fn with_leased_address(mut self) -> Self {
        // This is looked up for each request, since a lease comes and goes while the router serves.
        let leased = self.stack.leased_at(self.uplink);
        if let (NatCarrier::Kernel(nat), Some(leased)) = (&mut self.carrier, leased) {
            nat.external = leased;
        }
        self
    }
}

/// A network behind a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InsideNetwork {
    /// The index and the name of the interface.
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: [u8; 6],
    /// The address of the router there.
    pub(crate) address: Ipv4Addr,
}

/// The carrier of the NAT of a router.
#[derive(Clone, Debug)]
pub(crate) enum NatCarrier {
    /// The wire of the uplink.
    Wire(Arc<UplinkNat>),
    /// nftables.
    Kernel(KernelNat),
}

/// A NAT that nftables carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelNat {
    /// The external address that is planned; 0.0.0.0 where it comes by DHCP.
    pub(crate) external: Ipv4Addr,
    /// Whether hosts inside reach one another by the external address.
    pub(crate) hairpins: bool,
    /// The ports that are forwarded anyway.
    pub(crate) forwards: Vec<PortForward>,
}
