//! Many trials that are there at the same time, as on a machine of many cores. Tests run this
//! program.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use snowglobe::{Arguments, RunError, TestResult, Trial};
use snowglobe_tests::wait_until;

/// Variable that names the file at which the trials meet.
const MEETING: &str = "SAMPLE_MEETING";
/// Number of trials.
const CROWD: usize = 64;
/// Number of inotify instances of each.
const INSTANCES: usize = 4;

fn main() -> Result<(), RunError> {
    let limit = Duration::from_secs(300);
    let trial = |number| Trial::test(format!("watcher_{number}"), watches_with_all).timeout(limit);
    snowglobe::run(&Arguments::from_env()?, (0..CROWD).map(trial).collect())?.exit()
}

/// Makes inotify instances, adds a byte to the file, and waits until each trial has done so.
fn watches_with_all() -> TestResult {
    let meeting = PathBuf::from(std::env::var_os(MEETING).ok_or("no meeting")?);
    let _instances = (0..INSTANCES)
        .map(|_| instance())
        .collect::<TestResult<Vec<_>>>()?;
    OpenOptions::new()
        .append(true)
        .open(&meeting)?
        .write_all(b"x")?;
    let everybody = || std::fs::metadata(&meeting).is_ok_and(|it| it.len() == CROWD as u64);
    match wait_until(Duration::from_secs(60), everybody) {
        true => Ok(()),
        false => Err("not everybody came".into()),
    }
}

#[expect(
    unsafe_code,
    reason = "an instance that no program has is made by a call alone"
)]
fn instance() -> TestResult<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: no pointer is passed; the kernel has just made the descriptor for us.
    unsafe {
        let fd = nix::errno::Errno::result(nix::libc::inotify_init1(0))?;
        Ok(File::from_raw_fd(fd))
    }
}
