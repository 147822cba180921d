//! A machine with other work gives other figures, so each turn waits until the machine is quiet.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Share of all cores' time that must be idle.
const IDLE: f64 = 0.95;
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

static TOLD: AtomicBool = AtomicBool::new(false);

/// Waits until the machine is quiet, or prints once that it does not get so.
///
/// The kernel destroys namespaces after the processes are gone. That shows as work of the kernel,
/// so this function waits for it as well.
pub(crate) fn wait() {
    if TOLD.load(Ordering::Relaxed) {
        // An earlier wait was in vain, so the figures are taken as they come.
        return;
    }
    let deadline = Instant::now() + PATIENCE;
    while idle_share() < IDLE {
        if Instant::now() > deadline {
            if !TOLD.swap(true, Ordering::Relaxed) {
                eprintln!("note: the machine does not get quiet; take these figures with care");
            }
            return;
        }
    }
}

/// Returns the share of idle time in the next moment.
fn idle_share() -> f64 {
    let before = times();
    thread::sleep(LOOK);
    let after = times();
    let spent = |i: usize| after[i].saturating_sub(before[i]) as f64;
    let all: f64 = (0..after.len()).map(spent).sum();
    // Time spent waiting for a disk counts as idle.
    if all > 0.0 {
        (spent(3) + spent(4)) / all
    } else {
        1.0
    }
}

/// Returns the times of all cores: user, nice, system, idle and so on.
fn times() -> [u64; 8] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut times = [0; 8];
    let line = text.lines().next().unwrap_or_default();
    for (time, field) in times.iter_mut().zip(line.split_whitespace().skip(1)) {
        *time = field.parse().unwrap_or(0);
    }
    times
}
