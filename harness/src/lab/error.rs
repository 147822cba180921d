//! What went wrong in a lab: the verb, the node or link, the errno, and what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::kernel::errno::Errno;

use crate::kernel::netlink::NetlinkError;
use crate::observe::ObserveError;
use crate::topology::TopologyError;

/// Why a lab could not do something.
///
/// It says what was tried, with which node or link, and what the kernel answered:
///
/// ```text
/// failed to run `nginx` on `bob`: ENOENT: No such file or directory
/// ```
pub struct LabError(Box<Cause>);

enum Cause {
    Topology(TopologyError),
    Refused {
        what: String,
        errno: Errno,
    },
    Network {
        whose: String,
        error: NetlinkError,
    },
    TimedOut {
        what: String,
        limit: Duration,
        last: String,
    },
    Other(String),
}

/// What a lab gives back.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

impl LabError {
    /// `what` is a verb with its object: ``run `nginx` on `bob` ``.
    pub(crate) fn refused(what: impl Into<String>, errno: Errno) -> LabError {
        LabError(Box::new(Cause::Refused {
            what: what.into(),
            errno,
        }))
    }

    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> LabError {
        match error.raw_os_error() {
            Some(code) => LabError::refused(what, Errno::from_raw(code)),
            None => LabError::other(format!("failed to {}: {error}", what.into())),
        }
    }

    pub(crate) fn network(whose: impl Into<String>, error: NetlinkError) -> LabError {
        LabError(Box::new(Cause::Network {
            whose: whose.into(),
            error,
        }))
    }

    pub(crate) fn timed_out(
        what: impl Into<String>,
        limit: Duration,
        last: impl Into<String>,
    ) -> LabError {
        let (what, last) = (what.into(), last.into());
        LabError(Box::new(Cause::TimedOut { what, limit, last }))
    }

    pub(crate) fn other(sentence: impl Into<String>) -> LabError {
        LabError(Box::new(Cause::Other(sentence.into())))
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &*self.0 {
            Cause::Refused { errno, .. } => Some(*errno as i32),
            Cause::Network { error, .. } => error.errno().map(|errno| errno as i32),
            _ => None,
        }
    }

    /// Whether it was waited for in vain.
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            Cause::TimedOut { .. } => true,
            Cause::Network { error, .. } => error.is_timeout(),
            _ => false,
        }
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Topology(error) => error.fmt(f),
            Cause::Refused { what, errno } => {
                write!(f, "failed to {what}: {errno}")?;
                hint(*errno).map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Cause::Network { whose, error } => write!(f, "{error}, in {whose}"),
            Cause::TimedOut { what, limit, last } => {
                write!(f, "waited {limit:?} in vain for {what}; last seen: {last}")
            }
            Cause::Other(sentence) => f.write_str(sentence),
        }
    }
}

/// What to do about it, where the name alone does not say.
fn hint(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ENOSPC => "a limit was hit: `user.max_*_namespaces`, or the size of a tmpfs",
        Errno::EMFILE => "raise the hard limit of open files, `ulimit -Hn`",
        Errno::EAGAIN => "raise the limit of processes, `ulimit -u`",
        _ => return None,
    })
}

/// As it is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for LabError {}

impl From<TopologyError> for LabError {
    fn from(error: TopologyError) -> LabError {
        LabError(Box::new(Cause::Topology(error)))
    }
}

impl From<ObserveError> for LabError {
    fn from(error: ObserveError) -> LabError {
        LabError::other(error.to_string())
    }
}
