//! Where captures are kept: `snowglobe/captures` below the target directory, one file for each
//! trial.
//!
//! The same trial may run twice at a time, in two checkouts that share a target directory or two
//! terminals. Both captures are kept, and an old one of a run that is over is overwritten. A lock
//! on the file tells these cases apart, which the kernel takes back when a process dies.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::model::random::seed_for;
use crate::observe::error::{ObserveError, ObserveFailure, RefusedStep, Result};
use crate::sandbox::paths;

/// Directory that was named for the captures of this process.
static NAMED: OnceLock<PathBuf> = OnceLock::new();

/// Makes captures of this process go to a directory. The first call counts.
pub(crate) fn name_directory(directory: PathBuf) {
    let _ = NAMED.set(directory);
}

/// Returns the directory of this program's captures.
pub(super) fn directory() -> Result<PathBuf> {
    match NAMED.get() {
        Some(directory) => Ok(directory.clone()),
        None => directory_of("captures"),
    }
}

/// Returns the directory below the target directory where this program keeps files of a kind.
pub(crate) fn directory_of(kind: &str) -> Result<PathBuf> {
    let program =
        std::env::current_exe().map_err(|e| ObserveError::refused(RefusedStep::FindProgram, e))?;
    let target = paths::target_dir(&program)
        .ok_or_else(|| ObserveFailure::NoTargetDirectory(program.clone()))?;
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    Ok(target
        .join("snowglobe")
        .join(kind)
        .join(without_hash(&stem)))
}

/// Returns `net` for `net-0123456789abcdef`, as cargo names test programs: the hash changes with
/// the compiler and its flags.
fn without_hash(stem: &str) -> &str {
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => stem,
    }
}

/// Makes the file for the captures of a trial: empty, and locked while it is open.
///
/// While another run of the same trial is under way, the file has another name, with a number.
pub(super) fn create(directory: &Path, trial: &str) -> Result<(File, PathBuf)> {
    let stem = file_stem(trial);
    let failed = |path: &Path, error: io::Error| {
        ObserveError::refused(RefusedStep::MakeCapture(path.to_owned()), error)
    };
    fs::create_dir_all(directory).map_err(|e| failed(directory, e))?;
    let mut number = 1;
    loop {
        let name = match number {
            1 => format!("{stem}.pcapng"),
            _ => format!("{stem}-{number}.pcapng"),
        };
        let path = directory.join(name);
        let open = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = open.map_err(|e| failed(&path, e))?;
        match lock(&file) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => number += 1,
            Err(error) => return Err(failed(&path, error)),
            // Between open and lock, the run that had the file may have removed or replaced it.
            Ok(()) if !is_at(&file, &path) => {}
            Ok(()) => {
                file.set_len(0).map_err(|e| failed(&path, e))?;
                return Ok((file, path));
            }
        }
    }
}

/// Returns whether this open file is the one at that path.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Locks a file until it is closed. On a filesystem without locks, does nothing.
pub(super) fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Returns `lossy.the_syn_ack_comes_again` for the trial `lossy::the_syn_ack_comes_again`: a name
/// without characters that mean something to a filesystem, a shell or a store of artifacts.
pub(crate) fn file_stem(trial: &str) -> String {
    // A file's name has at most 255 bytes (NAME_MAX, limits.h), with a number and `.pcapng.new`.
    const LONGEST: usize = 150;
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "_.-+=".contains(c) => c,
        _ => '_',
    };
    let whole = trial.replace("::", ".");
    let stem: String = whole.chars().map(plain).collect();
    if stem == whole && stem.len() <= LONGEST && !stem.starts_with('.') {
        return stem;
    }
    // The number tells names apart that become the same, such as `a b` and `a/b`.
    let cut = &stem[..stem.len().min(LONGEST)];
    format!(
        "{}-{:08x}",
        cut.trim_start_matches('.'),
        seed_for(0, trial) as u32
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_trial_becomes_that_of_a_file() {
        assert_eq!(file_stem("lossy::syn_ack"), "lossy.syn_ack");
        for (trial, start) in [
            ("matrix/a b", "matrix_a_b-"),
            ("../../etc", "_.._etc-"),
            ("für::alle", "f_r.alle-"),
            (".", "-"),
        ] {
            let stem = file_stem(trial);
            assert!(stem.starts_with(start), "{stem}");
            assert_eq!(stem.len(), start.len() + 8, "{stem}");
        }
        assert_ne!(file_stem("a b"), file_stem("a/b"));
        let long = "x".repeat(300);
        assert_eq!(file_stem(&long).len(), 159);
    }

    #[test]
    fn a_programs_hash_is_left_out() {
        assert_eq!(without_hash("net-0123456789abcdef"), "net");
        assert_eq!(without_hash("net-0123"), "net-0123");
        assert_eq!(without_hash("net"), "net");
    }
}
