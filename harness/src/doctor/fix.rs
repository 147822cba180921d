//! From a refusal to the command that mends it.

use nix::errno::Errno;

use super::host::Machine;
use crate::Feature;
use crate::runner::error::user_namespace_remedy;

/// What to do where the kernel refused a step of making a sandbox.
pub(super) fn namespaces(call: &str, errno: Errno, machine: &Machine) -> String {
    let clone = call.starts_with("clone3");
    match errno {
        Errno::ENOSPC if clone => limit(call, &machine.scarce_namespaces),
        Errno::EUSERS => "start from further outside: user namespaces nest 32 deep".to_owned(),
        Errno::EAGAIN if clone => "ulimit -u unlimited".to_owned(),
        Errno::EMFILE | Errno::ENFILE => "ulimit -n 65536".to_owned(),
        Errno::ENOMEM => "free some memory".to_owned(),
        Errno::EPERM if call == "mount /proc" => {
            "nothing may be mounted over parts of /proc: start the container with `--privileged` or `--security-opt systempaths=unconfined`".to_owned()
        }
        Errno::EPERM | Errno::EACCES if clone && machine.chroot => {
            "leave the chroot, in which no user namespace is permitted, and run the tests from outside of it".to_owned()
        }
        Errno::EPERM | Errno::EACCES => user_namespace_remedy().1.to_owned(),
        Errno::ENOSYS | Errno::EINVAL => "boot a kernel of 5.12 or later, built with namespaces (CONFIG_NAMESPACES, CONFIG_USER_NS)".to_owned(),
        _ => "see the kernel's log: `sudo dmesg | tail`".to_owned(),
    }
}

/// Raises the limits that are low, or those of all kinds that were asked for.
fn limit(call: &str, scarce: &[&str]) -> String {
    let asked = |kind: &&&str| call.contains(&format!("CLONE_NEW{}", flag(kind)));
    let mut low: Vec<&str> = scarce.iter().filter(asked).copied().collect();
    if low.is_empty() {
        low = ["user", "net", "mnt", "pid", "uts", "ipc"]
            .into_iter()
            .filter(|kind| asked(&kind))
            .collect();
    }
    let settings: Vec<String> = low.into_iter().map(raise).collect();
    format!("sudo sysctl -w {}", settings.join(" "))
}

/// The setting that permits as many namespaces of this kind as tests may want.
pub(super) fn raise(kind: &str) -> String {
    format!("user.max_{kind}_namespaces=15000")
}

fn flag(kind: &str) -> String {
    match kind {
        "mnt" => "NS".to_owned(),
        kind => kind.to_uppercase(),
    }
}

/// What to do where a feature is not to be had in a sandbox that itself can be made.
pub(super) fn feature(feature: Feature, call: &str, errno: Errno, machine: &Machine) -> String {
    match (feature, errno) {
        (Feature::IdRange, _) if !machine.root => {
            "run the tests as root: `sudo -E env PATH=\"$PATH\" cargo test`".to_owned()
        }
        (Feature::Tun, Errno::EACCES | Errno::EPERM) if call.starts_with("open") => {
            "sudo chmod 0666 /dev/net/tun".to_owned()
        }
        (Feature::Tun, Errno::ENOENT) if machine.container.is_some() => {
            "start the container with `--device /dev/net/tun` (on its host: `sudo modprobe tun`)"
                .to_owned()
        }
        (
            _,
            Errno::EPERM
            | Errno::EACCES
            | Errno::ENOSPC
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::EAGAIN
            | Errno::ENOMEM,
        ) => namespaces(call, errno, machine),
        _ => module(feature, machine),
    }
}

fn module(feature: Feature, machine: &Machine) -> String {
    let (module, config) = module_of(feature);
    let release = &machine.release;
    if machine.has_module(module) {
        return format!("sudo modprobe {module}");
    }
    if machine.ubuntu && machine.container.is_none() {
        return format!(
            "sudo apt-get install linux-modules-extra-{release} && sudo modprobe {module}"
        );
    }
    let host = match machine.container {
        Some(_) => "on the container's host: ",
        None => "",
    };
    format!(
        "{host}`sudo modprobe {module}`; if there is none for {release}, boot a kernel with CONFIG_{config}"
    )
}

/// The kernel module that a feature is in, and its configuration symbol.
fn module_of(feature: Feature) -> (&'static str, &'static str) {
    match feature {
        Feature::Veth => ("veth", "VETH"),
        Feature::Bridge => ("bridge", "BRIDGE"),
        Feature::Macvlan => ("macvlan", "MACVLAN"),
        Feature::Vlan => ("8021q", "VLAN_8021Q"),
        Feature::Vxlan => ("vxlan", "VXLAN"),
        Feature::Dummy => ("dummy", "DUMMY"),
        Feature::Wireguard => ("wireguard", "WIREGUARD"),
        Feature::Tun => ("tun", "TUN"),
        Feature::Packet => ("af_packet", "PACKET"),
        Feature::Netem => ("sch_netem", "NET_SCH_NETEM"),
        Feature::Tbf => ("sch_tbf", "NET_SCH_TBF"),
        Feature::Htb => ("sch_htb", "NET_SCH_HTB"),
        Feature::NfTables => ("nf_tables", "NF_TABLES"),
        Feature::Nat => ("nft_chain_nat", "NFT_NAT and CONFIG_NFT_MASQ"),
        Feature::Overlayfs => ("overlay", "OVERLAY_FS"),
        Feature::IdRange => ("", "USER_NS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            release: "6.8.0-31-generic".to_owned(),
            ..Machine::default()
        }
    }

    #[test]
    fn a_limit_is_raised_where_it_is_low() {
        let call = "clone3 CLONE_NEWNET|CLONE_NEWNS|CLONE_NEWUSER";
        let mut low = machine();
        low.scarce_namespaces = vec!["net", "ipc"];
        assert_eq!(
            namespaces(call, Errno::ENOSPC, &low),
            "sudo sysctl -w user.max_net_namespaces=15000"
        );
        let unknown = namespaces(call, Errno::ENOSPC, &machine());
        for kind in ["user", "net", "mnt"] {
            assert!(unknown.contains(&raise(kind)), "{unknown}");
        }
        assert!(!unknown.contains("_pid_"), "{unknown}");
    }

    #[test]
    fn a_module_is_loaded_installed_or_named() {
        let fix = |machine: &Machine| {
            feature(Feature::Netem, "RTM_NEWQDISC netem", Errno::ENOENT, machine)
        };
        let mut there = machine();
        there.modules = "kernel/net/sched/sch_netem.ko.zst:\n".to_owned();
        assert_eq!(fix(&there), "sudo modprobe sch_netem");
        let mut ubuntu = machine();
        ubuntu.ubuntu = true;
        assert_eq!(
            fix(&ubuntu),
            "sudo apt-get install linux-modules-extra-6.8.0-31-generic && sudo modprobe sch_netem"
        );
        let named = fix(&machine());
        assert!(named.contains("CONFIG_NET_SCH_NETEM"), "{named}");
    }

    #[test]
    fn what_is_forbidden_is_not_mistaken_for_a_module_that_is_absent() {
        let mut chroot = machine();
        chroot.chroot = true;
        let fix = namespaces("clone3 CLONE_NEWUSER", Errno::EPERM, &chroot);
        assert!(fix.contains("leave the chroot"), "{fix}");
        let tun = feature(Feature::Tun, "open /dev/net/tun", Errno::EACCES, &machine());
        assert_eq!(tun, "sudo chmod 0666 /dev/net/tun");
        let proc = namespaces("mount /proc", Errno::EPERM, &machine());
        assert!(proc.contains("--privileged"), "{proc}");
    }
}
