//! A router as it is written in TOML: `[[router]]`, `name = "home"`, `kind = "home"`.

use snowglobe_derive::Deserialize;

use super::firewall::name_or_firewall;
use crate::dhcp::{AddressSource, DhcpSpec};
use crate::dhcp6::Dhcp6Spec;
use crate::dns::DnsSpec;
use crate::nat::{NatSpec, preset_or_spec};
use crate::ndp::AdvertiseSpec;
use crate::portmap::PortMappingSpec;
use crate::topology::node::{NodeSpec, StackSpec, StartCommand, Users};
use crate::topology::router::{Dscp, Ecn, Firewall, PathMtu, RouterSpec};
use crate::topology::storage::{Mount, Rootfs};
use crate::v6::{ClatSpec, Nat64Spec, V6Nat};

/// A router.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouterText {
    name: String,
    #[serde(default)]
    kind: RouterKind,
    #[serde(default, deserialize_with = "preset_or_spec")]
    nat: Option<NatSpec>,
    #[serde(default)]
    nat_v6: V6Nat,
    nat64: Option<Nat64Spec>,
    clat: Option<ClatSpec>,
    dns: Option<DnsSpec>,
    dhcp: Option<DhcpSpec>,
    #[serde(default)]
    addresses: AddressSource,
    dhcp6: Option<Dhcp6Spec>,
    #[serde(default)]
    addresses_v6: AddressSource,
    advertise: Option<AdvertiseSpec>,
    #[serde(default)]
    users: Users,
    port_mapping: Option<PortMappingSpec>,
    path_mtu: Option<PathMtu>,
    #[serde(default)]
    dscp: Dscp,
    #[serde(default)]
    ecn: Ecn,
    #[serde(default, deserialize_with = "name_or_firewall")]
    firewall: Option<Firewall>,
    rootfs: Option<Rootfs>,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    commands: Vec<StartCommand>,
    #[serde(default)]
    network: StackSpec,
}

/// The kind of a router, whose settings those of the text replace.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RouterKind {
    #[default]
    Plain,
    Home,
    Internet,
}

impl RouterText {
    pub(super) fn spec(self) -> RouterSpec {
        let Self {
            name,
            kind,
            nat,
            nat_v6,
            nat64,
            clat,
            dns,
            dhcp,
            addresses,
            dhcp6,
            addresses_v6,
            advertise,
            users,
            port_mapping,
            path_mtu,
            dscp,
            ecn,
            firewall,
            rootfs,
            mounts,
            commands,
            network,
        } = self;
        let spec = match kind {
            RouterKind::Plain => RouterSpec::new(name),
            RouterKind::Home => RouterSpec::home(name),
            RouterKind::Internet => RouterSpec::new(name).public(true),
        };
        let spec = spec.node(|node| NodeSpec {
            rootfs,
            mounts,
            commands,
            clat,
            dns,
            dhcp,
            addresses,
            dhcp6,
            addresses_v6,
            advertise,
            users,
            network: StackSpec {
                firewall: node.network.firewall,
                ..network
            },
            ..node
        });
        let spec = spec.nat_v6(nat_v6).dscp(dscp).ecn(ecn);
        let spec = match nat {
            Some(nat) => spec.nat(nat),
            None => spec,
        };
        let spec = match nat64 {
            Some(nat64) => spec.nat64(nat64),
            None => spec,
        };
        let spec = match port_mapping {
            Some(served) => spec.port_mapping(served),
            None => spec,
        };
        let spec = match firewall {
            Some(firewall) => spec.firewall(firewall),
            None => spec,
        };
        match path_mtu {
            Some(path_mtu) => spec.path_mtu(path_mtu),
            None => spec,
        }
    }
}
