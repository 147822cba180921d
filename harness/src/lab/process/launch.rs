//! How a command becomes a process: a command to its node's first process.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::kernel::fd::pipe;

use crate::kernel::message_channel::MessageChannel;
use crate::lab::error::{LabError, Result};
use crate::lab::node::command::{Command, Stdio};
use crate::lab::process::log::{Log, Stream, read_all};
use crate::lab::process::process::{Process, Running};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{LONGEST_REPLY, NodeCommand, ProcessReply, Program, c_text};

impl Command<'_> {
    pub(crate) fn start(&mut self, defaults: [Stdio; 3]) -> Result<Process> {
        let failed = |e| LabError::refused(self.verb(), e);
        let program = self.program()?;
        let (fate, theirs) = MessageChannel::pair().map_err(failed)?;
        let mut ours = [None, None, None];
        let mut given = Vec::new();
        let mut logged = [false; 3];
        for (which, default) in defaults.into_iter().enumerate() {
            let to = self.streams[which].take().unwrap_or(default);
            logged[which] = matches!(to, Stdio::Log);
            let (mine, its) =
                connect(to, which == 0).map_err(|e| LabError::refused(self.verb(), e))?;
            ours[which] = mine;
            given.push(its);
        }
        let fds: Vec<i32> = [theirs.as_raw_fd()]
            .into_iter()
            .chain(given.iter().map(AsRawFd::as_raw_fd))
            .collect();
        let command = NodeCommand::Run(program);
        self.node
            .with_life(&format!("run `{}` on", self.name()), |life| {
                life.ask(&command, &fds)
            })?;
        drop((theirs, given));
        let (pid, pidfd) = self.begun(&fate)?;
        self.adopt(pid, pidfd, fate, ours, logged)
    }

    /// Hears whether it runs.
    fn begun(&self, fate: &MessageChannel) -> Result<(i32, OwnedFd)> {
        let mut buffer = [0; LONGEST_REPLY];
        let (message, passed) = fate
            .receive_with(&mut buffer)
            .map_err(|e| LabError::refused(self.verb(), e))?;
        match (ProcessReply::decode(message), passed.into_iter().next()) {
            (Some(ProcessReply::Runs(pid)), Some(pidfd)) => Ok((pid, pidfd)),
            (Some(ProcessReply::Refused(errno)), _) => Err(LabError::refused(
                self.verb(),
                crate::kernel::errno::Errno::from_raw(errno),
            )),
            _ => Err(LabError::other(format!(
                "failed to {}: the node died",
                self.verb()
            ))),
        }
    }

    fn adopt(
        &self,
        pid: i32,
        pidfd: OwnedFd,
        fate: MessageChannel,
        ours: [Option<OwnedFd>; 3],
        logged: [bool; 3],
    ) -> Result<Process> {
        let label = self.label();
        let log = Arc::new(Log::default());
        let [stdin, mut stdout, mut stderr] = ours;
        for (logged, fd, stream) in [
            (logged[1], &mut stdout, Stream::Stdout),
            (logged[2], &mut stderr, Stream::Stderr),
        ] {
            if logged && let Some(fd) = fd.take() {
                let read = self
                    .node
                    .shared
                    .pump
                    .read(fd, label.clone(), stream, Arc::clone(&log));
                read.map_err(|e| LabError::io(format!("read the output of `{label}`"), &e))?;
            }
        }
        let running = Running::new(label, pid, pidfd, fate, log, self.on_drop, self.may_die);
        let running = Arc::new(running);
        self.node.running().push(Arc::clone(&running));
        Ok(Process::new(running, self.node, stdin, stdout, stderr))
    }

    fn program(&self) -> Result<Program> {
        let inherited;
        let env = match &self.env {
            Some(env) => env,
            None => {
                inherited = std::env::vars_os().collect();
                &inherited
            }
        };
        let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let text = |text: &OsStr| {
            let nul = || {
                LabError::other(format!(
                    "failed to {}: a zero byte in {text:?}",
                    self.verb()
                ))
            };
            c_text(text).ok_or_else(nul)
        };
        let pair = |(key, value): (&OsString, &OsString)| {
            let mut pair = key.clone();
            pair.push("=");
            pair.push(value);
            text(&pair)
        };
        let key_log = self.key_log(env);
        let arg0 = self.arg0.as_ref().unwrap_or(&self.program);
        Ok(Program {
            program: text(&self.program)?,
            args: [arg0]
                .into_iter()
                .chain(&self.args)
                .map(|arg| text(arg))
                .collect::<Result<Vec<CString>>>()?,
            env: env
                .iter()
                .chain(key_log.as_ref().map(|(key, value)| (key, value)))
                .map(pair)
                .collect::<Result<_>>()?,
            dir: text(self.dir.clone().unwrap_or_else(here).as_os_str())?,
            strict_dir: self.dir.is_some(),
            ids: self.ids,
        })
    }

    /// The program's own name.
    fn name(&self) -> String {
        let name = Path::new(&self.program)
            .file_name()
            .unwrap_or(&self.program);
        name.to_string_lossy().into_owned()
    }

    fn verb(&self) -> String {
        format!(
            "run `{}` on `{}`",
            self.program.to_string_lossy(),
            self.node.name()
        )
    }

    /// `bob/nginx`, and `bob/nginx#2` for the second.
    fn label(&self) -> String {
        let label = format!("{}/{}", self.node.name(), self.name());
        let same = |running: &&Arc<Running>| running.label.split('#').next() == Some(&label);
        match self.node.running().iter().filter(same).count() {
            0 => label,
            earlier => format!("{label}#{}", earlier + 1),
        }
    }
}

/// Our end, if there is one, and the program's.
fn connect(to: Stdio, input: bool) -> crate::kernel::Result<(Option<OwnedFd>, OwnedFd)> {
    match to {
        Stdio::Null => {
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

/// Both pipes to their ends, at the same time.
pub(crate) fn read_both(
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    if stderr.is_none() {
        return Ok((read_all(stdout)?, Vec::new()));
    }
    std::thread::scope(|scope| {
        let errors = scope.spawn(|| read_all(stderr));
        let output = read_all(stdout)?;
        let errors = errors
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((output, errors))
    })
}
