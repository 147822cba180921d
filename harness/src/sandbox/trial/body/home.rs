//! A home directory of the trial's own.
//!
//! Programs read settings from the home directory and write caches and histories there. In a trial
//! that is the host's, read-only: what a program does may depend on whose home it is, and a program
//! that writes there fails. A body that is another user than root always has a home of its own: the
//! home of whoever runs the tests belongs to another user, and the user database often names a
//! directory that is not there, such as `/nonexistent` for `nobody`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::conclude;
use crate::Isolation;
use crate::kernel::process::user::{Uid, name_of};
use crate::kernel::process::{remove_env, set_env};

/// Variables that name directories which lie in the home directory by default (XDG Base Directory
/// Specification).
const IN_HOME: [&str; 4] = [
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// The home directory of the trial's own, if the trial has one.
static PRIVATE: OnceLock<PathBuf> = OnceLock::new();

/// Returns the home directory of the trial's own, if the trial has one.
pub(crate) fn private() -> Option<&'static Path> {
    PRIVATE.get().map(PathBuf::as_path)
}

/// Makes an empty directory and has `HOME` name it. `index` tells trials apart that share `/run`.
pub(super) fn make_private(isolation: Isolation, index: u32) {
    let home = if isolation.contains(Isolation::MNT) {
        "/run/home".to_owned()
    } else {
        format!("/run/home-{index}")
    };
    match fs::create_dir(&home) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            conclude::give_up(format!("cannot make the home directory {home}: {error}"))
        }
        _ => {}
    }
    // This comes before HOME changes, by whose old value the directories are found.
    keep_what_lies_in_home();
    for name in IN_HOME {
        remove_env(name);
    }
    PRIVATE.get_or_init(|| PathBuf::from(&home));
    set_env("HOME", home);
}

/// Sets the variables `USER` and `LOGNAME` to the name of this user, as su(1) does, or removes the
/// variables if the user database has no name for the user.
pub(super) fn name_owner(uid: u32) {
    for variable in ["USER", "LOGNAME"] {
        match name_of(Uid::from_raw(uid)) {
            Some(name) => set_env(variable, name),
            None => remove_env(variable),
        }
    }
}

/// Sets the variables that name the store of fixtures and the directories of cargo and rustup. By
/// default, these lie in the home directory of whoever runs the tests.
fn keep_what_lies_in_home() {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = absolute("HOME");
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
    if let Some(cache) = cache {
        set_env(snowglobe_fixtures::CACHE_VARIABLE, cache);
    }
    for (variable, name) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let usual = home.as_ref().map(|home| home.join(name));
        if std::env::var_os(variable).is_none()
            && let Some(usual) = usual.filter(|usual| usual.is_dir())
        {
            set_env(variable, usual);
        }
    }
}
