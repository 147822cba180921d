//! What a lab and the processes that it is made of say to each other.
//!
//! A test process asks its trial's init for a node by a [`Birth`], and the node's own first process
//! for everything else by an [`Errand`]. Each comes with the descriptors that it is about.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A node, a container, or a pod, as its maker needs to know it.
///
/// Along come the channel over which the new process will speak, then what [`Joins`] says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Birth {
    /// The name for people.
    pub(crate) name: String,
    /// Set in a UTS namespace of its own; without one, the UTS and IPC namespaces are those joined.
    pub(crate) hostname: Option<String>,
    /// What exists already.
    pub(crate) joins: Joins,
    /// Whether it has a PID namespace of its own.
    pub(crate) own_pids: bool,
    /// Whether it has mounts of its own: a pod has none.
    pub(crate) own_mounts: bool,
    /// So many ids in a user namespace of its own, instead of those of the trial.
    pub(crate) ids: Option<u32>,
    /// Written before there is an interface.
    pub(crate) sysctls: Vec<(String, String)>,
    /// What it finds in `/etc`.
    pub(crate) etc: Option<Etc>,
    /// In an order in which none hides another.
    pub(crate) mounts: Vec<Placed>,
    /// Another root filesystem.
    pub(crate) root: Option<Root>,
}

/// Namespaces that a new process enters instead of making them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Joins {
    /// None.
    #[default]
    Nothing,
    /// The network namespace that comes along: the node has lived before.
    Network,
    /// NET, UTS and IPC of the process whose pidfd comes along.
    Pod,
    /// The same and PID.
    PodAndPids,
}

/// The files by which a node knows the names of the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Etc {
    /// At `/etc/hosts`.
    pub(crate) hosts: PathBuf,
    /// Whether others have the same.
    pub(crate) hosts_read_only: bool,
    /// At `/etc/resolv.conf`.
    pub(crate) resolver: PathBuf,
}

/// Something to be mounted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Placed {
    /// Where.
    pub(crate) at: PathBuf,
    /// What.
    pub(crate) source: Source,
    /// Whether it can only be read.
    pub(crate) read_only: bool,
}

/// What a mount shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A directory or file that the trial sees.
    Path(PathBuf),
    /// Memory, so many bytes.
    Tmpfs(u64),
}

/// A root filesystem of layers that are only read, and a directory that takes what is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Root {
    /// The uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    /// Where what is written goes.
    pub(crate) disk: PathBuf,
}

/// What a newborn, or the init for it, says on its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cry {
    /// It has this number in the trial; its pidfd comes along.
    Born(i32),
    /// It is ready; its network namespace comes along.
    Ready,
    /// The kernel refused.
    Refused {
        /// What was tried.
        step: String,
        /// The answer.
        errno: i32,
    },
    /// It had to take another way than the one asked for; a sentence.
    Note(String),
}

impl Cry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (tag, number, text) = match self {
            Cry::Born(pid) => (b'B', *pid, ""),
            Cry::Ready => (b'R', 0, ""),
            Cry::Refused { step, errno } => (b'!', *errno, step.as_str()),
            Cry::Note(text) => (b'N', 0, text.as_str()),
        };
        let mut bytes = vec![tag];
        bytes.extend(number.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Cry> {
        let (tag, rest) = bytes.split_first()?;
        let (number, text) = rest.split_at_checked(4)?;
        let number = i32::from_le_bytes(number.try_into().ok()?);
        let text = || String::from_utf8_lossy(text).into_owned();
        Some(match tag {
            b'B' => Cry::Born(number),
            b'R' => Cry::Ready,
            b'!' => Cry::Refused {
                step: text(),
                errno: number,
            },
            b'N' => Cry::Note(text()),
            _ => return None,
        })
    }
}

/// What a node's first process can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Run a program. Along come the channel for its [`Fate`], stdin, stdout and stderr.
    Run(Order),
    /// Send a signal to everybody in the node.
    SignalAll(i32),
    /// Write below `/proc/sys`. Along comes a channel for the answer, a [`Fate::Ended`].
    Sysctl(String, String),
}

/// A program to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// A path, or a name to be found.
    pub(crate) program: CString,
    /// With the zeroth.
    pub(crate) args: Vec<CString>,
    /// All of them, as `KEY=value`.
    pub(crate) env: Vec<CString>,
    /// Where to start.
    pub(crate) dir: CString,
    /// Whether it is an error if that is not there.
    pub(crate) strict_dir: bool,
    /// The user and the group to be.
    pub(crate) ids: Option<(u32, u32)>,
}

/// A text for the kernel; none of them can have a zero byte in it.
pub(crate) fn c_text(text: impl AsRef<OsStr>) -> Option<CString> {
    CString::new(text.as_ref().as_bytes()).ok()
}

impl Errand {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4096);
        match self {
            Errand::Run(order) => order.encode(&mut bytes),
            Errand::SignalAll(number) => {
                bytes.push(b'S');
                bytes.extend(number.to_le_bytes());
            }
            Errand::Sysctl(path, value) => {
                bytes.push(b'W');
                bytes.extend([path.as_bytes(), b"\0", value.as_bytes()].concat());
            }
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Errand> {
        let (tag, rest) = bytes.split_first()?;
        match tag {
            b'X' => Order::decode(rest).map(Errand::Run),
            b'S' => Some(Errand::SignalAll(i32::from_le_bytes(rest.try_into().ok()?))),
            b'W' => {
                let text = std::str::from_utf8(rest).ok()?;
                let (path, value) = text.split_once('\0')?;
                Some(Errand::Sysctl(path.to_owned(), value.to_owned()))
            }
            _ => None,
        }
    }
}

impl Order {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(b'X');
        let (has_ids, (uid, gid)) = (self.ids.is_some(), self.ids.unwrap_or_default());
        let numbers = [
            uid,
            gid,
            u32::from(has_ids),
            u32::from(self.strict_dir),
            self.args.len() as u32,
        ];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        for text in [&self.program, &self.dir]
            .into_iter()
            .chain(&self.args)
            .chain(&self.env)
        {
            bytes.extend(text.as_bytes_with_nul());
        }
    }

    fn decode(bytes: &[u8]) -> Option<Order> {
        let (numbers, texts) = bytes.split_at_checked(20)?;
        let number = |at: usize| {
            Some(u32::from_le_bytes(
                numbers.get(at * 4..at * 4 + 4)?.try_into().ok()?,
            ))
        };
        let mut texts = texts
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|text| CString::from_vec_with_nul(text.to_vec()).ok());
        Some(Order {
            program: texts.next()?,
            dir: texts.next()?,
            args: texts.by_ref().take(number(4)? as usize).collect(),
            env: texts.collect(),
            strict_dir: number(3)? == 1,
            ids: (number(2)? == 1).then_some((number(0)?, number(1)?)),
        })
    }
}

/// What becomes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs, with this number in its node; its pidfd comes along.
    Runs(i32),
    /// It could not be started, for this reason.
    Refused(i32),
    /// It has ended, with this wait status.
    Ended(i32),
}

impl Fate {
    pub(crate) fn encode(self) -> [u8; 5] {
        let (tag, number) = match self {
            Fate::Runs(pid) => (b'R', pid),
            Fate::Refused(errno) => (b'!', errno),
            Fate::Ended(status) => (b'E', status),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [tag, a, b, c, d]
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Fate> {
        let [tag, number @ ..] = bytes else {
            return None;
        };
        let number = i32::from_le_bytes(number.try_into().ok()?);
        match tag {
            b'R' => Some(Fate::Runs(number)),
            b'!' => Some(Fate::Refused(number)),
            b'E' => Some(Fate::Ended(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errands_arrive_as_they_were_sent() {
        let text = |text: &str| c_text(text).unwrap();
        let order = Order {
            program: text("sh"),
            args: vec![text("sh"), text("-c"), text("")],
            env: vec![text("A=b"), text("C=")],
            dir: text("/"),
            strict_dir: true,
            ids: Some((0, 33)),
        };
        for errand in [
            Errand::Run(order),
            Errand::Run(Order::default()),
            Errand::SignalAll(9),
            Errand::Sysctl("net/ipv4/ip_forward".into(), "1".into()),
        ] {
            assert_eq!(Errand::decode(&errand.encode()), Some(errand));
        }
        assert_eq!(Errand::decode(b"S12"), None);
        assert_eq!(Errand::decode(b""), None);
    }

    #[test]
    fn cries_and_fates_arrive_as_they_were_sent() {
        let refused = Cry::Refused {
            step: "mount /proc".into(),
            errno: 1,
        };
        for cry in [
            Cry::Born(7),
            Cry::Ready,
            refused,
            Cry::Note("a copy".into()),
        ] {
            assert_eq!(Cry::decode(&cry.encode()), Some(cry));
        }
        for fate in [Fate::Runs(3), Fate::Refused(2), Fate::Ended(-1)] {
            assert_eq!(Fate::decode(&fate.encode()), Some(fate));
        }
    }
}
