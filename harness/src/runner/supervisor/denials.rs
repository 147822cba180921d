//! What a trial lacks, and what to do about it, where a program was told no more than an errno.

use crate::sandbox::protocol::trial::{Denial, DeniedThing};

/// Number of ids that a trial has at most, where root or `newuidmap` maps them.
const MOST_IDS: u32 = 65_536;

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
        DeniedThing::Owner(uid) => format!("give a file to uid {uid}"),
        DeniedThing::OwnerGroup(gid) => format!("give a file to gid {gid}"),
    };
    let (id, instead) = match wanted {
        DeniedThing::User(id) | DeniedThing::Group(id) => (
            *id,
            format!("; or start the program as that user: `node.command(…).user({id}, {id})`"),
        ),
        DeniedThing::Owner(id) | DeniedThing::OwnerGroup(id) => (
            *id,
            "; or run the test as an ordinary user, to whom this is not permitted: #[snowglobe::test(user = \"nobody\")]".to_owned(),
        ),
        DeniedThing::UserNamespace | DeniedThing::Groups => (0, String::new()),
    };
    if id >= MOST_IDS {
        return format!(
            "`{program}` (process {pid}) wanted to {wants}, and a trial has no ids beyond {}{instead}",
            MOST_IDS - 1
        );
    }
    format!(
        "`{program}` (process {pid}) wanted to {wants}, and this trial has too few ids for that: give the user who runs the tests a range of ids in /etc/subuid and /etc/subgid (`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"`) and install `newuidmap` (Debian's package uidmap, Fedora's shadow-utils){instead}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_no_trial_knows_is_named_with_the_ids_that_there_are() {
        let text = explain(&Denial {
            pid: 7,
            program: "tar".into(),
            wanted: DeniedThing::Owner(100_000),
        });
        for part in [
            "`tar`",
            "give a file to uid 100000",
            "beyond 65535",
            "user =",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("subuid"), "{text}");
    }

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
