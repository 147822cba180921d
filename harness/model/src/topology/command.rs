//! Programs that a node runs when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use snowglobe_derive::{Deserialize, Serialize};

/// A program that a node runs when it starts, and again when it restarts.
///
/// ```
/// use snowglobe_model::topology::{NodeSpec, StartCommand};
///
/// let redis = StartCommand::new("redis-server").args(["--port", "6379"]).ready_port(6379);
/// let store = NodeSpec::new("store").command(redis);
/// let simple = NodeSpec::new("web").command(["busybox", "httpd", "-f"]);
/// # drop((store, simple));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartCommand {
    /// The program: a path, or a name to be found on the node's `PATH`.
    pub program: String,
    /// The arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables set in addition to the trial's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The directory in the node to start in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// The user as whom the program runs; root if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<StartUser>,
    /// The TCP port on which the program listens when it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_port: Option<u16>,
    /// The UDP port that takes datagrams when the program is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_udp_port: Option<u16>,
    /// The Unix socket at which the program is ready: a path in the node, or an abstract name with
    /// `@` in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_socket: Option<PathBuf>,
    /// A text that the program writes when it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_log: Option<String>,
    /// Whether the program says by itself that it is ready, as to systemd (sd_notify(3)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready_notify: bool,
    /// Whether the start of the node leaves the wait for the readiness to others, as to a cluster
    /// whose members need each other.
    #[doc(hidden)]
    #[serde(default, skip_serializing)]
    pub is_waited_for_later: bool,
}

/// A user as whom a [`StartCommand`] runs, without capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUser {
    /// The id of the user.
    pub uid: u32,
    /// The id of the group.
    pub gid: u32,
    /// Whether the program is root of the node, and only sees itself as that user: root's files are
    /// the program's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_root: bool,
}

impl StartCommand {
    /// Returns the command that runs `program` without arguments.
    pub fn new(program: impl Into<String>) -> Self {
        StartCommand {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: None,
            user: None,
            ready_port: None,
            ready_udp_port: None,
            ready_socket: None,
            ready_log: None,
            ready_notify: false,
            is_waited_for_later: false,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Sets the directory in the node to start in.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Sets the user and group as which the program runs, without capabilities, as
    /// `Command::user` does for other programs.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        let is_root = false;
        self.user = Some(StartUser { uid, gid, is_root });
        self
    }

    /// Shows root of the node to the program as another user, without capabilities: root's files
    /// are the program's own. This is for daemons that refuse to be root, as PostgreSQL does.
    pub fn root_shown_as(mut self, uid: u32, gid: u32) -> Self {
        let is_root = true;
        self.user = Some(StartUser { uid, gid, is_root });
        self
    }

    /// Sets the TCP port on which the program listens when it is ready.
    pub fn ready_port(mut self, port: u16) -> Self {
        self.ready_port = Some(port);
        self
    }

    /// Sets the UDP port that takes datagrams when the program is ready.
    pub fn ready_udp_port(mut self, port: u16) -> Self {
        self.ready_udp_port = Some(port);
        self
    }

    /// Sets the Unix socket at which the program is ready: a path in the node, or an abstract name
    /// with `@` in front.
    pub fn ready_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.ready_socket = Some(path.into());
        self
    }

    /// Sets a text that the program writes when it is ready.
    pub fn ready_log(mut self, text: impl Into<String>) -> Self {
        self.ready_log = Some(text.into());
        self
    }

    /// Takes the program for ready when it says so, as to systemd (sd_notify(3), `READY=1`).
    pub fn ready_notify(mut self) -> Self {
        self.ready_notify = true;
        self
    }
}

impl From<&str> for StartCommand {
    fn from(program: &str) -> Self {
        StartCommand::new(program)
    }
}

impl<const N: usize> From<[&str; N]> for StartCommand {
    fn from(words: [&str; N]) -> Self {
        let mut words = words.into_iter();
        StartCommand::new(words.next().unwrap_or_default()).args(words)
    }
}
