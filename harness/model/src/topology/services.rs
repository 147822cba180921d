//! What a node does for other nodes, or asks of them: names, and addresses that come over the wire.

use crate::dhcp::{AddressSource, DhcpSpec};
use crate::dhcp6::Dhcp6Spec;
use crate::dns::DnsSpec;
use crate::ndp::AdvertiseSpec;
use crate::topology::node::NodeSpec;
use crate::v6::ClatSpec;

impl NodeSpec {
    /// Makes the node a name server, which all nodes of the lab ask: see [`DnsSpec`].
    pub fn dns(mut self, dns: DnsSpec) -> Self {
        self.dns = Some(dns);
        self
    }

    /// Makes the node a DHCP server on its networks: see [`DhcpSpec`].
    pub fn dhcp(mut self, dhcp: DhcpSpec) -> Self {
        self.dhcp = Some(dhcp);
        self
    }

    /// Makes the node a DHCPv6 server on its networks, which may delegate prefixes: see
    /// [`Dhcp6Spec`].
    pub fn dhcp6(mut self, dhcp6: Dhcp6Spec) -> Self {
        self.dhcp6 = Some(dhcp6);
        self
    }

    /// Makes the node advertise itself as an IPv6 router: see [`AdvertiseSpec`].
    pub fn advertise(mut self, advertise: AdvertiseSpec) -> Self {
        self.advertise = Some(advertise);
        self
    }

    /// Lets programs of the node that know IPv4 alone work over IPv6, and hosts of IPv4 behind the
    /// node if it is a router (464XLAT): see [`ClatSpec`].
    pub fn clat(mut self, clat: ClatSpec) -> Self {
        self.clat = Some(clat);
        self
    }

    /// Lets the node make its IPv6 addresses of what routers advertise (SLAAC, RFC 4862), instead
    /// of having them from the plan. The lab has started when it has some.
    pub fn autoconfigure(mut self) -> Self {
        self.autoconfigure = true;
        self
    }

    /// Sets where the node has its IPv4 addresses from. With an
    /// [uplink](crate::topology::Topology::uplink), the addresses there are meant; those of other
    /// interfaces come from the plan.
    ///
    /// The plan has no route that leads over an address which it does not know. So the networks
    /// behind such a router are reached from in front of it only if the router
    /// [translates](crate::topology::RouterSpec::nat), or if a router in front has a
    /// [route by hand](crate::topology::RouteSpec) over an address of the pool. The same holds of
    /// [`addresses_v6`](Self::addresses_v6), and of the prefix outside of an exchange of prefixes
    /// ([`V6Nat::Prefix`](crate::v6::V6Nat)); a delegated prefix has its route.
    pub fn addresses(mut self, source: AddressSource) -> Self {
        self.addresses = source;
        self
    }

    /// Sets where the node has its IPv6 addresses from: at its
    /// [uplinks](crate::topology::Topology::uplink), or at all interfaces where there are none.
    ///
    /// With [`AddressSource::Dhcp`], the kernel makes addresses of what routers advertise, as with
    /// [`autoconfigure`](Self::autoconfigure), and a client of the lab asks for one by DHCPv6 on
    /// each network whose router says so ([`AdvertiseSpec::managed`]). With
    /// [`AddressSource::Program`], the kernel heeds routers too, and the lab starts without a wait
    /// for an address.
    pub fn addresses_v6(mut self, source: AddressSource) -> Self {
        self.addresses_v6 = source;
        self
    }
}
