//! A router as it is written in TOML: `[[router]]`, `name = "home"`, `kind = "home"`.

use snowglobe_derive::Deserialize;
use snowglobe_text::{FromTree, Tree, TreeError};

use super::firewall::name_or_firewall;
use crate::dhcp::{AddressSource, DhcpSpec};
use crate::dhcp6::Dhcp6Spec;
use crate::dns::DnsSpec;
use crate::nat::{NatSpec, preset_or_spec};
use crate::ndp::AdvertiseSpec;
use crate::portmap::PortMappingSpec;
use crate::topology::command::StartCommand;
use crate::topology::node::{NodeSpec, StackSpec, Users};
use crate::topology::router::{Dscp, Ecn, Firewall, PathMtu, RouterSettings, RouterSpec};
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
    autoconfigure: bool,
    #[serde(default)]
    faulty_clock: bool,
    #[serde(default)]
    users: Users,
    port_mapping: Option<PortMappingSpec>,
    path_mtu: Option<PathMtu>,
    #[serde(default)]
    dscp: Dscp,
    #[serde(default)]
    ecn: Ecn,
    public: Option<bool>,
    #[serde(default, deserialize_with = "name_or_firewall")]
    firewall: Option<Firewall>,
    rootfs: Option<Rootfs>,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    commands: Vec<StartCommand>,
    #[serde(default, deserialize_with = "network_of_router")]
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

/// Reads the table `network` of a router, and refuses settings that are fields of the router
/// itself.
fn network_of_router(tree: &Tree) -> Result<StackSpec, TreeError> {
    let elsewhere = [
        ("firewall", "write it as `firewall` of the router"),
        (
            "router",
            "write its settings as those of the router: `nat`, `path_mtu`",
        ),
    ];
    for (field, instead) in elsewhere {
        if let Some(found) = tree.get(field) {
            let wrong =
                format!("`{field}` is a setting of the router, not of its network; {instead}");
            return Err(found.error(&wrong));
        }
    }
    StackSpec::from_tree(tree)
}

impl RouterText {
    pub(super) fn spec(self) -> RouterSpec {
        let base = match self.kind {
            RouterKind::Plain => RouterSpec::new(self.name),
            RouterKind::Home => RouterSpec::home(self.name),
            RouterKind::Internet => RouterSpec::new(self.name).public(true),
        };
        let base = NodeSpec::from(base);
        let kind = base.network.router.unwrap_or_default();
        let router = RouterSettings {
            nat: self.nat.or(kind.nat),
            nat_v6: self.nat_v6,
            nat64: None,
            port_mapping: self.port_mapping,
            path_mtu: self.path_mtu.unwrap_or(kind.path_mtu),
            dscp: self.dscp,
            ecn: self.ecn,
            public: self.public.unwrap_or(kind.public),
        };
        // Without `..`, so that the compiler names this place for a new setting of nodes.
        let node = NodeSpec {
            name: base.name,
            pod: None,
            rootfs: self.rootfs,
            users: self.users,
            faulty_clock: self.faulty_clock,
            mounts: self.mounts,
            commands: self.commands,
            dns: self.dns,
            dhcp: self.dhcp,
            addresses: self.addresses,
            dhcp6: self.dhcp6,
            addresses_v6: self.addresses_v6,
            advertise: self.advertise,
            clat: self.clat,
            autoconfigure: self.autoconfigure,
            network: StackSpec {
                firewall: self.firewall.or(base.network.firewall),
                router: Some(router),
                ..self.network
            },
        };
        let router = RouterSpec::from(node);
        // A NAT64 adds a NAT of IPv4 if the text has none.
        match self.nat64 {
            Some(nat64) => router.nat64(nat64),
            None => router,
        }
    }
}
