//! Starts programs in nodes.
//!
//! The test process cannot fork a child into a node's PID namespace: setns(2) changes that
//! namespace only for later children, and threads could not be started any more. So the node's
//! first process forks the program. The lab sends a command with the program's descriptors, and
//! hears from the forked child on a channel of its own.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use crate::events::{EventKind, Journal, ProcessName, Stream};
use crate::kernel::errno::Errno;
use crate::kernel::fd::pipe;
use crate::kernel::message_channel::MessageChannel;
use crate::lab::attempt::{Attempt, NodeAttempt, ProgramAttempt};
use crate::lab::error::{LabError, NodeState, Result};
use crate::lab::failure::FailureReason;
use crate::lab::first_process::FirstProcessHandle;
use crate::lab::process::log::Log;
use crate::lab::process::output_reader::{OutputReader, read_all};
use crate::lab::process::process::ProgramPipes;
use crate::lab::process::program::{ProgramSpec, Stdio};
use crate::lab::process::running::{ProgramContext, Running, Started};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{
    LONGEST_REPLY, NodeCommand, ProcessReply, Program, ProgramUser, c_text,
};
use crate::trial::running;

/// A program on the way to a node.
pub(crate) struct Launch {
    node: String,
    /// Attempt that the errors of the program name.
    what: Attempt,
    command: NodeCommand,
    /// Our end of the channel on which the program's start and end are reported.
    reports: MessageChannel,
    /// The descriptors that go to the node: the other end of the channel, then the program's
    /// streams.
    given: Vec<OwnedFd>,
    /// Our ends of piped streams: standard input, output and error.
    ours: [Option<OwnedFd>; 3],
    /// Whether the lab reads a stream for the trial's output.
    logged: [bool; 3],
}

impl Launch {
    /// Opens the streams of a program and describes the program to the node `node`.
    pub(crate) fn prepare(
        spec: &mut ProgramSpec,
        node: &str,
        env: &BTreeMap<OsString, OsString>,
        defaults: [Stdio; 3],
    ) -> Result<Self> {
        let program = spec.program.to_string_lossy().into_owned();
        let what = NodeAttempt::Run { program }.with(node);
        // The program gets its label when it runs, so that the node is the subject until then.
        let failed = |e| LabError::refused(what.clone(), e).about_node(node);
        let program = described(spec, env, &what).map_err(|error| error.about_node(node))?;
        // Each program has a channel: the first process of the node tells of the end on it, and its
        // death closes the channel.
        let (reports, theirs) = MessageChannel::pair().map_err(failed)?;
        let mut given = vec![OwnedFd::from(theirs)];
        let mut ours = [None, None, None];
        let mut logged = [false; 3];
        for (number, default) in defaults.into_iter().enumerate() {
            // A descriptor can be given to one program only.
            let to = spec.streams[number].take().unwrap_or(default);
            logged[number] = matches!(to, Stdio::Log);
            let (mine, its) = connect(to, number == 0).map_err(failed)?;
            ours[number] = mine;
            given.push(its);
        }
        Ok(Self {
            node: node.to_owned(),
            what,
            command: NodeCommand::Run(program),
            reports,
            given,
            ours,
            logged,
        })
    }

    /// Sends the program to the first process of the node.
    pub(crate) fn send(&self, first: &FirstProcessHandle) -> crate::kernel::Result<()> {
        let fds: Vec<i32> = self.given.iter().map(AsRawFd::as_raw_fd).collect();
        first.ask(&self.command, &fds)
    }

    /// Waits until the program runs, and begins to read the streams that go to the trial's output.
    pub(crate) fn begun(
        self,
        spec: &ProgramSpec,
        context: ProgramContext,
        reader: &OutputReader,
        journal: &Arc<Journal>,
    ) -> Result<(Arc<Running>, ProgramPipes)> {
        let Self {
            node,
            what,
            command: _,
            reports,
            given,
            ours,
            logged,
        } = self;
        // Our copies of the program's ends would keep its pipes open after its death, and a dead
        // first process would not be noticed on the channel.
        drop(given);
        let started = started(reports, &what, &node).map_err(|error| match spec.user {
            // Not the init but the node's first process makes the namespace, and no process of a
            // user namespace can change the limits of another.
            ProgramUser::Ids(uid, gid) | ProgramUser::RootShownAs(uid, gid)
                if error.raw_os_error() == Some(Errno::ENOSPC as i32) =>
            {
                let is_ordinary = running::is_ordinary_user();
                let why = FailureReason::NoSuchUser {
                    uid,
                    gid,
                    is_ordinary,
                };
                LabError::failed(what.clone(), why).about_node(&node)
            }
            ProgramUser::Root | ProgramUser::Ids(..) | ProgramUser::RootShownAs(..) => error,
        })?;
        let process = Arc::new(ProcessName {
            node,
            program: spec.program.to_string_lossy().into_owned(),
            pid: started.pid.cast_unsigned(),
        });
        // The start is recorded before the first line can be read.
        journal.record(EventKind::ProcessStarted {
            process: Arc::clone(&process),
        });
        let log = Arc::new(Log::new(Arc::clone(&process), Arc::clone(journal)));
        let [stdin, mut stdout, mut stderr] = ours;
        for (logged, fd, stream) in [
            (logged[1], &mut stdout, Stream::Stdout),
            (logged[2], &mut stderr, Stream::Stderr),
        ] {
            if logged && let Some(fd) = fd.take() {
                let read = reader.read(fd, &context.label, stream, Arc::clone(&log));
                read.map_err(|e| not_read(&context.label, &e))?;
            }
        }
        let running = Running::new(context, process, started, log, spec);
        let running = Arc::new(running);
        let watched = reader.watch(Arc::clone(&running));
        watched.map_err(|e| {
            let program = running.label().to_owned();
            LabError::io(ProgramAttempt::Watch { program }, &e).about_program(running.label())
        })?;
        let pipes = ProgramPipes {
            stdin,
            stdout,
            stderr,
        };
        Ok((running, pipes))
    }
}

/// Makes the error that the output of a program, named by its label, cannot be read.
pub(crate) fn not_read(label: &str, error: &std::io::Error) -> LabError {
    let program = label.to_owned();
    LabError::io(ProgramAttempt::ReadOutput { program }, error).about_program(label)
}

/// Waits until the program runs, or cannot be run.
fn started(reports: MessageChannel, what: &Attempt, node: &str) -> Result<Started> {
    let mut buffer = [0; LONGEST_REPLY];
    let (message, passed) = reports
        .receive_with(&mut buffer)
        .map_err(|e| LabError::refused(what.clone(), e).about_node(node))?;
    match (ProcessReply::decode(message), passed.into_iter().next()) {
        (Some(ProcessReply::Runs(pid)), Some(pidfd)) => Ok(Started {
            pid,
            pidfd,
            end: reports,
        }),
        // execve(2) failed in the child, which tells its errno.
        (Some(ProcessReply::Refused(errno)), _) => {
            let errno = Errno::from_raw(errno);
            Err(LabError::refused(what.clone(), errno).about_node(node))
        }
        (Some(ProcessReply::Runs(_) | ProcessReply::Ended(_)) | None, _) => {
            Err(LabError::crashed(what.clone(), node, NodeState::Died))
        }
    }
}

/// Describes a program as the node's first process is told of it.
fn described(
    spec: &ProgramSpec,
    env: &BTreeMap<OsString, OsString>,
    what: &Attempt,
) -> Result<Program> {
    let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let text = |text: &OsStr| {
        let nul = || LabError::failed(what.clone(), FailureReason::ZeroByte(text.to_owned()));
        c_text(text).ok_or_else(nul)
    };
    let pair = |(key, value): (&OsString, &OsString)| {
        // execve(2) takes the environment as strings of the form KEY=value.
        let mut pair = key.clone();
        pair.push("=");
        pair.push(value);
        text(&pair)
    };
    let arg0 = spec.arg0.as_ref().unwrap_or(&spec.program);
    Ok(Program {
        program: text(&spec.program)?,
        args: [arg0]
            .into_iter()
            .chain(&spec.args)
            .map(|arg| text(arg))
            .collect::<Result<Vec<CString>>>()?,
        env: env.iter().map(pair).collect::<Result<_>>()?,
        dir: text(spec.dir.clone().unwrap_or_else(here).as_os_str())?,
        strict_dir: spec.dir.is_some(),
        user: spec.user,
    })
}

/// Returns our end of a stream, if there is one, and the program's.
fn connect(to: Stdio, input: bool) -> crate::kernel::Result<(Option<OwnedFd>, OwnedFd)> {
    match to {
        Stdio::Null => {
            // Opened here and not in the node, whose root filesystem may have no /dev/null.
            let null = File::options().read(true).write(true).open("/dev/null");
            Ok((
                None,
                null.map_err(|e| crate::kernel::errno::errno(&e))?.into(),
            ))
        }
        Stdio::Fd(fd) => Ok((None, fd)),
        Stdio::Piped | Stdio::Log => {
            let (read, write) = pipe()?;
            Ok(if input {
                (Some(write), read)
            } else {
                (Some(read), write)
            })
        }
    }
}

/// Reads two pipes to their ends. A program may fill either first, so both are read at the same
/// time.
pub(crate) fn read_both(
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    // With one pipe no second thread is needed.
    if stderr.is_none() {
        return Ok((read_all(stdout)?, Vec::new()));
    }
    std::thread::scope(|scope| {
        let errors = scope.spawn(|| read_all(stderr));
        // The other pipe is read by the thread at the same time.
        let output = read_all(stdout)?;
        let errors = errors
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((output, errors))
    })
}
