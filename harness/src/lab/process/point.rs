//! Points at which a program is stopped, so that a test can act while it stands there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::kernel::poll::file_watch::FileWatch;
use crate::kernel::sync::{Lock, Notifier};
use crate::kernel::thread;
use crate::lab::attempt::{LabAttempt, ProgramAttempt, ThreadPurpose};
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::link::link::Link;
use crate::lab::process::point_at_call::CallPoint;
use crate::lab::process::process::Process;
use crate::lab::process::running::Running;
use crate::lab::unfit::UnfitProgram;
use crate::observe::{Match, RuleGuard, Verdict};
use crate::sandbox::trial::body::is_fork;
use crate::trial::patience::{Deadline, Patience};

/// A point in the life of a program at which [`Process::pause_when`] stops it.
#[derive(Debug)]
pub struct Point<'l>(PointKind<'l>);

#[derive(Debug)]
enum PointKind<'l> {
    Line(String),
    File(PathBuf),
    Packet(&'l Link, Match),
    Call(CallPoint),
}

impl<'l> Point<'l> {
    /// Stops the program when it writes a line that contains `text`, from now on. The line has been
    /// written when the program stops, and the program may have gone on for some microseconds.
    pub fn line(text: impl Into<String>) -> Self {
        Self(PointKind::Line(text.into()))
    }

    /// Stops the program when a file of its node appears, whoever makes it. Its directory has to be
    /// there. A relative path begins where the program works now. The program may have gone on for
    /// some microseconds.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(PointKind::File(path.as_ref().to_owned()))
    }

    /// Stops the program when a packet passes a link. The packet waits until the program has
    /// stopped, and passes then: what the packet brings about happens while the program stands
    /// still.
    pub fn packet(link: &'l Link, matching: Match) -> Self {
        Self(PointKind::Packet(link, matching))
    }

    /// Stops the program when it, or what it has started, is about to make a system call, as
    /// `fsync` or `rename`: nothing of the call has happened while the program stands still.
    ///
    /// The program is traced from now on until the guard is dropped (`ptrace(2)`), so that each of
    /// its system calls takes some microseconds longer. [`PausePoint::wait`] returns the call with
    /// its file: ``fsync of `/var/lib/db/wal` ``.
    ///
    /// C libraries and programs choose between several calls: `mv` renames by `renameat2`, and
    /// glibc opens by `openat`. So these names stand for all calls of their line:
    ///
    /// | name | calls |
    /// |---|---|
    /// | `open` | open, openat, openat2, creat |
    /// | `read`, `write` | read, readv; write, writev |
    /// | `pread`, `preadv` | pread64, preadv, preadv2; preadv, preadv2 |
    /// | `pwrite`, `pwritev` | pwrite64, pwritev, pwritev2; pwritev, pwritev2 |
    /// | `rename` | rename, renameat, renameat2 |
    /// | `unlink` | unlink, unlinkat of a file |
    /// | `rmdir` | rmdir, unlinkat of a directory |
    /// | `mkdir`, `link`, `symlink` | the same and mkdirat, linkat, symlinkat |
    /// | `stat` | stat, lstat, newfstatat, statx |
    /// | `lstat` | lstat, newfstatat, statx |
    /// | `dup`, `dup2` | dup, dup2, dup3; dup2, dup3 |
    /// | `pipe` | pipe, pipe2 |
    /// | `accept` | accept, accept4 |
    /// | `send`, `recv` | sendto, sendmsg, sendmmsg; recvfrom, recvmsg, recvmmsg |
    /// | `poll`, `select` | poll, ppoll; select, pselect6 |
    /// | `epoll_wait` | epoll_wait, epoll_pwait, epoll_pwait2 |
    /// | `nanosleep` | nanosleep, clock_nanosleep |
    /// | `execve` | execve, execveat |
    /// | `fork` | fork, vfork, and clone and clone3 of a process, not of a thread |
    ///
    /// Any other name stands for itself, as `renameat2` and `fdatasync` do. Several names are
    /// divided by `|`: `fsync | fdatasync`.
    pub fn system_call(name: impl Into<String>) -> Self {
        Self(PointKind::Call(CallPoint::new(name.into(), None)))
    }

    /// Stops the program when it is about to make a system call on a file whose path contains
    /// `part`, as `fsync` on a write-ahead log; of a `rename`, either path is looked at. A path
    /// that the program gives from its working directory, from a directory that it has opened, or
    /// from a root of its own (`chroot(2)`) is made one of the node first. See
    /// [`system_call`](Self::system_call) for the names.
    pub fn system_call_on(name: impl Into<String>, part: impl Into<String>) -> Self {
        let point = CallPoint::new(name.into(), Some(part.into()));
        Self(PointKind::Call(point))
    }
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PointKind::Line(text) => write!(f, "a line with {text:?}"),
            PointKind::File(path) => write!(f, "the file `{}`", path.display()),
            PointKind::Packet(link, matching) => {
                write!(f, "a packet ({matching}) on link `{}`", link.name())
            }
            PointKind::Call(call) => call.fmt(f),
        }
    }
}

/// A program that is stopped at a point, or will be. The program goes on when this value is
/// dropped.
#[must_use = "the program goes on as soon as the guard is dropped"]
pub struct PausePoint {
    /// The point, as errors name it.
    what: String,
    running: Arc<Running>,
    arrival: Arc<PointArrival>,
    patience: Patience,
    watcher: Option<JoinHandle<()>>,
}

/// The messages between the watcher of a point and the test.
#[derive(Debug, Default)]
pub(super) struct PointArrival {
    state: Lock<ArrivalState>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct ArrivalState {
    /// Whether the program was stopped, or could not be.
    reached: Option<Result<String>>,
    /// Whether a signal has stopped the program, or will: a stop that comes too late comes still.
    has_signal: bool,
    /// Whether nobody wants the program to be stopped any more.
    over: bool,
}

impl PointArrival {
    /// Stops the program, unless nobody wants that any more.
    fn arrive(&self, running: &Running, at: &str) {
        // The lock is held meanwhile: a guard that is dropped lets the program go on after this,
        // not before.
        let mut state = self.state.lock();
        if state.over || state.reached.is_some() {
            return;
        }
        state.has_signal = true;
        state.reached = Some(running.hold().map(|()| at.to_owned()));
        self.changed.notify_all();
    }

    /// Tells that the program stands at the point, or could not be stopped there, without a signal.
    pub(super) fn tell(&self, reached: Result<String>) {
        self.state.lock().reached.get_or_insert(reached);
        self.changed.notify_all();
    }

    /// Waits until nobody wants the program to be stopped any more, or for `limit`, and returns
    /// whether nobody does.
    pub(super) fn wait_until_over(&self, limit: Duration) -> bool {
        let state = self.state.lock();
        // A wait of no time would still let other threads go first.
        if state.over || limit.is_zero() {
            return state.over;
        }
        self.changed.wait_timeout(state, limit).over
    }

    fn fail(&self, error: LabError) {
        self.state.lock().reached.get_or_insert(Err(error));
        self.changed.notify_all();
    }

    fn is_over(&self) -> bool {
        let state = self.state.lock();
        state.over || state.reached.is_some()
    }
}

/// Time of one wait of a watcher, after which it looks whether the test still wants the point.
const ONE_WAIT: Duration = Duration::from_millis(20);

impl Process {
    /// Stops the program when it reaches a point, from now on. All its threads stand still until
    /// the guard is dropped or told to [go on](PausePoint::go_on).
    ///
    /// ```no_run
    /// use snowglobe::lab::Point;
    /// # use snowglobe::prelude::*;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// # let alice = lab.node("alice").unwrap();
    /// let primary = alice.command("primary").spawn()?;
    /// let elected = primary.pause_when(Point::line("I lead"))?;
    /// elected.wait()?;
    /// // … the others elect another leader, while this one believes that it leads …
    /// elected.go_on();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The directory of the file is not there, no packet can ever match, there is no such system
    /// call, the system call names no file and a part of a path is given, or the program cannot be
    /// traced: the node has a clock that faults can change, or the machine permits no traces.
    pub fn pause_when(&self, point: Point<'_>) -> Result<PausePoint> {
        let arrival = Arc::new(PointArrival::default());
        let running = Arc::clone(self.running());
        let what = format!("`{}` to reach {point}", self.label());
        let (told, program) = (Arc::clone(&arrival), Arc::clone(&running));
        let watcher = match point.0 {
            PointKind::Line(text) => {
                let reached = move |line: &str| told.arrive(&program, line);
                running.log().at_line(&text, reached);
                None
            }
            PointKind::File(path) => {
                let seen = match (self.node_pid(), running.pid_in_trial()) {
                    // The program may change its directory later.
                    (_, Some(pid)) if path.is_relative() => {
                        Path::new(&format!("/proc/{pid}/cwd")).join(&path)
                    }
                    (Some(pid), _) => rooted(pid, &path),
                    (None, _) => path.clone(),
                };
                let watch = FileWatch::new(&seen).map_err(|e| not_watched(&path, &program, &e))?;
                Some(spawn(move || {
                    wait_for_file(&watch, &path, &program, &told)
                })?)
            }
            PointKind::Packet(link, matching) => {
                let rule =
                    link.rule_with_patience(matching, Verdict::Hold, Patience::of(ONE_WAIT))?;
                Some(spawn(move || wait_for_packet(rule, &program, &told))?)
            }
            PointKind::Call(call) => Some(call.watch(&running, self.node_pid(), &told)?),
        };
        Ok(PausePoint {
            what,
            running,
            arrival,
            patience: self.patience().clone(),
            watcher,
        })
    }
}

/// Returns where the test sees a file of a node.
fn rooted(pid: u32, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").unwrap_or(path);
    Path::new(&format!("/proc/{pid}/root")).join(inside)
}

pub(super) fn spawn(watch: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let spawned = thread::start("point", watch);
    spawned.map_err(|e| LabError::io(LabAttempt::StartThread(ThreadPurpose::Point), &e))
}

fn wait_for_file(watch: &FileWatch, path: &Path, running: &Running, arrival: &PointArrival) {
    while !arrival.is_over() {
        match watch.wait(ONE_WAIT) {
            Ok(true) => arrival.arrive(running, &path.display().to_string()),
            Ok(false) => {}
            Err(e) => arrival.fail(not_watched(path, running, &e)),
        }
    }
}

/// Makes the error that a file, at whose change a program is to stop, cannot be watched.
fn not_watched(path: &Path, running: &Running, error: &io::Error) -> LabError {
    // The path is that which the test gave, and not that below /proc/PID/root.
    let path = path.to_owned();
    LabError::io(ProgramAttempt::WatchFile { path }, error).about_program(running.label())
}

fn wait_for_packet(rule: RuleGuard, running: &Running, arrival: &PointArrival) {
    while !arrival.is_over() {
        // A wait in vain is no news; a match that panicked would be one each time.
        let waited = rule.wait_for_hits(1);
        let seen = rule.events().first().map(|packet| format!("{packet:?}"));
        match (waited, seen) {
            (Ok(()), seen) => arrival.arrive(running, &seen.unwrap_or_default()),
            (Err(error), _) if error.is_timeout() => {}
            (Err(error), _) => {
                let what = ProgramAttempt::AwaitPacket;
                let error = LabError::caused(LabErrorKind::Other, what, error);
                arrival.fail(error.about_program(running.label()));
            }
        }
    }
    // The packet passes now: the program has stopped.
    drop(rule);
}

impl PausePoint {
    /// Waits until the program stands at the point, and returns what brought it there: the line,
    /// the file or the packet.
    ///
    /// # Errors
    /// The program ended first, or does not reach the point within the lab's patience. The error
    /// tells what the program wrote last.
    pub fn wait(&self) -> Result<String> {
        self.wait_by(Deadline::after(self.patience.limit()))
    }

    /// Waits until the program stands at the point, as [`wait`](Self::wait) does, and lets other
    /// futures run meanwhile: the clients that bring the program there, say.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_async(&self) -> Result<String> {
        let limit = self.patience.limit();
        let attempt = |at| self.wait_by(Deadline { at, limit });
        crate::attempts::attempts(limit, LabError::is_timeout, attempt).await
    }

    fn wait_by(&self, deadline: Deadline) -> Result<String> {
        let mut state = self.arrival.state.lock();
        loop {
            match state.reached.take() {
                Some(Ok(at)) => {
                    state.reached = Some(Ok(at.clone()));
                    return Ok(at);
                }
                Some(Err(error)) => return Err(error),
                // The drop lets the program go on all the same: a late stop is a stop.
                None => {}
            }
            if self.running.ended().is_some() {
                // The thread that reads the last lines may look for this point in them.
                drop(state);
                let lines = self.running.last_lines();
                let reason = UnfitProgram::EndedBeforePoint { lines };
                return Err(LabError::unfit(self.running.subject(), reason));
            }
            let left = deadline.at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                let last = self.running.last_lines();
                return Err(LabError::timed_out(&self.what, deadline.limit, last));
            }
            // The wait has parts, as the end of the program wakes nobody here.
            state = self.arrival.changed.wait_timeout(state, left.min(ONE_WAIT));
        }
    }

    /// Returns whether the program stands at the point.
    pub fn is_reached(&self) -> bool {
        matches!(self.arrival.state.lock().reached, Some(Ok(_)))
    }

    /// Lets the program go on.
    pub fn go_on(self) {
        drop(self);
    }
}

impl Drop for PausePoint {
    fn drop(&mut self) {
        if is_fork() {
            // The thread is in the process of the test alone.
            std::mem::forget(self.watcher.take());
            return;
        }
        self.arrival.state.lock().over = true;
        self.arrival.changed.notify_all();
        if let Some(watcher) = self.watcher.take() {
            // A panic of the thread was printed by the panic hook.
            let _ = watcher.join();
        }
        // The program goes on only then: a SIGCONT before the stop would leave the program stopped
        // for ever.
        let has_signal = self.arrival.state.lock().has_signal;
        if has_signal {
            self.running.release();
        }
    }
}

impl fmt::Debug for PausePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PausePoint")
            .field("what", &self.what)
            .field("is_reached", &self.is_reached())
            .finish_non_exhaustive()
    }
}
