//! A program that runs in a node.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::kernel::poll;

use crate::kernel::errno::Errno;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::pidfd_kill;
use crate::kernel::process::signal::Signal;
use crate::lab::error::{LabError, Result};
use crate::lab::node::command::{OnDrop, Output};
use crate::lab::node::node::{Node, Stack};
use crate::lab::process::launch::read_both;
use crate::lab::process::log::{Line, Log};
use crate::lab::shared::Shared;
use crate::lab::wait::shown;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{LONGEST_REPLY, ProcessReply};

/// What the lab knows of a program, also when nobody holds its [`Process`] any more.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) label: String,
    pid: i32,
    pidfd: OwnedFd,
    /// Where its end is told.
    fate: MessageChannel,
    status: Mutex<Option<ExitStatus>>,
    pub(crate) log: Arc<Log>,
    pub(crate) on_drop: OnDrop,
    /// Somebody has asked for its end, or has heard of it.
    expected: AtomicBool,
}

impl Running {
    pub(crate) fn new(
        label: String,
        pid: i32,
        pidfd: OwnedFd,
        fate: MessageChannel,
        log: Arc<Log>,
        on_drop: OnDrop,
        may_die: bool,
    ) -> Running {
        Running {
            label,
            pid,
            pidfd,
            fate,
            status: Mutex::new(None),
            log,
            on_drop,
            expected: AtomicBool::new(may_die),
        }
    }

    /// From now on its end surprises nobody.
    pub(crate) fn expect(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn signal(&self, number: i32) -> std::io::Result<()> {
        pidfd_kill(&self.pidfd, number)
    }

    /// How it ended, if it has before `deadline`.
    pub(crate) fn ended_by(&self, deadline: Option<Instant>) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let _ = poll::wait_readable([self.fate.as_fd()], left);
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_none() {
            let mut buffer = [0; LONGEST_REPLY];
            *status = match self.fate.try_receive(&mut buffer) {
                Ok(None) => None,
                Ok(Some(message)) => match ProcessReply::decode(message) {
                    Some(ProcessReply::Ended(raw)) => Some(ExitStatus::from_raw(raw)),
                    // Nobody is left to tell: its node was killed, and it with it.
                    _ => Some(ExitStatus::from_raw(Signal::SIGKILL as i32)),
                },
                Err(_) => Some(ExitStatus::from_raw(Signal::SIGKILL as i32)),
            };
        }
        *status
    }

    /// A sentence about an end that nobody expected.
    pub(crate) fn surprise(&self) -> Option<String> {
        if self.expected.load(Ordering::Relaxed) {
            return None;
        }
        let status = self.ended().filter(|status| !status.success())?;
        self.expect();
        self.log.wait_for_end(Instant::now() + LAST_WORDS);
        let how = ExitKind::from(status);
        Some(format!(
            "`{}` {how} and nobody waited for it; {}",
            self.label,
            self.log.tail()
        ))
    }
}

/// How long it may take to read what a program wrote last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A program that runs in a node, as [`std::process::Child`] is one that runs here.
///
/// Dropping it leaves the program running, until the lab is dropped. If it ends before that, and badly, and nobody has waited
/// for it, killed it or said that it [may](crate::lab::Command::may_die), the trial fails.
#[derive(Debug)]
pub struct Process {
    /// The writing end of its standard input, if that is piped.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if that is piped.
    pub stderr: Option<ChildStderr>,
    running: Arc<Running>,
    stack: Arc<Stack>,
    shared: Arc<Shared>,
    /// The next line that [`lines`](Process::lines) gives.
    read: usize,
}

impl Process {
    pub(crate) fn new(
        running: Arc<Running>,
        node: &Node,
        stdin: Option<OwnedFd>,
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
    ) -> Process {
        Process {
            stdin: stdin.map(ChildStdin::from),
            stdout: stdout.map(ChildStdout::from),
            stderr: stderr.map(ChildStderr::from),
            running,
            stack: Arc::clone(node.stack()),
            shared: Arc::clone(&node.shared),
            read: 0,
        }
    }

    /// Its number, as its node numbers processes.
    pub fn id(&self) -> u32 {
        self.running.pid.cast_unsigned()
    }

    /// How the capture names it: `bob/nginx`.
    pub fn label(&self) -> &str {
        &self.running.label
    }

    /// Waits for its end, after closing its standard input.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        self.running.expect();
        let status = self.running.ended_by(None);
        status.ok_or_else(|| LabError::other(format!("`{}` cannot be waited for", self.label())))
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.running.ended();
        if status.is_some() {
            self.running.expect();
        }
        Ok(status)
    }

    /// Waits for its end, but not longer than `limit`; then the error says what it wrote last.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let status = self.running.ended_by(Some(Instant::now() + limit));
        if status.is_some() {
            self.running.expect();
        }
        status.ok_or_else(|| {
            LabError::timed_out(
                format!("the end of `{}`", self.label()),
                limit,
                self.running.log.tail(),
            )
        })
    }

    /// Waits for its end, and gives what came through its pipes meanwhile.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        self.running.expect();
        let (stdout, stderr) = read_both(
            self.stdout.take().map(OwnedFd::from),
            self.stderr.take().map(OwnedFd::from),
        )
        .map_err(|e| LabError::io(format!("read the output of `{}`", self.label()), &e))?;
        let status = self.wait()?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// Kills it by `SIGKILL`.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL as i32)
    }

    /// Asks it to end, by `SIGTERM`.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM as i32)
    }

    /// Sends it a signal, by number (`libc::SIGHUP` is 1). It may end of it without the trial failing.
    pub fn signal(&mut self, number: i32) -> Result<()> {
        self.running.expect();
        match self.running.signal(number) {
            // As in std: whoever is gone needs no signal.
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            done => done.map_err(|e| {
                LabError::io(format!("send signal {number} to `{}`", self.label()), &e)
            }),
        }
    }

    /// What it wrote so far, if its outputs go to the trial's (as they do unless said otherwise).
    pub fn log(&self) -> Vec<Line> {
        self.running.log.lines()
    }

    /// The lines that it writes, as they come, from the first on; ends when it has closed its outputs.
    pub fn lines(&mut self) -> impl Iterator<Item = Line> + '_ {
        std::iter::from_fn(move || {
            let line = self.running.log.line(self.read, None).ok().flatten()?;
            self.read += 1;
            Some(line)
        })
    }

    /// Waits until it writes a line that contains `text`, and gives that line; earlier lines count.
    pub fn wait_for_log(&self, text: &str) -> Result<Line> {
        let limit = self.shared.patience();
        let deadline = Instant::now() + limit;
        for number in 0.. {
            match self.running.log.line(number, Some(deadline)) {
                Ok(Some(line)) if line.text.contains(text) => return Ok(line),
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.died(&format!("before it wrote {text:?}"))),
                Err(_) => {
                    let what = format!("{text:?} from `{}`", self.label());
                    return Err(LabError::timed_out(what, limit, self.running.log.tail()));
                }
            }
        }
        unreachable!("numbers do not end")
    }

    /// Waits until something listens on a TCP port of its node. Nothing is sent there. If it ends meanwhile, the error says how.
    pub fn wait_for_port(&self, port: u16) -> Result<()> {
        let limit = self.shared.patience();
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_micros(500);
        loop {
            let ports = self.stack.listening_ports().map_err(|e| {
                let what = format!("look at the sockets around `{}`", self.label());
                LabError::refused(what, e)
            })?;
            if ports.contains(&port) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                let what = format!("`{}` to listen on TCP port {port}", self.label());
                return Err(LabError::timed_out(
                    what,
                    limit,
                    format!("{}; {}", shown(&ports), self.running.log.tail()),
                ));
            }
            // A pause that its end cuts short.
            if let Some(status) = self.running.ended_by(Some(deadline.min(now + pause)))
                && !status.success()
            {
                return Err(self.died(&format!("before it listened on TCP port {port}")));
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    fn died(&self, when: &str) -> LabError {
        self.running.expect();
        let deadline = Instant::now() + LAST_WORDS;
        let how = match self.running.ended_by(Some(deadline)) {
            Some(status) => ExitKind::from(status).to_string(),
            None => "closed its outputs".to_owned(),
        };
        self.running.log.wait_for_end(deadline);
        LabError::other(format!(
            "`{}` {how} {when}; {}",
            self.label(),
            self.running.log.tail()
        ))
    }
}

impl AsRawFd for Process {
    /// A pidfd.
    fn as_raw_fd(&self) -> i32 {
        self.running.pidfd.as_raw_fd()
    }
}
