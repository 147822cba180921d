//! Reasons why a member of a cluster is not ready.

use std::fmt;

use crate::kernel::process::exit_kind::ExitKind;
use crate::lab::process::running::NotNotified;
use crate::lab::stack::listening::SocketMissing;

/// The reason why a member of a cluster is not ready.
#[derive(Debug)]
pub(crate) enum Unready {
    /// The member is down.
    Down,
    /// A program of the member's start ended.
    Ended { program: String, how: ExitKind },
    /// A program of the member's start does not run.
    NotRunning { program: String },
    /// A socket of a program is missing.
    Socket {
        program: String,
        missing: SocketMissing,
    },
    /// A program did not say that it is ready.
    NotNotified(NotNotified),
    /// A program did not write a text.
    NotWritten { program: String, text: String },
    /// A function of the test found the member not to be ready, for this reason.
    ByTest(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it is down"),
            Self::Ended { program, how } => write!(f, "`{program}` {how}"),
            Self::NotRunning { program } => write!(f, "`{program}` does not run"),
            // Several programs of a member may have sockets, and one of them may not run.
            Self::Socket { program, missing } => write!(f, "`{program}`: {missing}"),
            Self::NotNotified(missing) => missing.fmt(f),
            Self::NotWritten { program, text } => {
                write!(f, "`{program}` has not written {text:?}")
            }
            Self::ByTest(why) => f.write_str(why),
        }
    }
}
