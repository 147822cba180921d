//! Running programs in a node, as with `std::process::Command`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::lab::error::Result;
use crate::lab::node::node::Node;
use crate::lab::process::process::Process;
use crate::topology::StartCommand;

/// What a stream of a program is connected to.
#[derive(Debug)]
pub enum Stdio {
    /// Nothing.
    Null,
    /// A pipe to the test.
    Piped,
    /// The trial's output, line by line with the node's and the program's name in front; kept for
    /// [`Process::wait_for_log`]. The default of a program's outputs.
    Log,
    /// This file, pipe or socket.
    Fd(OwnedFd),
}

impl Stdio {
    /// Nothing, as [`std::process::Stdio::null`].
    pub fn null() -> Stdio {
        Stdio::Null
    }

    /// A pipe to the test, as [`std::process::Stdio::piped`].
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

/// What happens to a program that still runs when its lab is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// It is asked to end by `SIGTERM`, and killed if it has not after a second.
    #[default]
    Terminate,
    /// It is killed.
    Kill,
}

/// A program to be run in a node, built as a [`std::process::Command`] is.
///
/// ```no_run
/// # #[snowglobe::test]
/// # fn t() -> snowglobe::TestResult {
/// # let lab = snowglobe::topology::shape::pair().start()?;
/// let a = lab.node("alice").unwrap();
/// let names = a.command("cat").arg("/etc/hosts").output()?;
/// assert!(names.stdout_str().contains("bob.lab"));
///
/// let mut server = a.command("redis-server").args(["--port", "6379"]).spawn()?;
/// server.wait_for_port(6379)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Command<'n> {
    pub(crate) node: &'n Node,
    pub(crate) program: OsString,
    pub(crate) arg0: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Option<BTreeMap<OsString, OsString>>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) streams: [Option<Stdio>; 3],
    pub(crate) ids: Option<(u32, u32)>,
    pub(crate) on_drop: OnDrop,
    pub(crate) may_die: bool,
}

/// How a program ended, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Its standard output as text.
    pub fn stdout_str(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard error as text.
    pub fn stderr_str(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Node {
    /// A program to be run in the node: a path, or a name that is looked for in `PATH` and in the usual directories.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command<'_> {
        Command {
            node: self,
            program: program.as_ref().to_owned(),
            arg0: None,
            args: Vec::new(),
            env: None,
            dir: None,
            streams: [None, None, None],
            ids: None,
            on_drop: OnDrop::Terminate,
            may_die: false,
        }
    }

    /// What `command` would run here, to be run in the node: its program, arguments, environment and directory.
    ///
    /// ```no_run
    /// # use snowglobe::Fixture;
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// # let a = lab.node("alice").unwrap();
    /// let curl = Fixture::find("curl")?.command("curl")?;
    /// let answer = a.command_like(&curl).arg("http://bob/").output()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn command_like(&self, command: &std::process::Command) -> Command<'_> {
        let mut like = self.command(command.get_program());
        like.args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => like.env(key, value),
                None => like.env_remove(key),
            };
        }
        like.dir = command.get_current_dir().map(Path::to_owned);
        like
    }

    /// Runs what the topology says runs when the node starts, and waits until it is ready.
    pub(crate) fn run_commands(&self) -> Result<()> {
        for StartCommand {
            program,
            args,
            env,
            dir,
            ready_port,
        } in &self.commands
        {
            let mut command = self.command(program);
            command.args(args).envs(env);
            if let Some(dir) = dir {
                command.current_dir(dir);
            }
            let process = command.spawn()?;
            if let Some(port) = ready_port {
                process.wait_for_port(*port)?;
            }
        }
        Ok(())
    }
}

impl Command<'_> {
    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets the zeroth argument, by which the program knows its name.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.arg0 = Some(arg.as_ref().to_owned());
        self
    }

    /// Sets a variable, in addition to those of the test process.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.variables()
            .insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Sets variables.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        for (key, value) in vars {
            self.env(key, value);
        }
        self
    }

    /// Takes a variable away.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.variables().remove(key.as_ref());
        self
    }

    /// Takes all variables away.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env = Some(BTreeMap::new());
        self
    }

    fn variables(&mut self) -> &mut BTreeMap<OsString, OsString> {
        self.env
            .get_or_insert_with(|| std::env::vars_os().collect())
    }

    /// Starts it in this directory of the node. Without one it is the test's, or `/` where the node has no such.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Connects its standard input; to nothing unless said.
    pub fn stdin(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.streams[0] = Some(to.into());
        self
    }

    /// Connects its standard output.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.streams[1] = Some(to.into());
        self
    }

    /// Connects its standard error.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.streams[2] = Some(to.into());
        self
    }

    /// Runs it as this user and group of the node, where those ids are mapped.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.ids = Some((uid, gid));
        self
    }

    /// Says what happens to it if it still runs when the lab is dropped.
    pub fn on_drop(&mut self, what: OnDrop) -> &mut Self {
        self.on_drop = what;
        self
    }

    /// Its failure is expected: nobody waits for it, and the trial does not fail if it does.
    pub fn may_die(&mut self) -> &mut Self {
        self.may_die = true;
        self
    }

    /// Starts it; returns when it has begun. What it writes goes to the trial's output unless said otherwise.
    pub fn spawn(&mut self) -> Result<Process> {
        self.start([Stdio::Null, Stdio::Log, Stdio::Log])
    }

    /// Runs it to its end, and gives what it wrote. Its failure is the caller's matter.
    pub fn output(&mut self) -> Result<Output> {
        self.start([Stdio::Null, Stdio::Piped, Stdio::Piped])?
            .wait_with_output()
    }

    /// Runs it to its end. Its failure is the caller's matter.
    pub fn status(&mut self) -> Result<ExitStatus> {
        self.start([Stdio::Null, Stdio::Log, Stdio::Log])?.wait()
    }
}
