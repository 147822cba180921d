//! The processes and threads of a program that is watched for system calls.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::family::CallFamily;
use super::tracee::{ThreadNews, TracedThread, news};
use crate::procfs::process_table;

/// A program whose processes and threads all stop when one of them makes a system call.
///
/// A watch is bound to the thread that has made it: only this thread may call its methods. When the
/// thread ends, the kernel lets the program go on.
#[derive(Debug)]
pub struct CallWatch {
    calls: CallFamily,
    /// Part of the name of the object that the call must have.
    part: Option<String>,
    threads: BTreeMap<TracedThread, ThreadState>,
}

/// The state of a traced thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThreadState {
    Runs,
    /// The thread has stopped, and gets the signal when it goes on, unless that is 0.
    Stopped(i32),
}

/// Something that a watch has seen.
#[derive(Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// Nothing.
    Nothing,
    /// A stop or an end that does not matter to the watch.
    Other,
    /// A thread is about to make a system call, and stands still: the call and its object.
    Reached(String),
    /// The program has ended.
    Ended,
}

impl CallWatch {
    /// Watches a process, what it has started and what it will start, for system calls; if `part`
    /// is given, only for those about an object whose name has that part.
    ///
    /// # Errors
    /// `EPERM` where somebody traces the process already, or the kernel permits no traces
    /// (`kernel.yama.ptrace_scope`, a filter on system calls).
    pub fn begin(pid: i32, calls: CallFamily, part: Option<String>) -> crate::Result<Self> {
        let mut watch = Self {
            calls,
            part,
            threads: BTreeMap::new(),
        };
        // The list is read until no thread is new: an untraced thread may start others meanwhile.
        loop {
            let mut is_complete = true;
            let below = process_table::descendants(pid);
            for process in std::iter::once(pid).chain(below) {
                for thread in process_table::threads(process).map(TracedThread) {
                    if watch.threads.contains_key(&thread) {
                        continue;
                    }
                    match thread.seize() {
                        Ok(()) => {}
                        // The thread may have ended, or is traced since its parent is.
                        Err(_) if thread.0 != pid => continue,
                        Err(errno) => return Err(errno),
                    }
                    is_complete = false;
                    watch.threads.insert(thread, ThreadState::Runs);
                    // At its first stop a process is told to stop at system calls.
                    thread.interrupt();
                }
            }
            if is_complete {
                return Ok(watch);
            }
        }
    }

    /// Handles what a thread has told, without a wait.
    pub fn poll(&mut self) -> CallEvent {
        match news() {
            ThreadNews::None => CallEvent::Nothing,
            ThreadNews::Nobody => CallEvent::Ended,
            ThreadNews::Ended(thread) => {
                self.threads.remove(&thread);
                match self.threads.is_empty() {
                    true => CallEvent::Ended,
                    false => CallEvent::Other,
                }
            }
            ThreadNews::Stopped(thread, code) => self.stopped(thread, code),
        }
    }

    fn stopped(&mut self, thread: TracedThread, code: i32) -> CallEvent {
        self.forget_number_before_exec(thread, code);
        // A thread that was started meanwhile tells its first stop here, and is known from then on.
        self.threads.insert(thread, ThreadState::Runs);
        if is_at_call(code) {
            if let Some(reached) = self.reached(thread) {
                self.threads.insert(thread, ThreadState::Stopped(0));
                return CallEvent::Reached(reached);
            }
            thread.go_on(0);
        } else if is_stopped_by_signal(code) {
            // The stop lasts until SIGCONT (ptrace(2), PTRACE_LISTEN).
            thread.stay_stopped();
        } else {
            thread.go_on(signal_on_its_way(code));
        }
        CallEvent::Other
    }

    /// Forgets the number that a thread had before it executed a program. Nobody tells of the end
    /// of that number, which the thread has exchanged for the number of its process ("execve(2)
    /// under ptrace" in ptrace(2)).
    fn forget_number_before_exec(&mut self, thread: TracedThread, code: i32) {
        if code >> 8 == libc::PTRACE_EVENT_EXEC
            && let Some(before) = thread.before_exec()
            && before != thread
        {
            self.threads.remove(&before);
        }
    }

    /// Returns the call that a thread is about to make, if it is one of those that are watched.
    fn reached(&self, thread: TracedThread) -> Option<String> {
        let entered = thread.entered()?;
        let mut members = self.calls.with_number(entered.number);
        let call = members
            .find(|it| thread.has_purpose(it.purpose, &entered))?
            .call;
        let object = thread.object(call, &entered);
        if let Some(part) = &self.part
            && !object.as_ref().is_some_and(|it| it.contains(part.as_str()))
        {
            return None;
        }
        Some(match object {
            Some(object) => format!("{} of `{object}`", call.name),
            None => call.name.to_owned(),
        })
    }

    /// Stops all threads that run, and returns whether all of them have stopped in that time.
    /// Threads that wait for children of their own count as stopped when no other thread runs.
    pub fn stop_all(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        for (thread, state) in &self.threads {
            if *state == ThreadState::Runs {
                thread.interrupt();
            }
        }
        while self.threads.values().any(|it| *it == ThreadState::Runs) {
            match self.reap() {
                CallEvent::Ended => return true,
                CallEvent::Nothing if self.all_that_run_await_children() => return true,
                // A thread in a system call that nothing interrupts stops behind it.
                CallEvent::Nothing if Instant::now() > deadline => return false,
                CallEvent::Nothing => std::thread::yield_now(),
                CallEvent::Other | CallEvent::Reached(_) => {}
            }
        }
        true
    }

    fn all_that_run_await_children(&self) -> bool {
        let runs = self.threads.iter();
        let mut runs = runs.filter(|(_, state)| **state == ThreadState::Runs);
        runs.all(|(thread, _)| thread.awaits_child())
    }

    /// Handles the ends of threads, which stay stopped otherwise. The parent of a process that was
    /// killed hears of it when its tracer has (ptrace(2)).
    pub fn reap(&mut self) -> CallEvent {
        match news() {
            ThreadNews::None => CallEvent::Nothing,
            ThreadNews::Nobody => CallEvent::Ended,
            ThreadNews::Ended(thread) => {
                self.threads.remove(&thread);
                CallEvent::Other
            }
            ThreadNews::Stopped(thread, code) => {
                self.forget_number_before_exec(thread, code);
                let signal = signal_on_its_way(code);
                self.threads.insert(thread, ThreadState::Stopped(signal));
                CallEvent::Other
            }
        }
    }

    /// Lets all threads go on, untraced.
    pub fn let_go(mut self, limit: Duration) {
        // A thread that does not stop in time is let go by the kernel, at the end of this thread.
        self.stop_all(limit);
        // A thread that a signal has stopped stays so without its tracer (kernel/ptrace.c,
        // __ptrace_unlink).
        for (thread, state) in self.threads {
            if let ThreadState::Stopped(signal) = state {
                thread.let_go(signal);
            }
        }
    }
}

/// Returns whether a thread has stopped at a system call: PTRACE_O_TRACESYSGOOD marks the signal.
fn is_at_call(code: i32) -> bool {
    code == libc::SIGTRAP | 0x80
}

/// Returns whether a signal has stopped the whole process.
fn is_stopped_by_signal(code: i32) -> bool {
    let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    code >> 8 == libc::PTRACE_EVENT_STOP && stops.contains(&(code & 0xff))
}

/// Returns the signal that is on its way to the thread, or 0.
fn signal_on_its_way(code: i32) -> i32 {
    // An event, and a stop at a system call, are told by SIGTRAP, which is no signal then.
    if code >> 8 == 0 && !is_at_call(code) {
        code
    } else {
        0
    }
}
