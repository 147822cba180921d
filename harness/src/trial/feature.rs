//! Names of what not every kernel can do, so that a trial can say what it requires.

use std::fmt;

/// Something that not every kernel or machine can do, for `requires(…)`.
///
/// In the attribute the names are written small and with underscores: `requires(netem, nf_tables)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// Pairs of virtual Ethernet interfaces.
    Veth,
    /// Ethernet bridges.
    Bridge,
    /// Interfaces that share one below them, told apart by MAC address.
    Macvlan,
    /// VLAN interfaces (802.1Q).
    Vlan,
    /// Ethernet over UDP.
    Vxlan,
    /// Interfaces that lead nowhere.
    Dummy,
    /// WireGuard interfaces.
    Wireguard,
    /// TUN and TAP interfaces by `/dev/net/tun`.
    Tun,
    /// Packet sockets.
    Packet,
    /// The queueing discipline that delays, loses, reorders and corrupts.
    Netem,
    /// The token bucket filter.
    Tbf,
    /// The hierarchical token bucket.
    Htb,
    /// Packet filtering by nftables.
    NfTables,
    /// Address translation by nftables: masquerading, and other destinations.
    Nat,
    /// Overlay filesystems in a user namespace.
    Overlayfs,
    /// More than one user id in a sandbox.
    IdRange,
}

impl Feature {
    /// All features.
    pub const ALL: [Feature; 16] = [
        Feature::Veth,
        Feature::Bridge,
        Feature::Macvlan,
        Feature::Vlan,
        Feature::Vxlan,
        Feature::Dummy,
        Feature::Wireguard,
        Feature::Tun,
        Feature::Packet,
        Feature::Netem,
        Feature::Tbf,
        Feature::Htb,
        Feature::NfTables,
        Feature::Nat,
        Feature::Overlayfs,
        Feature::IdRange,
    ];
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Veth => "veth",
            Feature::Bridge => "bridge",
            Feature::Macvlan => "macvlan",
            Feature::Vlan => "vlan",
            Feature::Vxlan => "vxlan",
            Feature::Dummy => "dummy",
            Feature::Wireguard => "wireguard",
            Feature::Tun => "tun",
            Feature::Packet => "packet",
            Feature::Netem => "netem",
            Feature::Tbf => "tbf",
            Feature::Htb => "htb",
            Feature::NfTables => "nf_tables",
            Feature::Nat => "nat",
            Feature::Overlayfs => "overlayfs",
            Feature::IdRange => "id_range",
        })
    }
}
