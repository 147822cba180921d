//! What the kernel can do here, found out by doing it in a throw-away sandbox.

pub(crate) mod throwaway;

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::kernel::probe;
use crate::kernel::probe::Refusal;
use crate::sandbox::ids::Ids;
use crate::sandbox::outer::tun_directory;
use crate::trial::Feature;

/// Why a [`Feature`] is not to be had: what was tried, and the kernel's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    call: String,
    errno: Errno,
}

impl Missing {
    /// What was tried, as in `RTM_NEWQDISC netem`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// The kernel's answer, as a number of `errno.h`.
    pub fn errno(&self) -> i32 {
        self.errno as i32
    }
}

impl From<Refusal> for Missing {
    fn from((call, errno): Refusal) -> Missing {
        Missing { call, errno }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.errno)
    }
}

impl std::error::Error for Missing {}

impl Feature {
    /// Tries it, in namespaces of a process that is gone afterwards.
    ///
    /// Must be called while this process has a single thread; the runner does so before it starts
    /// anything.
    ///
    /// # Errors
    /// What was tried and what the kernel answered.
    pub fn probe(self) -> Result<(), Missing> {
        if self == Feature::IdRange {
            return id_range();
        }
        // It has to be made with the privileges that a sandbox gives up.
        let tun = (self == Feature::Tun).then(tun_directory).flatten();
        throwaway::within(NETWORK, || self.attempt(tun.as_ref())).map_err(Missing::from)
    }

    /// What is tried, in the words of [`Missing::call`].
    pub(crate) fn tried(self) -> String {
        match self {
            Feature::Tun => "TUNSETIFF".to_owned(),
            Feature::Packet => "socket(AF_PACKET)".to_owned(),
            Feature::Netem | Feature::Tbf | Feature::Htb => format!("RTM_NEWQDISC {self}"),
            Feature::NfTables => "NFT_MSG_NEWTABLE".to_owned(),
            Feature::Nat => "NFT_MSG_NEWRULE masquerade, dnat".to_owned(),
            Feature::Overlayfs => "mount an overlay".to_owned(),
            Feature::IdRange => "map the ids".to_owned(),
            _ => format!("RTM_NEWLINK {self}"),
        }
    }

    fn attempt(self, tun: Option<&OwnedFd>) -> Result<(), Refusal> {
        match self {
            Feature::Veth => probe::link("veth", false),
            Feature::Bridge => probe::link("bridge", false),
            Feature::Macvlan => probe::link("macvlan", true),
            Feature::Vlan => probe::link("vlan", true),
            Feature::Vxlan => probe::link("vxlan", false),
            Feature::Dummy => probe::link("dummy", false),
            Feature::Wireguard => probe::link("wireguard", false),
            Feature::Tun => probe::tap(tun.map(AsFd::as_fd)),
            Feature::Packet => probe::packet_socket(),
            Feature::Netem => probe::qdisc("netem"),
            Feature::Tbf => probe::qdisc("tbf"),
            Feature::Htb => probe::qdisc("htb"),
            Feature::NfTables => probe::nft_table(),
            Feature::Nat => probe::nat(),
            Feature::Overlayfs => probe::overlay(),
            Feature::IdRange => Ok(()),
        }
    }
}

/// What most features need: a network, and mounts to change.
pub(crate) const NETWORK: CloneFlags = CloneFlags::CLONE_NEWNET.union(CloneFlags::CLONE_NEWNS);

fn id_range() -> Result<(), Missing> {
    match Ids::available() {
        Ids::Range(map) => {
            throwaway::beside(|pid| throwaway::map_from_outside(pid, map)).map_err(Missing::from)
        }
        Ids::Subordinate(ids) => throwaway::beside(|pid| {
            let refused = |(program, said)| (format!("{program}: {said}"), Errno::EPERM);
            ids.map(pid).map_err(refused)
        })
        .map_err(Missing::from),
        Ids::One { .. } => Err(Missing {
            call: "map a range of ids without being root".to_owned(),
            errno: Errno::EPERM,
        }),
    }
}
