//! Things that a lab tries with programs of nodes.

use std::fmt;
use std::path::PathBuf;

/// Something that a lab tried with a program of a node, named by its label: `bob/nginx`.
#[derive(Clone, Debug)]
pub(crate) enum ProgramAttempt {
    /// Read what a program writes.
    ReadOutput { program: String },
    /// Send a signal.
    Signal { number: i32, program: String },
    /// Stop a program for a fault.
    Stop { program: String },
    /// Stop all threads of a program that has come to a point.
    StopThreads { program: String },
    /// Watch for the end of a program.
    Watch { program: String },
    /// Watch for changes of a file.
    WatchFile { path: PathBuf },
    /// Trace the system calls of a program.
    Trace,
    /// Wait for the packet at which a program is to stop.
    AwaitPacket,
}

impl fmt::Display for ProgramAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOutput { program } => write!(f, "read the output of `{program}`"),
            Self::Signal { number, program } => write!(f, "send signal {number} to `{program}`"),
            Self::Stop { program } => write!(f, "stop `{program}`"),
            Self::StopThreads { program } => write!(f, "stop all threads of `{program}`"),
            Self::Watch { program } => write!(f, "watch `{program}`"),
            Self::WatchFile { path } => write!(f, "watch `{}`", path.display()),
            Self::Trace => f.write_str("trace a program"),
            Self::AwaitPacket => f.write_str("wait for a packet"),
        }
    }
}
