//! A point at a system call: a program that is traced until it is about to make the call.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::kernel::process::calls::{CallEvent, CallFamily, CallWatch};
use crate::kernel::procfs::process_table;
use crate::kernel::sync::answer;
use crate::lab::attempt::ProgramAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::failure::FailureReason;
use crate::lab::process::point::{PointArrival, spawn};
use crate::lab::process::running::{Running, SETTLE_LIMIT};
use crate::lab::unfit::UnfitProgram;
use crate::trial::time_scale::stretched;

/// A system call at which a program is to stop.
#[derive(Debug)]
pub(super) struct CallPoint {
    name: String,
    /// Part of the path of the file that the call is about.
    part: Option<String>,
}

impl fmt::Display for CallPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "the system call `{}` on `{part}`", self.name),
            None => write!(f, "the system call `{}`", self.name),
        }
    }
}

/// Time between two looks at a program that makes no system calls.
const ONE_LOOK: Duration = Duration::from_micros(200);
/// Looks in a row before the thread sleeps between them: a program that makes many system calls
/// waits for the thread at each of them.
const BUSY_LOOKS: u32 = 200;

impl CallPoint {
    pub(super) fn new(name: String, part: Option<String>) -> Self {
        Self { name, part }
    }

    /// Traces a program on a thread of its own, from now on.
    pub(super) fn watch(
        self,
        running: &Arc<Running>,
        first_process: Option<u32>,
        arrival: &Arc<PointArrival>,
    ) -> Result<JoinHandle<()>> {
        let unfit = |reason| LabError::unfit(running.subject(), reason);
        let calls = match CallFamily::by_names(&self.name) {
            Ok(calls) => calls,
            Err(unknown) => return Err(unfit(UnfitProgram::UnknownCall(unknown))),
        };
        if let Some(part) = &self.part
            && !calls.names_file()
        {
            let part = part.clone();
            return Err(unfit(UnfitProgram::CallWithoutFile {
                call: self.name,
                part,
            }));
        }
        let Some(pid) = running.pid_in_trial() else {
            return Err(unfit(UnfitProgram::EndedBeforeTrace));
        };
        // The kernel would answer EPERM, which does not tell who traces the program.
        let tracer = process_table::tracer_of(pid);
        if let Some(tracer) = tracer {
            let is_for_clock = first_process == Some(tracer.cast_unsigned());
            return Err(unfit(if is_for_clock {
                UnfitProgram::TracedForClock
            } else {
                UnfitProgram::TracedBy { pid: tracer }
            }));
        }
        let told = Arc::clone(arrival);
        let label = running.label().to_owned();
        let (begun, has_begun) = answer();
        // The thread that attaches to a process is its tracer, and does all of it (ptrace(2)).
        let thread = spawn(move || match CallWatch::begin(pid, calls, self.part) {
            Ok(watch) => {
                // The test waits for this.
                begun.send(Ok(()));
                follow(watch, &label, &told);
            }
            Err(errno) => begun.send(Err(errno)),
        })?;
        match has_begun.receive() {
            Some(Ok(())) => Ok(thread),
            Some(Err(errno)) => Err(unfit(UnfitProgram::Untraceable(errno))),
            // The panic of the thread was printed by the panic hook.
            None => Err(
                LabError::failed(ProgramAttempt::Trace, FailureReason::TracerPanicked)
                    .about_program(running.label()),
            ),
        }
    }
}

/// Follows a program until it stands at the call, and until the test lets it go on.
fn follow(mut watch: CallWatch, label: &str, arrival: &PointArrival) {
    // A child that is about to execute a program may wait for a processor of a busy machine.
    let limit = stretched(SETTLE_LIMIT * 10);
    let mut looks = 0;
    let mut reached = false;
    loop {
        let event = match reached {
            false => watch.poll(),
            true => watch.reap(),
        };
        match event {
            CallEvent::Ended => return,
            CallEvent::Reached(at) => {
                reached = true;
                // The thread at the call stands still by itself; the others are asked to.
                let stopped = match watch.stop_all(limit) {
                    true => Ok(at),
                    false => {
                        let why = FailureReason::ThreadsStillRunning { at };
                        let program = label.to_owned();
                        let what = ProgramAttempt::StopThreads { program };
                        Err(LabError::failed(what, why).about_program(label))
                    }
                };
                arrival.tell(stopped);
            }
            CallEvent::Other => looks = 0,
            CallEvent::Nothing => {
                looks += 1;
                if looks < BUSY_LOOKS && !reached {
                    std::thread::yield_now();
                    continue;
                }
                if arrival.wait_until_over(ONE_LOOK) {
                    break;
                }
            }
        }
        // A program that makes one call after the other is never quiet.
        if arrival.wait_until_over(Duration::ZERO) {
            break;
        }
    }
    watch.let_go(limit);
}
