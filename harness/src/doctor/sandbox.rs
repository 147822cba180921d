//! Namespaces and features, each tried in a sandbox that is thrown away.

use crate::kernel::errno::Errno;
use crate::kernel::namespace::CloneFlags;

use super::finding::{Evidence, Finding, State};
use super::fix;
use super::host::Machine;
use crate::Feature;
use crate::kernel::mount;
use crate::kernel::probe;
use crate::kernel::procfs::sysctls;
use crate::probe::{NETWORK, throwaway};
use crate::remedy::apparmor_restricts;
use crate::sandbox::refused::{Doing, Refused, SetupStep};

/// Something that no trial can do without.
struct Essential {
    /// Name of the finding.
    name: &'static str,
    /// Namespaces in which the operation is tried.
    kinds: CloneFlags,
    /// The operation in words, as evidence that it was done.
    call: &'static str,
    /// A privileged operation in these namespaces.
    attempt: fn() -> Result<(), Refused>,
}

/// Tries what no trial can do without: namespaces of each kind, and a privileged operation in each,
/// for there are systems that grant the namespace and then no privileges.
pub(super) fn essentials(machine: &Machine) -> Vec<Finding> {
    use CloneFlags as Flags;
    let mounts = Flags::CLONE_NEWNS;
    let essential = |name, kinds, call, attempt| Essential {
        name,
        kinds,
        call,
        attempt,
    };
    [
        // Mapping the ids and bringing up lo belong to the making of any throw-away sandbox.
        essential("user_namespace", Flags::empty(), "map the ids", || Ok(())),
        essential(
            "network_namespace",
            Flags::CLONE_NEWNET,
            "bring up lo",
            || Ok(()),
        ),
        essential("mount_namespace", mounts, "mount /tmp", || {
            Ok(probe::tmpfs()?)
        }),
        essential(
            "fresh_proc",
            mounts | Flags::CLONE_NEWPID,
            "mount /proc",
            || mount::fresh_at(c"proc", c"/proc", None).doing(SetupStep::mount("/proc")),
        ),
        essential("uts_namespace", Flags::CLONE_NEWUTS, "sethostname", || {
            Ok(probe::hostname()?)
        }),
        essential(
            "ipc_namespace",
            mounts | Flags::CLONE_NEWIPC,
            "mount a mqueue",
            || Ok(probe::mqueue()?),
        ),
    ]
    .into_iter()
    .map(|essential| essential.examine(machine).essential())
    .collect()
}

impl Essential {
    fn examine(&self, machine: &Machine) -> Finding {
        match throwaway::within(self.kinds, self.attempt) {
            Ok(()) => Finding::ok(self.name, Evidence::done(self.call)),
            Err(refused) => Finding::missing(self.name, Evidence::refused(&refused))
                .lost("all: no trial can run without it")
                .fix(fix::sandbox(&refused, machine)),
        }
    }
}

/// Returns the first essential finding that the kernel's refusal of a call is the ground of.
pub(super) fn first_refusal(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| {
        finding.essential
            && finding.state == State::Missing
            && matches!(finding.evidence, Evidence::Call { .. })
    })
}

/// Judges the settings that keep ordinary users from namespaces, by what came of trying.
pub(super) fn policies(machine: &Machine, essentials: &[Finding]) -> Vec<Finding> {
    let refused = essentials.iter().find(|finding| {
        matches!(&finding.evidence, Evidence::Call { errno, .. }
            if [Errno::EPERM as i32, Errno::EACCES as i32].contains(errno))
    });
    let clone = sysctls::read("kernel/unprivileged_userns_clone").unwrap_or_default();
    vec![
        userns_clone(&clone, machine.root),
        apparmor(apparmor_restricts(), refused),
    ]
}

fn userns_clone(value: &str, root: bool) -> Finding {
    let name = "kernel.unprivileged_userns_clone";
    match value {
        "0" if !root => Finding::missing(name, Evidence::read(name, "0"))
            .essential()
            .lost("all: ordinary users may make no user namespaces")
            .fix("sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        "" => Finding::ok(name, Evidence::read(name, "not there")).essential(),
        value => Finding::ok(name, Evidence::read(name, value)).essential(),
    }
}

fn apparmor(restricts: bool, refused: Option<&Finding>) -> Finding {
    let name = "apparmor";
    let setting = "kernel.apparmor_restrict_unprivileged_userns";
    match (restricts, refused) {
        (true, Some(refused)) => Finding::missing(name, refused.evidence.clone())
            .lost("all: user namespaces of ordinary users have no privileges")
            .fix(format!("sudo sysctl -w {setting}=0")),
        (true, None) => Finding::ok(
            name,
            Evidence::read(setting, "restricts, but not this process"),
        ),
        (false, _) => Finding::ok(name, Evidence::read(setting, "does not restrict")),
    }
    .essential()
}

/// Tries each feature. If no sandbox can be made, for the reason in `without`, none can be tried.
pub(super) fn features(machine: &Machine, without: Option<&Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Feature::ALL
        .into_iter()
        .map(|feature| match without {
            Some(refusal) => untried(feature.to_string(), lost(feature), refusal),
            None => tried(feature, machine),
        })
        .collect();
    findings.push(low_ports(machine, without));
    findings
}

/// Returns the finding on something that cannot be tried, for no sandbox can be made. Its ground is
/// the refusal of the sandbox.
pub(super) fn untried(name: impl Into<String>, lost: &str, refusal: &Finding) -> Finding {
    Finding {
        fix: refusal.fix.clone(),
        ..Finding::missing(name, refusal.evidence.clone()).lost(lost)
    }
}

fn tried(feature: Feature, machine: &Machine) -> Finding {
    let name = feature.to_string();
    match feature.probe() {
        Ok(()) => Finding::ok(name, Evidence::done(feature.tried())),
        Err(missing) => {
            let refused = missing.refused();
            Finding::missing(name, Evidence::refused(refused))
                .lost(lost(feature))
                .fix(fix::feature(feature, refused, machine))
        }
    }
}

fn low_ports(machine: &Machine, without: Option<&Finding>) -> Finding {
    let (name, lost) = ("low_ports", "servers on ports below 1024");
    if let Some(refusal) = without {
        return untried(name, lost, refusal);
    }
    match throwaway::within(NETWORK, probe::low_port) {
        Ok(()) => Finding::ok(name, Evidence::done("bind 127.0.0.1:80")),
        Err(refused) => Finding::missing(name, Evidence::refused(&refused))
            .lost(lost)
            .fix(fix::sandbox(&refused, machine)),
    }
}

/// Returns what trials cannot have without a feature.
fn lost(feature: Feature) -> &'static str {
    match feature {
        Feature::Veth => "links between nodes: labs of more than one node",
        Feature::Bridge => "switches: labs of more than two nodes on a segment",
        Feature::Macvlan => "trials that require macvlan interfaces",
        Feature::Vlan => "trials that require VLANs",
        Feature::Vxlan => "trials that require VXLANs",
        Feature::Dummy => "trials that require dummy interfaces",
        Feature::Wireguard => "trials of WireGuard in the kernel",
        Feature::Tun => "TUN and TAP interfaces: trials of VPNs",
        Feature::Packet => "captures, and impairments without netem",
        Feature::Netem => "delay, loss, reordering and corruption by the kernel",
        Feature::Tbf => "rates and queue limits by the kernel (tbf)",
        Feature::Htb => "trials that require the hierarchical token bucket",
        Feature::NfTables => "firewalls and partitions by nftables",
        Feature::Nat => "routers that translate addresses",
        Feature::Overlayfs => "root filesystems of nodes that are written to without being copied",
        Feature::IdRange => "daemons that change their user: a trial has one id, root's",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Finding {
        let refused = Refused {
            step: "bring up lo".into(),
            errno: Errno::EPERM,
        };
        Finding::missing("network_namespace", Evidence::refused(&refused))
            .essential()
            .fix("f")
    }

    #[test]
    fn apparmor_is_to_blame_only_where_something_was_refused() {
        let guilty = apparmor(true, Some(&refused()));
        assert_eq!(guilty.exit_code(), 2);
        assert_eq!(guilty.evidence, refused().evidence);
        assert!(
            guilty
                .fix
                .unwrap()
                .contains("apparmor_restrict_unprivileged_userns=0")
        );
        assert_eq!(
            apparmor(true, None).state,
            State::Ok,
            "a profile of its own, or root"
        );
        assert_eq!(apparmor(false, Some(&refused())).state, State::Ok);
    }

    #[test]
    fn a_switch_for_ordinary_users_does_not_bind_root() {
        assert_eq!(userns_clone("0", false).exit_code(), 2);
        assert_eq!(userns_clone("0", true).state, State::Ok);
        assert_eq!(userns_clone("1", false).state, State::Ok);
        assert_eq!(userns_clone("", false).state, State::Ok);
    }

    #[test]
    fn what_cannot_be_tried_has_the_cause_of_that() {
        let veth = untried("veth", "links", &refused());
        assert_eq!(veth.evidence, refused().evidence);
        assert_eq!(veth.fix.as_deref(), Some("f"));
        assert_eq!(veth.exit_code(), 1);
    }
}
