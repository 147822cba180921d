//! A program that is to run in a node: the command line, the streams, the user.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::sandbox::protocol::node::ProgramUser;

/// The thing to which a stream of a program is connected.
#[derive(Debug)]
pub enum Stdio {
    /// Nothing.
    Null,
    /// A pipe to the test.
    Piped,
    /// The trial's output, line by line with the node's and the program's name in front; kept for
    /// [`wait_for_log`](crate::lab::Process::wait_for_log). The default of a program's outputs.
    Log,
    /// This file, pipe or socket.
    Fd(OwnedFd),
}

impl Stdio {
    /// Returns a stream that leads nowhere, as [`std::process::Stdio::null`].
    pub fn null() -> Stdio {
        Stdio::Null
    }

    /// Returns a pipe to the test, as [`std::process::Stdio::piped`].
    pub fn piped() -> Stdio {
        Stdio::Piped
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::Fd(file.into())
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(fd)
    }
}

/// Treatment of a program that still runs when its lab is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// The program is asked to end by `SIGTERM`, and killed if it has not ended after a second. So
    /// are the daemons of the node, and other processes whose parents have ended.
    #[default]
    Terminate,
    /// The program is killed at once.
    Kill,
}

/// The end of a program, and the output of the program.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code or signal.
    pub status: ExitStatus,
    /// The bytes that the program wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The bytes that the program wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Returns the standard output as text.
    pub fn stdout_str(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns the standard error as text.
    pub fn stderr_str(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Shows each stream as text where it is UTF-8, and as bytes elsewhere, as
/// [`std::process::Output`] does: an assertion prints the output with `Debug`.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        f.debug_struct("Output")
            .field("status", status)
            .field("stdout", &TextOrBytes(stdout))
            .field("stderr", &TextOrBytes(stderr))
            .finish()
    }
}

/// Bytes that are shown as text if they are UTF-8.
struct TextOrBytes<'a>(&'a [u8]);

impl fmt::Debug for TextOrBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The conversion is not lossy: a byte that is no text must not look like one that was
        // replaced.
        match std::str::from_utf8(self.0) {
            Ok(text) => fmt::Debug::fmt(text, f),
            Err(_) => fmt::Debug::fmt(self.0, f),
        }
    }
}

/// All that is to be known of a program before its start.
#[derive(Debug)]
pub(crate) struct ProgramSpec {
    pub(crate) program: OsString,
    pub(crate) arg0: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    /// The environment; that of the test process if there is none.
    pub(crate) env: Option<BTreeMap<OsString, OsString>>,
    pub(crate) dir: Option<PathBuf>,
    /// Standard input, output and error, where the test connects them.
    pub(crate) streams: [Option<Stdio>; 3],
    /// User and group in the node.
    pub(crate) user: ProgramUser,
    pub(crate) on_drop: OnDrop,
    pub(crate) may_die: bool,
    /// Whether the program gets a socket for its readiness.
    pub(crate) notify: bool,
}

impl ProgramSpec {
    pub(crate) fn new(program: OsString) -> Self {
        Self {
            program,
            arg0: None,
            args: Vec::new(),
            env: None,
            dir: None,
            streams: [None, None, None],
            user: ProgramUser::Root,
            on_drop: OnDrop::Terminate,
            may_die: false,
            notify: false,
        }
    }

    /// Returns the same program once more. Its streams are not those that the test has connected:
    /// a descriptor can be given to one program only.
    pub(crate) fn again(&self) -> Self {
        Self {
            program: self.program.clone(),
            arg0: self.arg0.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            dir: self.dir.clone(),
            streams: [None, None, None],
            user: self.user,
            on_drop: self.on_drop,
            may_die: self.may_die,
            notify: self.notify,
        }
    }

    /// Returns the program's own name, without directories: that of its zeroth argument, as one
    /// program may go by many names.
    pub(crate) fn name(&self) -> String {
        let names = self.arg0.iter().chain([&self.program]);
        // Without the directories: reports name programs as people do.
        let mut names = names.filter_map(|name| Path::new(name).file_name());
        let name = names.next().unwrap_or(&self.program);
        name.to_string_lossy().into_owned()
    }

    /// Returns the environment for changes: a copy of the test process's, unless there is one.
    pub(crate) fn env_mut(&mut self) -> &mut BTreeMap<OsString, OsString> {
        self.env
            .get_or_insert_with(|| std::env::vars_os().collect())
    }
}
