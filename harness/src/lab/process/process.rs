//! A program that runs in a node, in the hands of a test.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::Signal;
use crate::kernel::procfs;
use crate::lab::attempt::ProgramAttempt;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::process::launch::not_read;
use crate::lab::process::launch::read_both;
use crate::lab::process::log::{Line, NotFound};
use crate::lab::process::program::Output;
use crate::lab::process::readiness::NeverReady;
use crate::lab::process::running::{Running, SETTLE_LIMIT};
use crate::lab::stack::listening::ServerSocket;
use crate::lab::stack::stack::Stack;
use crate::lab::unfit::{EndedBefore, Remains, UnfitProgram};
use crate::topology::Owner;
use crate::trial::patience::{Deadline, Patience};
use crate::trial::time_scale::stretched;

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
    /// Process id of the node's first process in the trial, by which files of the node are found.
    node_pid: Option<u32>,
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
        node_pid: Option<u32>,
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
            node_pid,
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
        // The input is closed, as in std: a program that reads its input to the end would wait for
        // ever.
        drop(self.stdin.take());
        // Whoever waits for the end judges the status.
        self.running.expect();
        let status = self.running.ended_by(None);
        status.ok_or_else(|| LabError::unfit(self.subject(), UnfitProgram::NoEnd))
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
        self.wait_by(Deadline::after(stretched(limit)))
    }

    /// Waits for the end until `deadline`.
    pub(crate) fn wait_by(&mut self, deadline: Deadline) -> Result<ExitStatus> {
        let status = self.running.ended_by(Some(deadline.at));
        if status.is_some() {
            self.running.expect();
        }
        status.ok_or_else(|| {
            LabError::timed_out(
                format!("the end of `{}`", self.label()),
                deadline.limit,
                self.running.last_lines(),
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
        // The outputs are read before the wait: a program whose pipe is full would never end.
        let (stdout, stderr) = read_both(
            self.stdout.take().map(OwnedFd::from),
            self.stderr.take().map(OwnedFd::from),
        )
        .map_err(|e| not_read(self.label(), &e))?;
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
            // A process that is gone needs no signal, as in std.
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            done => done.map_err(|e| {
                // The kernel may give a process id again; a label belongs to one program.
                let program = self.label().to_owned();
                let what = ProgramAttempt::Signal { number, program };
                LabError::io(what, &e).about_program(self.label())
            }),
        }
    }

    /// Returns what the program wrote so far, if its outputs go to the trial's output, as they do
    /// unless connected otherwise.
    ///
    /// The last 10,000 lines are kept. Of a program that wrote more, the first line says how many
    /// are missing ([`Line::dropped`]). A last line whose end was not written yet is there too.
    pub fn log(&self) -> Vec<Line> {
        self.running.log().lines()
    }

    /// Returns the lines that the program writes, as they come, from the first on. The iterator
    /// ends when the program has closed its outputs.
    ///
    /// The last 10,000 lines are kept. Where the iterator comes too late for some, a line in their
    /// place says how many they were ([`Line::dropped`]).
    pub fn lines(&mut self) -> impl Iterator<Item = Line> + '_ {
        std::iter::from_fn(move || self.running.log().next(&mut self.read))
    }

    /// Waits until the program writes a line that contains `text`, and returns the line. Earlier
    /// lines count, as far as they are kept, and so does a line whose end is not written yet, such
    /// as a prompt.
    ///
    /// # Errors
    /// The program ends first, or no such line comes in time.
    pub fn wait_for_log(&self, text: &str) -> Result<Line> {
        self.wait_for_log_by(text, self.deadline())
    }

    /// Waits for a line until `deadline`.
    pub(crate) fn wait_for_log_by(&self, text: &str, deadline: Deadline) -> Result<Line> {
        let log = self.running.log();
        log.find(text, deadline.at).map_err(|why| match why {
            NotFound::Ended => self.died(EndedBefore::Wrote(text.to_owned())),
            NotFound::TimedOut { dropped } => {
                let what = format!("{text:?} from `{}`", self.label());
                let seen = match dropped {
                    0 => self.running.last_lines(),
                    _ => {
                        let last = self.running.last_lines();
                        format!("{dropped} earlier lines are not kept; {last}")
                    }
                };
                LabError::timed_out(what, deadline.limit, seen)
            }
        })
    }

    /// Waits until something listens on a TCP port of the program's node. Nothing is sent to the
    /// port.
    ///
    /// A program that has ended well is waited for, as it may have left a daemon, unless nobody is
    /// left who could open the port: no process and no thread of the test in the node, which is no
    /// container of a pod.
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing listens in time. The error
    /// tells what the program wrote last.
    pub fn wait_for_port(&self, port: u16) -> Result<()> {
        self.wait_for_server(&ServerSocket::Tcp(port), self.deadline())
    }

    /// Waits until something takes datagrams on a UDP port of the program's node. Nothing is sent
    /// to the port. A program that has ended well is waited for as by
    /// [`wait_for_port`](Self::wait_for_port).
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing is at the port in time. The
    /// error tells what the program wrote last.
    pub fn wait_for_udp_port(&self, port: u16) -> Result<()> {
        self.wait_for_server(&ServerSocket::Udp(port), self.deadline())
    }

    /// Waits until something listens, or takes datagrams, at a Unix socket of the program's node:
    /// a path in the node, or an abstract name with `@` in front. A file that is left of a dead
    /// server does not count. Nothing is sent to the socket. A program that has ended well is
    /// waited for as by [`wait_for_port`](Self::wait_for_port).
    ///
    /// # Errors
    /// The program ends first, badly or without a daemon, or nothing is at the socket in time. The
    /// error tells what the program wrote last.
    pub fn wait_for_socket(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref().to_owned();
        self.wait_for_server(&ServerSocket::Unix(path, self.node_pid), self.deadline())
    }

    /// Returns the end of a wait that begins now.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.patience.limit())
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Returns the process id of the node's first process.
    pub(crate) fn node_pid(&self) -> Option<u32> {
        self.node_pid
    }

    /// Waits for a socket until `deadline`.
    pub(crate) fn wait_for_server(&self, socket: &ServerSocket, deadline: Deadline) -> Result<()> {
        let look_away = |until| match self.is_in_vain(until) {
            Some(remains) => Err(self.died(EndedBefore::Socket {
                event: socket.verb(),
                remains,
            })),
            None => Ok(()),
        };
        let explain = || format!("; {}", self.running.last_lines());
        let whose = format!("`{}`", self.label());
        self.stack
            .wait_for_socket(socket, &whose, deadline, look_away, explain)
    }

    /// Waits until the program says that it is ready, by `READY=1` on the socket that
    /// [`Command::notify`](crate::lab::Command::notify) gave it. A program that has said so and has
    /// ended since is ready too, and one that has ended well is waited for as by
    /// [`wait_for_port`](Self::wait_for_port).
    ///
    /// # Errors
    /// The program was not given such a socket, ends first, badly or without a daemon, or does not
    /// say so in time. The error tells its last `STATUS=` and what it wrote last.
    pub fn wait_for_notify(&self) -> Result<()> {
        self.wait_for_notify_by(self.deadline())
    }

    /// Waits for the program's word until `deadline`.
    pub(crate) fn wait_for_notify_by(&self, deadline: Deadline) -> Result<()> {
        let Some(readiness) = self.running.readiness() else {
            let reason = UnfitProgram::NoReadinessSocket;
            return Err(LabError::unfit(self.subject(), reason));
        };
        let ended = || self.is_in_vain(Instant::now());
        let waited = readiness.wait_while(deadline.at, ended);
        waited.map_err(|never| match never {
            NeverReady::Ended(remains) => self.died(EndedBefore::Ready {
                remains,
                status: readiness.status(),
            }),
            NeverReady::TimedOut => {
                let what = format!("`{}` to be ready (READY=1)", self.label());
                let seen = format!("{}; {}", readiness.status(), self.running.last_lines());
                LabError::timed_out(what, deadline.limit, seen)
            }
        })
    }

    /// Waits until `until`, or until the program has ended badly or has left no process in its
    /// node, and returns words about what the program has left then. A program that ends well may
    /// have left a daemon.
    fn is_in_vain(&self, until: Instant) -> Option<Remains> {
        match self.running.ended_by(Some(until)) {
            Some(status) if !status.success() => Some(Remains::Unknown),
            Some(_) if self.has_left_no_process() => Some(Remains::Nothing),
            Some(_) => {
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                None
            }
            None => None,
        }
    }

    /// Returns whether nobody is left who could open a socket in the network of the program: no
    /// process of the node but its first one, which a daemon would have as its parent, no thread
    /// or process of the test, and no other container.
    fn has_left_no_process(&self) -> bool {
        // The processes of other containers have other parents, and more may be started.
        let is_alone = matches!(self.stack.owner(), Owner::Node(_));
        let (Some(first), Some(netns)) = (self.node_pid, self.stack.netns()) else {
            return false;
        };
        is_alone
            && !procfs::may_be_visited(netns.as_fd())
            && procfs::is_childless(first.cast_signed())
    }

    /// Notes that the end of the program is no surprise from now on.
    #[cfg(feature = "tokio")]
    pub(crate) fn expect(&self) {
        self.running.expect();
    }

    /// Returns how long waits last.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    fn subject(&self) -> Subject {
        self.running.subject()
    }

    fn died(&self, before: EndedBefore) -> LabError {
        self.running.expect();
        let deadline = Instant::now() + stretched(SETTLE_LIMIT);
        // The outputs are closed a moment before the end is reported.
        let how = self.running.ended_by(Some(deadline)).map(ExitKind::from);
        let reason = UnfitProgram::Ended {
            how,
            before,
            lines: self.running.last_lines(),
        };
        LabError::unfit(self.subject(), reason)
    }
}

impl AsRawFd for Process {
    /// Returns the pidfd of the process.
    fn as_raw_fd(&self) -> i32 {
        self.running.as_raw_fd()
    }
}
