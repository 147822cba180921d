//! What a trial lacks, and what to do about it, where a program was told no more than an errno.

use crate::sandbox::protocol::trial::{Denial, DeniedThing};

/// Number of ids that a trial has at most, where root or `newuidmap` maps them.
const MOST_IDS: u32 = 65_536;

/// Kind of the world in which a process was denied something, which decides about the remedy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeniedIn {
    /// The sandbox of a test.
    Trial,
    /// The sandbox of a program that `snowglobe exec` has started.
    Exec,
}

impl DeniedIn {
    fn nested(self) -> &'static str {
        match self {
            Self::Trial => {
                "which a trial may make with the option `nested`: #[snowglobe::test(nested)]"
            }
            Self::Exec => "which a program may make with `snowglobe exec --nested`",
        }
    }

    fn as_user(self, id: u32) -> String {
        match self {
            Self::Trial => {
                format!("start the program as that user: `node.command(…).user({id}, {id})`")
            }
            Self::Exec => format!("start it as that user: `snowglobe exec --user {id}`"),
        }
    }

    fn without_rights(self) -> &'static str {
        match self {
            Self::Trial => {
                "run the test as an ordinary user, to whom this is not permitted: #[snowglobe::test(user = \"nobody\")]"
            }
            Self::Exec => {
                "run the program as an ordinary user, to whom this is not permitted: `snowglobe exec --user nobody`"
            }
        }
    }
}

/// Returns what a process was denied and the remedy, as one sentence.
pub(crate) fn explain(denial: &Denial, place: DeniedIn) -> String {
    let Denial {
        pid,
        program,
        wanted,
    } = denial;
    let wants = match wanted {
        DeniedThing::UserNamespace => {
            return format!(
                "`{program}` (process {pid}) was refused a user namespace, {}",
                place.nested()
            );
        }
        DeniedThing::User(uid) => format!("become uid {uid}"),
        DeniedThing::Group(gid) => format!("become gid {gid}"),
        DeniedThing::Groups => "change its groups".to_owned(),
        DeniedThing::Owner(uid) => format!("give a file to uid {uid}"),
        DeniedThing::OwnerGroup(gid) => format!("give a file to gid {gid}"),
    };
    let (id, instead) = match wanted {
        DeniedThing::User(id) | DeniedThing::Group(id) => {
            (*id, format!("; or {}", place.as_user(*id)))
        }
        DeniedThing::Owner(id) | DeniedThing::OwnerGroup(id) => {
            (*id, format!("; or {}", place.without_rights()))
        }
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
        let denial = Denial {
            pid: 7,
            program: "tar".into(),
            wanted: DeniedThing::Owner(100_000),
        };
        for (place, remedy) in [
            (DeniedIn::Trial, "user ="),
            (DeniedIn::Exec, "--user nobody"),
        ] {
            let text = explain(&denial, place);
            for part in ["`tar`", "give a file to uid 100000", "beyond 65535", remedy] {
                assert!(text.contains(part), "{text}");
            }
            assert!(!text.contains("subuid"), "{text}");
        }
    }

    #[test]
    fn a_denial_names_the_id_the_files_and_the_package() {
        let denial = Denial {
            pid: 7,
            program: "nginx".into(),
            wanted: DeniedThing::User(33),
        };
        let text = explain(&denial, DeniedIn::Trial);
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
