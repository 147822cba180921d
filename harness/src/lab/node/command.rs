//! Running programs in a node, as with `std::process::Command`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::first_process::FirstProcessHandle;
use crate::lab::node::node::Node;
use crate::lab::node::std_command::HiddenParts;
use crate::lab::process::launch::Launch;
use crate::lab::process::process::Process;
use crate::lab::process::program::{OnDrop, Output, ProgramSpec, Stdio};
use crate::lab::process::readiness::{NOTIFY_SOCKET, Readiness};
use crate::lab::process::running::ProgramContext;
use crate::sandbox::protocol::node::{NodeCommand, ProgramUser};
use crate::topology::{StartCommand, StartUser};

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
    node: &'n Node,
    spec: ProgramSpec,
}

impl Node {
    /// Makes a program to be run in the node. `program` is a path, or a name that is looked for in
    /// `PATH` and in the usual directories.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command<'_> {
        Command {
            node: self,
            spec: ProgramSpec::new(program.as_ref().to_owned()),
        }
    }

    /// Makes the program that `command` would run here, to be run in the node: its arguments with
    /// the zeroth, its environment and its directory.
    ///
    /// Streams, users and groups of `command` cannot be asked for, and are to be set again.
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
        let HiddenParts {
            arg0,
            clears_environment,
        } = HiddenParts::of(command);
        like.spec.arg0 = arg0;
        if clears_environment {
            like.env_clear();
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => like.env(key, value),
                None => like.env_remove(key),
            };
        }
        like.spec.dir = command.get_current_dir().map(Path::to_owned);
        like
    }

    /// Starts a program once more that the node ran before.
    pub(crate) fn start_again(&self, program: ProgramSpec) -> Result<Process> {
        let mut command = Command {
            node: self,
            spec: program,
        };
        command.spawn()
    }

    /// Makes a socket in the node on which a program tells of its readiness.
    fn open_readiness(
        &self,
        program: &str,
        env: &mut BTreeMap<OsString, OsString>,
    ) -> Result<Arc<Readiness>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let opened = self.try_run(|| Readiness::open(number))?;
        let (readiness, path) = opened.map_err(|e| {
            let program = program.to_owned();
            let what = NodeAttempt::MakeReadiness { program };
            LabError::io(what.with(self.name()), &e).about_node(self.name())
        })?;
        env.insert(NOTIFY_SOCKET.into(), path.into());
        Ok(Arc::new(readiness))
    }

    /// Runs the commands that the topology has for the start of the node, and waits until they are
    /// ready.
    pub(crate) fn run_commands(&self) -> Result<()> {
        // A machine that has lost its power starts again in another network namespace.
        if let Some(network) = self.stack().netns() {
            let mut disks = self.disks().iter();
            disks.try_for_each(|disk| disk.belong_to(network))?;
        }
        for StartCommand {
            program,
            args,
            env,
            dir,
            user,
            ready_port,
            ready_udp_port,
            ready_socket,
            ready_log,
            ready_notify,
            is_waited_for_later,
        } in self.started_commands()
        {
            let mut command = self.command(&program);
            command.args(&args).envs(&env);
            if let Some(dir) = dir {
                command.current_dir(dir);
            }
            match user {
                Some(StartUser {
                    uid,
                    gid,
                    is_root: true,
                }) => command.root_shown_as(uid, gid),
                Some(StartUser {
                    uid,
                    gid,
                    is_root: false,
                }) => command.user(uid, gid),
                None => &mut command,
            };
            if ready_notify {
                command.notify();
            }
            let process = command.spawn()?;
            if is_waited_for_later {
                continue;
            }
            // The next command may need this one, so that commands run one after the other.
            if let Some(port) = ready_port {
                process.wait_for_port(port)?;
            }
            if let Some(port) = ready_udp_port {
                process.wait_for_udp_port(port)?;
            }
            if let Some(path) = ready_socket {
                process.wait_for_socket(path)?;
            }
            if let Some(text) = ready_log {
                process.wait_for_log(&text)?;
            }
            if ready_notify {
                process.wait_for_notify()?;
            }
        }
        Ok(())
    }
}

impl Command<'_> {
    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.spec.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.spec
            .args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets the zeroth argument, by which the program knows its name.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.spec.arg0 = Some(arg.as_ref().to_owned());
        self
    }

    /// Sets a variable, in addition to those of the test process.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.spec
            .env_mut()
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
        self.spec.env_mut().remove(key.as_ref());
        self
    }

    /// Takes all variables away.
    pub fn env_clear(&mut self) -> &mut Self {
        self.spec.env = Some(BTreeMap::new());
        self
    }

    /// Sets the directory of the node in which the program starts. Otherwise that is the test's
    /// directory, or `/` where the node does not have it.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.spec.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Connects the standard input; unless connected it is empty.
    pub fn stdin(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.spec.streams[0] = Some(to.into());
        self
    }

    /// Connects the standard output.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.spec.streams[1] = Some(to.into());
        self
    }

    /// Connects the standard error.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.spec.streams[2] = Some(to.into());
        self
    }

    /// Sets the user and group as which the program runs, without capabilities.
    ///
    /// Any ids will do. Where the node lacks one, as where a trial has a single id, the program has
    /// a user namespace of its own that shows root of the node by these ids: root's files are then
    /// the program's own, and the program cannot change to yet another user.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.spec.user = ProgramUser::Ids(uid, gid);
        self
    }

    /// Shows root of the node to the program as another user, without capabilities: root's files
    /// are the program's own.
    ///
    /// This is for daemons that refuse to be root and have files that came from outside, such as a
    /// clone of a template ([`Volume::clone_of`](crate::topology::Volume::clone_of)). The program
    /// has a user namespace of its own, with that single id.
    pub fn root_shown_as(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.spec.user = ProgramUser::RootShownAs(uid, gid);
        self
    }

    /// Gives the program a socket on which it tells that it is ready, as systemd does:
    /// `NOTIFY_SOCKET` of sd_notify(3).
    ///
    /// [`Process::wait_for_notify`] waits for it.
    pub fn notify(&mut self) -> &mut Self {
        self.spec.notify = true;
        self
    }

    /// Sets what happens to the program if it still runs when the lab is dropped.
    pub fn on_drop(&mut self, what: OnDrop) -> &mut Self {
        self.spec.on_drop = what;
        self
    }

    /// Allows the program to fail: the trial does not fail with it, even if nobody waits for the
    /// program.
    pub fn may_die(&mut self) -> &mut Self {
        self.spec.may_die = true;
        self
    }

    /// Starts the program, and returns when it has begun. Its output goes to the trial's output
    /// unless connected otherwise.
    ///
    /// # Errors
    /// The program cannot be run, or the node does not run.
    pub fn spawn(&mut self) -> Result<Process> {
        self.start([Stdio::Null, Stdio::Log, Stdio::Log])
    }

    /// Runs the program to its end, and returns what it wrote. An exit code other than zero is no
    /// error.
    ///
    /// # Errors
    /// The program cannot be run, or the node does not run.
    pub fn output(&mut self) -> Result<Output> {
        self.start([Stdio::Null, Stdio::Piped, Stdio::Piped])?
            .wait_with_output()
    }

    /// Runs the program to its end. An exit code other than zero is no error.
    ///
    /// # Errors
    /// The program cannot be run, or the node does not run.
    pub fn status(&mut self) -> Result<ExitStatus> {
        self.start([Stdio::Null, Stdio::Log, Stdio::Log])?.wait()
    }

    /// Runs the program to its end as [`output`](Command::output) does, and lets other futures run
    /// meanwhile.
    ///
    /// # Errors
    /// The program cannot be run, or the node does not run.
    #[cfg(feature = "tokio")]
    pub async fn output_async(&mut self) -> Result<Output> {
        let process = self.start([Stdio::Null, Stdio::Piped, Stdio::Piped])?;
        process.wait_with_output_async().await
    }

    /// Runs the program to its end as [`status`](Command::status) does, and lets other futures run
    /// meanwhile.
    ///
    /// # Errors
    /// The program cannot be run, or the node does not run.
    #[cfg(feature = "tokio")]
    pub async fn status_async(&mut self) -> Result<ExitStatus> {
        let mut process = self.spawn()?;
        process.wait_async().await
    }

    fn start(&mut self, defaults: [Stdio; 3]) -> Result<Process> {
        let (node, spec) = (self.node, &mut self.spec);
        // The environment is taken at the start of the program, as in std.
        let mut env = match &spec.env {
            Some(env) => env.clone(),
            None => std::env::vars_os().collect(),
        };
        // The variable is set last, and only where the test has not set the variable itself.
        env.extend(node.key_log().variable(node, &env));
        let name = spec.name();
        let readiness = match spec.notify {
            true => Some(node.open_readiness(&name, &mut env)?),
            false => None,
        };
        let launch = Launch::prepare(spec, node.name(), &env, defaults)?;
        let run = NodeAttempt::Run {
            program: name.clone(),
        };
        let programs = node.programs();
        let sent = |first: &FirstProcessHandle| launch.send(first).map(|()| programs.kills());
        let kills = node.with_first_process(run, sent)?;
        let context = ProgramContext {
            label: programs.free_label(format!("{}/{name}", node.name())),
            readiness,
            holds: Arc::clone(programs.holds()),
        };
        let begun = launch.begun(spec, context, node.output_reader(), node.journal());
        let (running, pipes) = begun.inspect_err(|_| {
            // The program may run by now, where this process has no room for its descriptor.
            let end = |first: &FirstProcessHandle| first.ask(&NodeCommand::EndUnheard, &[]);
            let _ = node.with_first_process(NodeAttempt::EndProgram, end);
        })?;
        programs.add(Arc::clone(&running), kills);
        let (stack, patience) = (node.stack(), node.patience());
        Ok(Process::new(running, pipes, stack, patience, node.pid()))
    }
}
