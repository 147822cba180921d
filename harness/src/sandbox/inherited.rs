//! What a new network namespace inherits from the host, and how the baseline is put in its place.
//!
//! [`crate::model::baseline`] says with which settings the namespaces of a trial begin. To read all
//! of them in each new namespace would cost as much as half a node, so they are read once for a
//! run. Nearly every host has the kernel's defaults, or differs in a handful, and only what differs
//! is written.

use std::cell::LazyCell;
use std::fs;

use snowglobe_fixtures::command;

use crate::kernel::errno::Errno;
use crate::kernel::procfs::sysctls::{self, SysctlReader};
use crate::model::baseline::{self, BaselineSetting, Heritage};
use crate::sandbox::refused::{Refused, SetupStep};

/// Corrections to be written in a new network namespace: sysctls and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Corrections(Vec<Correction>);

/// Meaning of the host's settings for the trials of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostSettings {
    /// Corrections for new network namespaces, where that shows on the host.
    pub(crate) corrections: Option<Corrections>,
    /// Settings that trials and nodes cannot change, as `name = value`, if there is something.
    pub(crate) unchangeable_settings: Option<String>,
}

impl HostSettings {
    /// Reads the settings, on the host: a hundred files.
    pub(crate) fn read() -> Self {
        Self {
            corrections: Corrections::of_host(),
            unchangeable_settings: unchangeable_settings(),
        }
    }
}

/// A sysctl, by its path below `/proc/sys`, and the value that is to be written there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Correction {
    path: String,
    value: String,
}

/// A setting that shows through from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unchangeable {
    /// Name of the setting, as sysctl(8) knows it.
    pub(crate) name: String,
    /// Value that the host has.
    pub(crate) value: String,
    /// Value that the setting has by default.
    pub(crate) usual: String,
    /// Command that mends the setting.
    pub(crate) remedy: String,
}

/// Names and default values of settings that belong to the host as a whole and decide on what the
/// code in a namespace sees. Defaults are several where versions of Linux differ.
const HOST_ONLY: &[(&str, &[&str])] = &[
    // 4 MB since Linux 6.18 (include/net/sock.h, SK_RMEM_MAX).
    ("net/core/rmem_max", &["212992", "4194304"]),
    ("net/core/wmem_max", &["212992", "4194304"]),
    ("net/core/rmem_default", &["212992"]),
    ("net/core/wmem_default", &["212992"]),
    // A namespace has hash tables of its own where its maker's namespace says so, and the size of
    // the table limits the number of connections (net/ipv4/tcp_ipv4.c, tcp_set_hashinfo).
    ("net/ipv4/tcp_child_ehash_entries", &["0"]),
    ("net/ipv4/udp_child_hash_entries", &["0"]),
];

/// A sysctl that only the first network namespace has.
const ONLY_IN_THE_FIRST: &str = "net/core/devconf_inherit_init_net";

impl Corrections {
    /// Finds out what a new namespace of this host will need, where the calling process is in the
    /// first network namespace: new namespaces inherit from that one. In another one, as in a
    /// container, the first cannot be seen.
    pub(crate) fn of_host() -> Option<Self> {
        let mut reader = SysctlReader::default();
        let inherit = reader.read(ONLY_IN_THE_FIRST)?;
        let booted = LazyCell::new(booted_with_other_ipv6);
        let is_inherited = |setting: &BaselineSetting| match setting.heritage {
            // net/ipv4/devinet.c, devinet_init_net: 2 stands for the compiled values.
            Heritage::Ipv4Devices => inherit != "2",
            // net/ipv6/addrconf.c, addrconf_init_net.
            Heritage::Ipv6Devices => inherit == "1" || inherit == "3",
            Heritage::Boot => *booted,
            Heritage::Tcp => true,
        };
        // The first namespace may have other values by now than those that the boot has given it.
        let differs = |setting: &BaselineSetting, value: &str| {
            !setting.is(value) || setting.heritage == Heritage::Boot
        };
        Some(Self::compared(&mut reader, is_inherited, differs))
    }

    /// Finds out what a new namespace needs, in a new one to which nobody has changed anything.
    pub(crate) fn of_new_namespace() -> Self {
        let mut reader = SysctlReader::default();
        Self::compared(&mut reader, |_| true, |setting, value| !setting.is(value))
    }

    /// Returns what is written where, to be sent to another process.
    pub(crate) fn to_writes(&self) -> Vec<(String, String)> {
        let writes = self.0.iter();
        writes
            .map(|Correction { path, value }| (path.clone(), value.clone()))
            .collect()
    }

    /// Returns the corrections that another process has sent.
    pub(crate) fn from_writes(writes: Vec<(String, String)>) -> Self {
        let writes = writes.into_iter();
        Self(
            writes
                .map(|(path, value)| Correction { path, value })
                .collect(),
        )
    }

    fn compared(
        reader: &mut SysctlReader,
        is_inherited: impl Fn(&BaselineSetting) -> bool,
        differs: impl Fn(&BaselineSetting, &str) -> bool,
    ) -> Self {
        let is_to_be_written = |setting: &BaselineSetting| {
            let cannot =
                setting.is_congestion_control() && !is_permitted(reader, &setting.sysctl.value);
            // An older kernel lacks some of the files, and has nothing to inherit there.
            let value = (!cannot)
                .then(|| reader.read(&setting.sysctl.path))
                .flatten();
            value.is_some_and(|value| differs(setting, &value))
        };
        let writes = baseline::settings()
            .filter(is_inherited)
            .filter(is_to_be_written)
            .flat_map(|setting| {
                let of_lo = setting.path_of_lo();
                let paths = [Some(setting.sysctl.path), of_lo].into_iter().flatten();
                paths.map(move |path| (path, setting.sysctl.value.clone()))
            });
        Self(
            writes
                .map(|(path, value)| Correction { path, value })
                .collect(),
        )
    }

    /// Puts the baseline in the place of what the calling process' network namespace has inherited.
    /// The namespace is new, and `lo` is down.
    ///
    /// # Errors
    /// The kernel refuses a value.
    pub(crate) fn write(&self) -> Result<(), Refused> {
        for Correction { path, value } in &self.0 {
            match sysctls::write(path, value) {
                // What was not read in this namespace may be missing in it.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(refused(path, value, errno)),
            }
        }
        Ok(())
    }
}

/// Returns what trials and nodes have from the host and cannot change.
pub(crate) fn unchangeable() -> Vec<Unchangeable> {
    let mut reader = SysctlReader::default();
    let congestion_control = baseline::settings()
        .find(BaselineSetting::is_congestion_control)
        .and_then(|setting| {
            let value = reader.read(&setting.sysctl.path)?;
            let differs = !setting.is(&value) && !is_permitted(&mut reader, &setting.sysctl.value);
            differs.then(|| congestion_control(&mut reader, value))
        });
    congestion_control
        .into_iter()
        .chain(host_only(&mut reader))
        .collect()
}

fn unchangeable_settings() -> Option<String> {
    let settings = unchangeable();
    let shown: Vec<String> = settings
        .iter()
        .map(|setting| format!("{} = {}", setting.name, setting.value))
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// Returns the sentence on settings of the host that trials cannot change.
///
/// The sentence is made where it is printed, and not at each start: it names the command of this
/// workspace, which is looked for in files.
pub(crate) fn sentence_on_host(settings: &str) -> String {
    format!(
        "trials and nodes have settings of this host that they cannot change: {settings} ({} names the usual values)",
        command::quoted("doctor")
    )
}

fn refused(path: &str, value: &str, errno: Errno) -> Refused {
    Refused {
        step: SetupStep::SetSysctl(path.to_owned(), value.to_owned()),
        errno,
    }
}

/// Returns whether the boot's parameters of IPv6 are other than usual
/// (Documentation/networking/ipv6.rst).
fn booted_with_other_ipv6() -> bool {
    let is = |name: &str, usual: &str| {
        let value = fs::read_to_string(format!("/sys/module/ipv6/parameters/{name}"));
        value.is_ok_and(|value| value.trim() != usual)
    };
    is("disable_ipv6", "0") || is("autoconf", "1")
}

/// Returns whether a namespace may choose this congestion control: one that the host permits to
/// everybody (net/ipv4/tcp_cong.c, tcp_set_default_congestion_control).
fn is_permitted(reader: &mut SysctlReader, algorithm: &str) -> bool {
    reader
        .read("net/ipv4/tcp_allowed_congestion_control")
        .is_some_and(|allowed| allowed.split(' ').any(|word| word == algorithm))
}

fn congestion_control(reader: &mut SysctlReader, value: String) -> Unchangeable {
    let allowed = reader
        .read("net/ipv4/tcp_allowed_congestion_control")
        .unwrap_or_default();
    Unchangeable {
        name: "net.ipv4.tcp_congestion_control".to_owned(),
        value,
        usual: "cubic".to_owned(),
        remedy: format!(
            "sudo sysctl -w net.ipv4.tcp_allowed_congestion_control=\"{allowed} cubic\""
        ),
    }
}

fn host_only(reader: &mut SysctlReader) -> impl Iterator<Item = Unchangeable> {
    HOST_ONLY.iter().filter_map(|(path, usual)| {
        let value = reader
            .read(path)
            .filter(|value| !usual.contains(&value.as_str()))?;
        let name = path.replace('/', ".");
        Some(Unchangeable {
            remedy: format!("sudo sysctl -w {name}={}", usual[0]),
            usual: usual[0].to_owned(),
            name,
            value,
        })
    })
}
