//! What a trial lacks, and what to do about it, where a program was told no more than an errno.

use crate::sandbox::protocol::trial::{Denial, DeniedThing};

/// Returns what a process was denied and the remedy, as one sentence.
pub(crate) fn explain(denial: &Denial) -> String {
    let Denial {
        pid,
        program,
        wanted,
    } = denial;
    let wants = match wanted {
        DeniedThing::UserNamespace => {
            return format!(
                "`{program}` (process {pid}) was refused a user namespace, which a trial may make with the option `nested`: #[snowglobe::test(nested)]"
            );
        }
        DeniedThing::User(uid) => format!("become uid {uid}"),
        DeniedThing::Group(gid) => format!("become gid {gid}"),
        DeniedThing::Groups => "change its groups".to_owned(),
    };
    let to_start = match wanted {
        DeniedThing::User(id) | DeniedThing::Group(id) => {
            format!("; or start the program as that user: `node.command(…).user({id}, {id})`")
        }
        DeniedThing::UserNamespace | DeniedThing::Groups => String::new(),
    };
    format!(
        "`{program}` (process {pid}) wanted to {wants}, and this trial has too few ids for that: give the user who runs the tests a range of ids in /etc/subuid and /etc/subgid (`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"`) and install `newuidmap` (Debian's package uidmap, Fedora's shadow-utils){to_start}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_the_id_the_files_and_the_package() {
        let text = explain(&Denial {
            pid: 7,
            program: "nginx".into(),
            wanted: DeniedThing::User(33),
        });
        for part in [
            "`nginx`",
            "uid 33",
            "/etc/subuid",
            "uidmap",
            ".user(33, 33)",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
