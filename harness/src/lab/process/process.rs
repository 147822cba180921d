//! A program that runs in a node, in the hands of a test.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::Signal;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::patience::Patience;
use crate::lab::process::launch::read_both;
use crate::lab::process::log::Line;
use crate::lab::process::program::Output;
use crate::lab::process::running::{LAST_WORDS, Running};
use crate::lab::stack::listening::shown;
use crate::lab::stack::stack::Stack;

/// A program that runs in a node, as [`std::process::Child`] is one that runs here.
///
/// Dropping a process leaves the program running, until the lab is dropped. The trial fails if the
/// program ends badly before that, unless the test has waited for it, killed it or said that it
/// [may die](crate::lab::Command::may_die).
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
    patience: Patience,
    /// Number of the next line that [`lines`](Process::lines) gives.
    read: usize,
}

/// Our ends of the pipes to a program.
#[derive(Debug)]
pub(crate) struct ProgramPipes {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

impl Process {
    pub(crate) fn new(
        running: Arc<Running>,
        pipes: ProgramPipes,
        stack: &Arc<Stack>,
        patience: &Patience,
    ) -> Self {
        let ProgramPipes {
            stdin,
            stdout,
            stderr,
        } = pipes;
        Self {
            stdin: stdin.map(ChildStdin::from),
            stdout: stdout.map(ChildStdout::from),
            stderr: stderr.map(ChildStderr::from),
            running,
            stack: Arc::clone(stack),
            patience: patience.clone(),
            read: 0,
        }
    }

    /// Returns the process id, in the PID namespace of the node.
    pub fn id(&self) -> u32 {
        self.running.pid()
    }

    /// Returns the name by which the trial's output calls the program: `bob/nginx`.
    pub fn label(&self) -> &str {
        self.running.label()
    }

    /// Waits for the end of the program, after closing its standard input.
    ///
    /// # Errors
    /// The end of the program cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        // As in std: a program that reads its input to the end would wait for ever.
        drop(self.stdin.take());
        // Whoever waits for the end judges the status.
        self.running.expect();
        let status = self.running.ended_by(None);
        status.ok_or_else(|| {
            LabError::unfit(LabErrorKind::Other, self.subject(), "cannot be waited for")
        })
    }

    /// Returns how the program ended, if it has.
    ///
    /// # Errors
    /// There are none at present; the signature is that of [`std::process::Child::try_wait`].
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.running.ended();
        if status.is_some() {
            self.running.expect();
        }
        Ok(status)
    }

    /// Waits for the end of the program, but not longer than `limit`.
    ///
    /// # Errors
    /// The program does not end in time. The error tells what it wrote last.
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
                self.running.log().tail(),
            )
        })
    }

    /// Waits for the end of the program, and returns what came through its pipes meanwhile.
    ///
    /// # Errors
    /// A pipe cannot be read.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        self.running.expect();
        // Before the wait: a program whose pipe is full would never end.
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

    /// Kills the program by `SIGKILL`.
    ///
    /// # Errors
    /// The kernel refuses the signal.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL as i32)
    }

    /// Asks the program to end, by `SIGTERM`.
    ///
    /// # Errors
    /// The kernel refuses the signal.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM as i32)
    }

    /// Sends a signal to the program, by number (`libc::SIGHUP` is 1). The program may end of it
    /// without the trial failing.
    ///
    /// # Errors
    /// The kernel refuses the signal. A program that has ended is no error, as in std.
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

    /// Returns what the program wrote so far, if its outputs go to the trial's output, as they do
    /// unless connected otherwise.
    pub fn log(&self) -> Vec<Line> {
        self.running.log().lines()
    }

    /// Returns the lines that the program writes, as they come, from the first on. The iterator
    /// ends when the program has closed its outputs.
    pub fn lines(&mut self) -> impl Iterator<Item = Line> + '_ {
        std::iter::from_fn(move || {
            let line = self.running.log().line(self.read, None).ok().flatten()?;
            self.read += 1;
            Some(line)
        })
    }

    /// Waits until the program writes a line that contains `text`, and returns the line. Earlier
    /// lines count.
    ///
    /// # Errors
    /// The program ends first, or no such line comes in time.
    pub fn wait_for_log(&self, text: &str) -> Result<Line> {
        let limit = self.patience.limit();
        let deadline = Instant::now() + limit;
        for number in 0.. {
            match self.running.log().line(number, Some(deadline)) {
                Ok(Some(line)) if line.text.contains(text) => return Ok(line),
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.died(&format!("before it wrote {text:?}"))),
                Err(_) => {
                    let what = format!("{text:?} from `{}`", self.label());
                    return Err(LabError::timed_out(what, limit, self.running.log().tail()));
                }
            }
        }
        unreachable!("numbers do not end")
    }

    /// Waits until something listens on a TCP port of the program's node. Nothing is sent to the
    /// port.
    ///
    /// # Errors
    /// The program ends badly first, or nothing listens in time. The error tells what the program
    /// wrote last.
    pub fn wait_for_port(&self, port: u16) -> Result<()> {
        let limit = self.patience.limit();
        let deadline = Instant::now() + limit;
        // The kernel does not tell of new listeners, so that the tables are read again and again.
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
                    format!("{}; {}", shown(&ports), self.running.log().tail()),
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

    fn subject(&self) -> Subject {
        Subject::Process(self.label().to_owned())
    }

    fn died(&self, when: &str) -> LabError {
        self.running.expect();
        let deadline = Instant::now() + LAST_WORDS;
        // The outputs are closed a moment before the end is reported.
        let how = match self.running.ended_by(Some(deadline)) {
            Some(status) => ExitKind::from(status).to_string(),
            None => "closed its outputs".to_owned(),
        };
        self.running.log().wait_for_end(deadline);
        let why = format!("{how} {when}; {}", self.running.log().tail());
        LabError::unfit(LabErrorKind::ProcessEnded, self.subject(), why)
    }
}

impl AsRawFd for Process {
    /// A pidfd.
    fn as_raw_fd(&self) -> i32 {
        self.running.as_raw_fd()
    }
}
