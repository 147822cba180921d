//! What is tried in sandboxes that are thrown away.

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::host::{Machine, read};
use super::{Evidence, Finding, State, fix};
use crate::Feature;
use crate::kernel::probe;
use crate::kernel::probe::Refusal;
use crate::probe::{NETWORK, throwaway};
use crate::runner::error::apparmor_restricts;

/// A name, the namespaces, the operation in words, and itself.
type Case = (
    &'static str,
    CloneFlags,
    &'static str,
    fn() -> Result<(), Refusal>,
);

/// What no trial can do without: namespaces of each kind, and a privileged operation in each, for
/// there are systems that grant the namespace and then no privileges.
pub(super) fn essentials(machine: &Machine) -> Vec<Finding> {
    use CloneFlags as Flags;
    let mounts = Flags::CLONE_NEWNS;
    let cases: [Case; 6] = [
        ("user_namespace", Flags::empty(), "map the ids", || Ok(())),
        (
            "network_namespace",
            Flags::CLONE_NEWNET,
            "bring up lo",
            || Ok(()),
        ),
        ("mount_namespace", mounts, "mount /tmp", probe::tmpfs),
        (
            "fresh_proc",
            mounts | Flags::CLONE_NEWPID,
            "mount /proc",
            probe::proc,
        ),
        (
            "uts_namespace",
            Flags::CLONE_NEWUTS,
            "sethostname",
            probe::hostname,
        ),
        (
            "ipc_namespace",
            mounts | Flags::CLONE_NEWIPC,
            "mount a mqueue",
            probe::mqueue,
        ),
    ];
    let try_one = |(name, kinds, call, attempt): Case| {
        let outcome = throwaway::within(kinds, attempt);
        essential(name, call, outcome, machine).essential()
    };
    cases.into_iter().map(try_one).collect()
}

fn essential(name: &str, call: &str, outcome: Result<(), Refusal>, machine: &Machine) -> Finding {
    match outcome {
        Ok(()) => Finding::ok(name, Evidence::done(call)),
        Err((call, errno)) => {
            let fix = fix::namespaces(&call, errno, machine);
            Finding::missing(name, Evidence::refused(call, errno))
                .lost("all: no trial can run without it")
                .fix(fix)
        }
    }
}

/// The first of them that something was refused to.
pub(super) fn first_refusal(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| {
        finding.essential
            && finding.state == State::Missing
            && matches!(finding.evidence, Evidence::Call { .. })
    })
}

/// The settings that keep ordinary users from namespaces, judged by what came of trying.
pub(super) fn policies(machine: &Machine, essentials: &[Finding]) -> Vec<Finding> {
    let refused = essentials.iter().find(|finding| {
        matches!(&finding.evidence, Evidence::Call { errno, .. }
            if [Errno::EPERM as i32, Errno::EACCES as i32].contains(errno))
    });
    let clone = read("/proc/sys/kernel/unprivileged_userns_clone");
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

/// What not every kernel can do, each tried; with `without` a sandbox, none can be.
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

/// What nothing can be said of, for no sandbox can be made; the cause is the cause of that.
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
            let errno = Errno::from_raw(missing.errno());
            let fix = fix::feature(feature, missing.call(), errno, machine);
            Finding::missing(name, Evidence::refused(missing.call(), errno))
                .lost(lost(feature))
                .fix(fix)
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
        Err((call, errno)) => {
            let fix = fix::namespaces(&call, errno, machine);
            Finding::missing(name, Evidence::refused(call, errno))
                .lost(lost)
                .fix(fix)
        }
    }
}

/// What trials cannot have without it.
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
        let call = Evidence::refused("bring up lo", Errno::EPERM);
        Finding::missing("network_namespace", call)
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
