//! A program in a node of a lab, for which the body of the trial waits.
//!
//! The body has made the lab, and the lab ends with the body. So the body stays, and is to the
//! program what the process outside is to the body: it passes signals on, stops when the program
//! stops, and tells how the program has ended.

use std::ffi::CString;
use std::process::Command;

use super::body::{Place, not_started, os_strings};
use crate::kernel::errno::errno;
use crate::kernel::poll;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::{
    BlockedSignals, PASSED_ON, Signal, SignalFd, is_in_our_group, kill, spawn_program, stop_by,
};
use crate::kernel::process::{self, Pid};
use crate::observe::name_capture_directory;
use crate::sandbox::trial::body::report_program_end;
use crate::trial::TestResult;

/// Id of the init of the trial, from which signals come that are not for the whole group.
const INIT: u32 = 1;

/// Starts the lab, runs the program in its node, and reports how the program has ended.
pub(super) fn run(words: &[CString], blocked: &BlockedSignals, place: Place) -> TestResult {
    let Place {
        topology,
        node,
        capture,
    } = place;
    let signals = [&PASSED_ON[..], &[Signal::SIGCHLD]].concat();
    let signals = SignalFd::of(&signals)?;
    if let Some(directory) = &capture {
        name_capture_directory(directory.clone());
    }
    let lab = topology.start()?;
    let capture = match capture {
        Some(_) if lab.links().next().is_some() => Some(lab.capture_all()?.keep_always()),
        Some(_) => Some(lab[node].capture("lo")?.keep_always()),
        None => None,
    };
    let words_of = os_strings(words);
    let Some((program, arguments)) = words_of.split_first() else {
        return Ok(());
    };
    let started =
        lab[node].try_run(|| spawn_program(Command::new(program).args(arguments), blocked))?;
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            drop((capture, lab));
            return not_started(words, errno(&error));
        }
    };
    let pid = child.id().cast_signed();
    let end = loop {
        let _ = poll::wait_readable([std::os::fd::AsFd::as_fd(&signals)], None);
        while let Some((number, sender)) = signals.next_with_sender() {
            // What the whole group has got, the program has too.
            if number != Signal::SIGCHLD as i32
                && sender == INIT
                && let Ok(signal) = Signal::try_from(number)
            {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
        if let Some(status) = child.try_wait()? {
            break ExitKind::from(status);
        }
        if let Some(number) = process::stop_of_child(pid) {
            stop_by(number);
            // The group's SIGCONT does not come to a program that leads a group of its own.
            if !is_in_our_group(Pid::from_raw(pid)) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
    };
    report_program_end(end);
    // The end of a capture says where the file is.
    drop((capture, lab));
    Ok(())
}
