//! What the kernel can do here, found out by doing it in a throw-away sandbox.

use std::fmt;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::kernel::attempt::{self, Refusal};
use crate::kernel::clone::{Cloned, clone_into, single_threaded};
use crate::kernel::fd::Channel;
use crate::kernel::idmap::IdMap;
use crate::kernel::{mount, net, process};

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
    /// Packet filtering and address translation by nftables.
    NfTables,
    /// Overlay filesystems in a user namespace.
    Overlayfs,
    /// More than one user id in a sandbox.
    IdRange,
}

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

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.errno)
    }
}

impl std::error::Error for Missing {}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 15] = [
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
        Feature::Overlayfs,
        Feature::IdRange,
    ];

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
        in_a_sandbox(|| self.attempt()).map_err(|(call, errno)| Missing { call, errno })
    }

    fn attempt(self) -> Result<(), Refusal> {
        match self {
            Feature::Veth => attempt::link("veth", false),
            Feature::Bridge => attempt::link("bridge", false),
            Feature::Macvlan => attempt::link("macvlan", true),
            Feature::Vlan => attempt::link("vlan", true),
            Feature::Vxlan => attempt::link("vxlan", false),
            Feature::Dummy => attempt::link("dummy", false),
            Feature::Wireguard => attempt::link("wireguard", false),
            Feature::Tun => attempt::tap(),
            Feature::Packet => attempt::packet_socket(),
            Feature::Netem => attempt::qdisc("netem"),
            Feature::Tbf => attempt::qdisc("tbf"),
            Feature::Htb => attempt::qdisc("htb"),
            Feature::NfTables => attempt::nft_table(),
            Feature::Overlayfs => attempt::overlay(),
            Feature::IdRange => Ok(()),
        }
    }
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
            Feature::Overlayfs => "overlayfs",
            Feature::IdRange => "id_range",
        })
    }
}

fn id_range() -> Result<(), Missing> {
    use crate::sandbox::outer::Ids;
    match Ids::available() {
        Ids::Range(_) => Ok(()),
        Ids::One { .. } => Err(Missing {
            call: "map a range of ids without being root".to_owned(),
            errno: Errno::EPERM,
        }),
    }
}

/// Runs `attempt` as root of fresh namespaces, in a process that ends then.
fn in_a_sandbox(attempt: impl FnOnce() -> Result<(), Refusal>) -> Result<(), Refusal> {
    let step = |what: &str| {
        let what = what.to_owned();
        move |errno| (what, errno)
    };
    if !single_threaded() {
        return Err(("probe while other threads run".to_owned(), Errno::EINVAL));
    }
    let (ours, theirs) = Channel::pair().map_err(step("make a channel"))?;
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    let (uid, gid) = (
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    );
    match clone_into(flags) {
        Err(error) => Err((
            "clone3 a user namespace".to_owned(),
            Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        )),
        Ok(Cloned::Child) => {
            let map = |outside| IdMap { outside, count: 1 };
            let outcome = map(uid)
                .write(map(gid), std::path::Path::new("/proc/self"), true)
                .map_err(|e| ("map the ids".to_owned(), crate::sandbox::outer::errno(&e)))
                .and_then(|()| net::loopback_up().map_err(step("bring up lo")))
                .and_then(|()| mount::make_private().map_err(step("make the mounts private")))
                .and_then(|()| attempt());
            let answer = match outcome {
                Ok(()) => "0\0".to_owned(),
                Err((call, errno)) => format!("{}\0{call}", errno as i32),
            };
            let _ = theirs.send(answer.as_bytes());
            process::exit_now(0)
        }
        Ok(Cloned::Parent { pid, .. }) => {
            drop(theirs);
            let mut buffer = [0; 512];
            let answer = ours
                .receive(&mut buffer)
                .map_err(step("hear from the probe"))?;
            let answer = String::from_utf8_lossy(answer).into_owned();
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
            match answer.split_once('\0') {
                Some(("0", _)) => Ok(()),
                Some((errno, call)) => {
                    Err((call.to_owned(), Errno::from_raw(errno.parse().unwrap_or(0))))
                }
                None => Err(("hear from the probe".to_owned(), Errno::EPIPE)),
            }
        }
    }
}
