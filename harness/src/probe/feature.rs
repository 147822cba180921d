//! One attempt for each feature, and why a feature is missing.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::errno::Errno;
use crate::kernel::namespace::CloneFlags;

use super::throwaway;
use crate::kernel::errno::RefusedCall;
use crate::kernel::probe;
use crate::sandbox::ids::Ids;
use crate::sandbox::outer::tun_directory;
use crate::sandbox::refused::Refused;
use crate::trial::Feature;

/// The reason why a [`Feature`] is missing: the attempt, and the kernel's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    refused: Refused,
    call: String,
}

impl Missing {
    /// Returns what was tried, as in `RTM_NEWQDISC netem`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Returns the kernel's answer, as a number of `errno.h`.
    pub fn errno(&self) -> i32 {
        self.refused.errno as i32
    }

    /// Returns what the kernel refused.
    pub(crate) fn refused(&self) -> &Refused {
        &self.refused
    }
}

impl From<Refused> for Missing {
    fn from(refused: Refused) -> Self {
        Self {
            call: refused.step.to_string(),
            refused,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.refused, f)
    }
}

impl std::error::Error for Missing {}

impl Feature {
    /// Tries the feature, in namespaces of a process that is gone afterwards.
    ///
    /// Must be called while this process has a single thread; the runner does so before it starts
    /// anything.
    ///
    /// # Errors
    /// The kernel refuses the feature: what was tried, and what the kernel answered.
    pub fn probe(self) -> Result<(), Missing> {
        if self == Self::IdRange {
            return id_range().map_err(Missing::from);
        }
        // The device has to be made with the privileges that a sandbox gives up.
        let tun = (self == Self::Tun).then(tun_directory).flatten();
        throwaway::within(NETWORK, || self.attempt(tun.as_ref())).map_err(Missing::from)
    }

    /// Returns what is tried, in the words of [`Missing::call`].
    pub(crate) fn tried(self) -> String {
        match self {
            Self::Tun => "TUNSETIFF".to_owned(),
            Self::Packet => "socket(AF_PACKET)".to_owned(),
            Self::Netem | Self::Tbf | Self::Htb => format!("RTM_NEWQDISC {self}"),
            Self::NfTables => "NFT_MSG_NEWTABLE".to_owned(),
            Self::Nat => "NFT_MSG_NEWRULE masquerade, dnat".to_owned(),
            Self::Overlayfs => "mount an overlay".to_owned(),
            Self::IdRange => "map the ids".to_owned(),
            Self::Veth
            | Self::Bridge
            | Self::Macvlan
            | Self::Vlan
            | Self::Vxlan
            | Self::Dummy
            | Self::Wireguard => format!("RTM_NEWLINK {self}"),
        }
    }

    fn attempt(self, tun: Option<&OwnedFd>) -> Result<(), RefusedCall> {
        match self {
            Self::Veth => probe::link("veth"),
            Self::Bridge => probe::link("bridge"),
            Self::Macvlan => probe::stacked_link("macvlan"),
            Self::Vlan => probe::stacked_link("vlan"),
            Self::Vxlan => probe::link("vxlan"),
            Self::Dummy => probe::link("dummy"),
            Self::Wireguard => probe::link("wireguard"),
            Self::Tun => probe::tap(tun.map(AsFd::as_fd)),
            Self::Packet => probe::packet_socket(),
            Self::Netem => probe::netem(),
            Self::Tbf => probe::tbf(),
            Self::Htb => probe::htb(),
            Self::NfTables => probe::nft_table(),
            Self::Nat => probe::nat(),
            Self::Overlayfs => probe::overlay(),
            Self::IdRange => Ok(()),
        }
    }
}

/// Namespaces that most features need: a network, and mounts to change.
pub(crate) const NETWORK: CloneFlags = CloneFlags::CLONE_NEWNET.union(CloneFlags::CLONE_NEWNS);

fn id_range() -> Result<(), Refused> {
    match Ids::available() {
        Ids::Range(map) => throwaway::beside(|pid| throwaway::map_from_outside(pid, map)),
        Ids::Subordinate(ids) => throwaway::beside(|pid| {
            ids.map(pid).map_err(|unmapped| Refused {
                step: unmapped.to_string().into(),
                errno: Errno::EPERM,
            })
        }),
        Ids::One { .. } => Err(Refused {
            step: "map a range of ids without being root".into(),
            errno: Errno::EPERM,
        }),
    }
}
