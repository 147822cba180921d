//! What a trial lacks, and what to do about it, where a program was told no more than an errno.

use snowglobe_fixtures::command;

use crate::sandbox::protocol::trial::{Denial, DeniedThing};
use crate::sandbox::subordinate::IdShortage;

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
    sentence(denial, place, IdShortage::of_this_user)
}

/// Returns the sentence on a denial; `shortage` finds out why there is no such id.
fn sentence(denial: &Denial, place: DeniedIn, shortage: impl Fn(u32) -> IdShortage) -> String {
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
        "`{program}` (process {pid}) wanted to {wants}, and this trial has too few ids for that: {}{instead}",
        remedy(shortage(id))
    )
}

/// Returns what gives trials of an ordinary user more ids.
fn remedy(shortage: IdShortage) -> String {
    const GIVE: &str = "give the user who runs the tests a range of ids in /etc/subuid and /etc/subgid (`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"`)";
    const INSTALL: &str =
        "install `newuidmap` and `newgidmap` (Debian's package uidmap, Fedora's shadow-utils)";
    match shortage {
        IdShortage::RootOfAContainer => {
            "root lacks the capabilities to map more: start the container with `--privileged`, or run the tests as an ordinary user with ranges in /etc/subuid and /etc/subgid".to_owned()
        }
        IdShortage::NoRange { can_be_mapped: true } => GIVE.to_owned(),
        IdShortage::NoRange { can_be_mapped: false } => format!("{GIVE} and {INSTALL}"),
        IdShortage::NoProgram => {
            format!("{INSTALL}, which map the ranges that the user has in /etc/subuid and /etc/subgid")
        }
        IdShortage::SmallRange(count) => {
            format!("with those of /etc/subuid and /etc/subgid there are {count} ids; {GIVE}")
        }
        IdShortage::NotMapped => {
            format!(
                "`newuidmap` or `newgidmap` has not mapped the ranges of /etc/subuid and /etc/subgid; to find out why, {}",
                command::run("doctor")
            )
        }
    }
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
            let text = sentence(&denial, place, |_| IdShortage::NotMapped);
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
        for (shortage, has_usermod, has_package) in [
            (
                IdShortage::NoRange {
                    can_be_mapped: false,
                },
                true,
                true,
            ),
            (
                IdShortage::NoRange {
                    can_be_mapped: true,
                },
                true,
                false,
            ),
            (IdShortage::NoProgram, false, true),
            (IdShortage::SmallRange(17), true, false),
            (IdShortage::NotMapped, false, false),
            (IdShortage::RootOfAContainer, false, false),
        ] {
            let text = sentence(&denial, DeniedIn::Trial, |_| shortage);
            for part in ["`nginx`", "uid 33", "/etc/subuid", ".user(33, 33)"] {
                assert!(text.contains(part), "{text}");
            }
            assert_eq!(text.contains("usermod"), has_usermod, "{text}");
            assert_eq!(text.contains("package uidmap"), has_package, "{text}");
        }
    }
}
