//! Refusals of the kernel, told so that a reader can act.
//!
//! `EEXIST` alone tells nothing. An error here has the operation, the object, the errno, the
//! sentence that the kernel added, and an explanation where the errno's name would mislead.

use std::fmt;

use nix::errno::Errno;

/// A refusal by the kernel, or an answer that never came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetlinkError {
    operation: &'static str,
    subject: String,
    cause: NetlinkFailure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NetlinkFailure {
    Refused {
        errno: Errno,
        kernel: Option<String>,
    },
    TimedOut {
        last_state: String,
    },
    Malformed {
        reason: String,
    },
    Unlike {
        what: String,
    },
}

impl NetlinkError {
    /// Makes the error for a refusal with an errno, and maybe with a sentence of the kernel.
    pub fn refused(
        operation: &'static str,
        subject: impl Into<String>,
        errno: Errno,
        kernel: Option<String>,
    ) -> Self {
        Self {
            operation,
            subject: subject.into(),
            cause: NetlinkFailure::Refused { errno, kernel },
        }
    }

    /// Makes the error for a deadline that passed, with the last state that was seen.
    pub fn timed_out(
        operation: &'static str,
        subject: impl Into<String>,
        last_state: String,
    ) -> Self {
        Self {
            operation,
            subject: subject.into(),
            cause: NetlinkFailure::TimedOut { last_state },
        }
    }

    /// Makes the error for an answer that cannot be read.
    pub(crate) fn malformed(
        operation: &'static str,
        subject: impl Into<String>,
        reason: impl fmt::Display,
    ) -> Self {
        Self {
            operation,
            subject: subject.into(),
            cause: NetlinkFailure::Malformed {
                reason: reason.to_string(),
            },
        }
    }

    /// Makes the error for a request that the kernel accepted without doing what was asked, or for
    /// which the kernel has no word.
    pub fn unlike(
        operation: &'static str,
        subject: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            subject: subject.into(),
            cause: NetlinkFailure::Unlike { what: what.into() },
        }
    }

    /// Returns the operation as a verb phrase, such as `create the veth pair`.
    pub fn operation(&self) -> &str {
        self.operation
    }

    /// Returns the name of the operation's object, usually an interface.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the error number, if the kernel gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self.cause {
            NetlinkFailure::Refused { errno, .. } => Some(errno),
            NetlinkFailure::TimedOut { .. }
            | NetlinkFailure::Unlike { .. }
            | NetlinkFailure::Malformed { .. } => None,
        }
    }

    /// Tells whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, NetlinkFailure::TimedOut { .. })
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "failed to {} `{}`: ", self.operation, self.subject)?;
        match &self.cause {
            NetlinkFailure::Refused { errno, kernel } => {
                write!(out, "{errno}")?;
                if let Some(words) = kernel {
                    // An extended acknowledgement often names the wrong attribute, which no errno
                    // does.
                    write!(out, "; the kernel says: {words}")?;
                }
                match explanation(*errno) {
                    Some(why) => write!(out, " ({why})"),
                    None => Ok(()),
                }
            }
            NetlinkFailure::TimedOut { last_state } => {
                write!(out, "timed out; last seen: {last_state}")
            }
            NetlinkFailure::Unlike { what } => out.write_str(what),
            NetlinkFailure::Malformed { reason } => {
                write!(out, "cannot read the kernel's answer: {reason}")
            }
        }
    }
}

impl std::error::Error for NetlinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            NetlinkFailure::Refused { errno, .. } => Some(errno),
            NetlinkFailure::TimedOut { .. }
            | NetlinkFailure::Unlike { .. }
            | NetlinkFailure::Malformed { .. } => None,
        }
    }
}

/// Returns the usual meaning of an errno in this layer, where its name alone would mislead.
#[expect(clippy::wildcard_enum_match_arm, reason = "most names say enough")]
fn explanation(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EPERM | Errno::EACCES => {
            "this needs CAP_NET_ADMIN in the user namespace that owns the network namespace"
        }
        // `BR_MAX_PORTS` is 1 << 10, and port 0 is not used (net/bridge/br_private.h).
        Errno::EXFULL => "a bridge takes at most 1023 ports: use several bridges",
        Errno::EEXIST => {
            "the name, the index or the address is already taken in that network namespace"
        }
        Errno::ENODEV => "there is no such interface in that network namespace",
        // A missing module and a missing option give the same answer.
        Errno::EOPNOTSUPP => "this kernel was built without it, or its module is not loaded",
        Errno::EBADF => "the descriptor does not refer to a network namespace",
        Errno::ENOBUFS => "the socket's queue overflowed and answers were lost",
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
            "the gateway is not on a network that the interface has an address in, or the interface is down"
        }
        _ => return None,
    })
}
