//! A home directory of the trial's own.
//!
//! Programs read settings from the home directory and write caches and histories there. In a trial
//! that is the host's, read-only: what a program does may depend on whose home it is, and a program
//! that writes there fails.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::conclude;
use crate::Isolation;
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
    keep_the_store();
    for name in IN_HOME {
        remove_env(name);
    }
    PRIVATE.get_or_init(|| PathBuf::from(&home));
    set_env("HOME", home);
}

/// Keeps in mind where fixtures are found, which is by default in the home directory of the user.
fn keep_the_store() {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    if let Some(cache) = cache {
        set_env(snowglobe_fixtures::CACHE_VARIABLE, cache);
    }
}
