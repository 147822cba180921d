//! Nothing can be mounted before there is a first root: busybox, the modules, and the script that
//! does the rest.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::Guest;
use super::cpio::Archive;
use super::modules;

/// A kernel and its modules, in the fixture's tree.
pub(super) struct KernelImage {
    pub(super) image: PathBuf,
    pub(super) release: String,
    modules: PathBuf,
}

impl KernelImage {
    /// Finds the newest kernel in a tree.
    pub(super) fn find(root: &Path) -> Result<Self, String> {
        let boot = root.join("boot");
        let failed = |error| format!("cannot read `{}`: {error}", boot.display());
        let mut releases: Vec<String> = fs::read_dir(&boot)
            .map_err(failed)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned))
            .collect();
        releases.sort();
        let release = releases
            .pop()
            .ok_or_else(|| format!("the fixture `linux` has no kernel in `{}`", boot.display()))?;
        Ok(Self {
            image: boot.join(format!("vmlinuz-{release}")),
            modules: root.join("usr/lib/modules").join(&release),
            release,
        })
    }
}

/// Makes the archive of the first root.
pub(super) fn make(kernel: &KernelImage, busybox: &Path, guest: &Guest) -> Result<Vec<u8>, String> {
    let busybox =
        fs::read(busybox).map_err(|e| format!("cannot read `{}`: {e}", busybox.display()))?;
    let mut archive = Archive::default();
    for directory in [
        "bin", "dev", "lower", "modules", "ports", "proc", "run", "sys", "system", "upper",
    ] {
        archive.directory(directory);
    }
    archive.device("dev/console", 5, 1);
    archive.file("bin/busybox", &busybox);
    archive.symlink("bin/sh", "busybox");
    archive.file("init", include_bytes!("init.sh"));
    archive.file("run/command", guest.script.as_bytes());
    archive.file("run/open", guest.open.as_bytes());
    for (place, (name, bytes)) in modules::read(&kernel.modules)?.iter().enumerate() {
        archive.file(&format!("modules/{place:03}-{name}.ko"), bytes);
    }
    Ok(archive.finish())
}
