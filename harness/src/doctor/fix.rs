//! From a feature that is missing to the command that mends it.
//!
//! What the kernel refuses to everybody who asks for a sandbox is [`crate::remedy`]'s. Here is what
//! is a feature's own: a module, a device, a range of ids.

use crate::kernel::errno::Errno;

use super::host::Machine;
use crate::Feature;
use crate::remedy::Remedy;
use crate::sandbox::refused::Refused;

/// Returns what to do where the kernel refused a step of making a sandbox.
pub(super) fn sandbox(refused: &Refused, machine: &Machine) -> String {
    let remedy = if machine.chroot {
        Remedy::of_chroot(refused)
    } else {
        Remedy::of(refused)
    };
    remedy.fix(&machine.scarce_namespaces)
}

/// Returns what to do where a feature is not to be had in a sandbox that itself can be made.
pub(super) fn feature(feature: Feature, refused: &Refused, machine: &Machine) -> String {
    match (feature, refused.errno) {
        (Feature::IdRange, _) if !machine.root => {
            "run the tests as root: `sudo -E env PATH=\"$PATH\" cargo test`".to_owned()
        }
        // EACCES is about the mode of a file (open(2)); a missing privilege is EPERM.
        (Feature::Tun, Errno::EACCES) => "sudo chmod 0666 /dev/net/tun".to_owned(),
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
        ) => sandbox(refused, machine),
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

/// Returns the kernel module that has a feature, and the module's configuration symbol.
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
    use crate::kernel::namespace::CloneFlags;

    use super::*;
    use crate::sandbox::refused::{NewProcess, SetupStep};

    fn refused(step: impl Into<SetupStep>, errno: Errno) -> Refused {
        let step = step.into();
        Refused { step, errno }
    }

    fn machine() -> Machine {
        Machine {
            release: "6.8.0-31-generic".to_owned(),
            ..Machine::default()
        }
    }

    #[test]
    fn a_module_is_loaded_installed_or_named() {
        let fix = |machine: &Machine| {
            feature(
                Feature::Netem,
                &refused("RTM_NEWQDISC netem", Errno::ENOENT),
                machine,
            )
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
        let users = SetupStep::Clone(NewProcess::Probe, CloneFlags::CLONE_NEWUSER);
        let fix = sandbox(&refused(users, Errno::EPERM), &chroot);
        assert!(fix.contains("leave the chroot"), "{fix}");
        let open = refused("open /dev/net/tun", Errno::EACCES);
        let tun = feature(Feature::Tun, &open, &machine());
        assert_eq!(tun, "sudo chmod 0666 /dev/net/tun");
        let proc = sandbox(
            &refused(SetupStep::mount("/proc"), Errno::EPERM),
            &machine(),
        );
        assert!(proc.contains("--privileged"), "{proc}");
    }
}
