//! What went wrong in observing.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;

use crate::kernel::errno::errno;
use crate::model::rules::InvalidMatch;

/// Why something could not be observed, or was waited for in vain.
///
/// ```text
/// waited 2s in vain for a packet `tcp, syn, port 80` on link `alice–bob`; 2 packets passed meanwhile, the last ones:
///   +0.104312s a→b ARP, 42 bytes
///   +0.104501s b→a ARP, 42 bytes
/// ```
pub struct ObserveError(Box<Cause>);

enum Cause {
    Invalid(String),
    TimedOut {
        what: String,
        limit: Duration,
        seen: String,
    },
    Panicked(String),
    Refused {
        what: String,
        errno: Errno,
    },
}

/// What observing gives back.
pub type Result<T, E = ObserveError> = std::result::Result<T, E>;

impl ObserveError {
    pub(crate) fn invalid(sentence: impl Into<String>) -> ObserveError {
        ObserveError(Box::new(Cause::Invalid(sentence.into())))
    }

    pub(crate) fn timed_out(
        what: impl Into<String>,
        limit: Duration,
        seen: String,
    ) -> ObserveError {
        let what = what.into();
        ObserveError(Box::new(Cause::TimedOut { what, limit, seen }))
    }

    pub(crate) fn panicked(sentence: impl Into<String>) -> ObserveError {
        ObserveError(Box::new(Cause::Panicked(sentence.into())))
    }

    /// `what` is a verb with its object.
    pub(crate) fn refused(what: impl Into<String>, errno: Errno) -> ObserveError {
        let what = what.into();
        ObserveError(Box::new(Cause::Refused { what, errno }))
    }

    /// `what` is a verb with its object.
    pub(crate) fn io(what: impl Into<String>, error: &std::io::Error) -> ObserveError {
        ObserveError::refused(what, errno(error))
    }

    /// Whether it was waited for in vain.
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Cause::TimedOut { .. })
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &*self.0 {
            Cause::Refused { errno, .. } => Some(*errno as i32),
            _ => None,
        }
    }
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Invalid(sentence) | Cause::Panicked(sentence) => f.write_str(sentence),
            Cause::TimedOut { what, limit, seen } => {
                write!(f, "waited {limit:?} in vain for {what}; {seen}")
            }
            Cause::Refused { what, errno } => write!(f, "failed to {what}: {errno}"),
        }
    }
}

/// As it is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ObserveError {}

impl From<InvalidMatch> for ObserveError {
    fn from(error: InvalidMatch) -> Self {
        ObserveError::invalid(error.to_string())
    }
}
