//! Reasons why a program cannot do what is asked of it, and programs that a node does not run.

use std::fmt;

use snowglobe_text::in_backticks;

use crate::kernel::errno::Errno;
use crate::kernel::process::calls::known_names;
use crate::kernel::process::exit_kind::ExitKind;
use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;

/// The reason why a program cannot do what is asked of it.
#[derive(Debug)]
pub(crate) enum UnfitProgram {
    /// The end of the program cannot be waited for.
    NoEnd,
    /// The program was started without a socket for its readiness.
    NoReadinessSocket,
    /// The program ended, or closed its outputs if `how` is `None`, while something was expected
    /// of it.
    Ended {
        how: Option<ExitKind>,
        before: EndedBefore,
        /// The last lines that the program wrote.
        lines: String,
    },
    /// The program ended before anything was at a socket of its node, in which nothing else runs.
    EndedAlone {
        how: Option<ExitKind>,
        /// What was to happen at the socket: a verb with its object.
        event: String,
        node: String,
        lines: String,
    },
    /// The program ended before it came to a point.
    EndedBeforePoint { lines: String },
    /// The program ended before it was traced.
    EndedBeforeTrace,
    /// No program can be stopped at a system call of this name.
    UnknownCall(String),
    /// A system call that names no file cannot be one on a file whose path has a part.
    CallWithoutFile { call: String, part: String },
    /// The first process of the node traces the program.
    TracedForClock,
    /// Another process traces the program.
    TracedBy { pid: i32 },
    /// The kernel refused to trace the program.
    Untraceable(Errno),
    /// A node runs no program of this name. The subject is the node.
    NotRun {
        name: String,
        /// Labels of the programs that the node runs.
        others: Vec<String>,
    },
}

/// The event that was waited for when a program ended.
#[derive(Debug)]
pub(crate) enum EndedBefore {
    /// The program was to write this.
    Wrote(String),
    /// Something was to be at a socket. The event is a verb with its object.
    Socket { event: String, remains: Remains },
    /// The program was to say that it is ready.
    Ready {
        remains: Remains,
        /// The last status that the program told, as a clause.
        status: String,
    },
}

/// What a program left in its node when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// The program ended badly, so that nobody looked for what it left.
    Unknown,
    /// The program ended well and left no process that could go on in its place.
    Nothing,
}

impl UnfitSubject for UnfitProgram {
    fn kind(&self) -> LabErrorKind {
        match self {
            Self::NoEnd => LabErrorKind::Other,
            Self::NoReadinessSocket | Self::CallWithoutFile { .. } => LabErrorKind::InvalidArgument,
            Self::Ended { .. }
            | Self::EndedAlone { .. }
            | Self::EndedBeforePoint { .. }
            | Self::EndedBeforeTrace => LabErrorKind::ProcessEnded,
            Self::UnknownCall(_) | Self::NotRun { .. } => LabErrorKind::NotFound,
            Self::TracedForClock | Self::TracedBy { .. } | Self::Untraceable(_) => {
                LabErrorKind::NotSupported
            }
        }
    }
}

impl fmt::Display for UnfitProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEnd => f.write_str("cannot be waited for"),
            Self::NoReadinessSocket => f.write_str(
                "has no socket to tell of its readiness; start it with `Command::notify()`",
            ),
            Self::Ended { how, before, lines } => {
                match how {
                    Some(how) => how.fmt(f)?,
                    // A program that becomes a daemon closes its outputs and has no status yet.
                    None => f.write_str("closed its outputs")?,
                }
                write!(f, " before it {before}; {lines}")
            }
            Self::EndedAlone {
                how,
                event,
                node,
                lines,
            } => {
                how.map_or(Ok(()), |how| how.fmt(f))?;
                write!(
                    f,
                    " before anything {event} of node `{node}`, in which nothing else runs; {lines}"
                )
            }
            Self::EndedBeforePoint { lines } => {
                write!(f, "ended before it came to the point; {lines}")
            }
            Self::EndedBeforeTrace => f.write_str("has ended, and makes no system call any more"),
            Self::UnknownCall(name) => {
                write!(
                    f,
                    "cannot be stopped at the system call `{name}`; it can at {}",
                    known_names().join(", ")
                )
            }
            Self::CallWithoutFile { call, part } => write!(
                f,
                "never makes the system call `{call}` on `{part}`, for the call names no file; \
                 take `Point::system_call`"
            ),
            // A thread has one tracer at a time (ptrace(2)).
            Self::TracedForClock => f.write_str(
                "is traced for the clock of its node, and the kernel permits one tracer; take a \
                 node without `NodeSpec::faulty_clock` for a point at a system call",
            ),
            Self::TracedBy { pid } => write!(
                f,
                "is traced by process {pid}, and the kernel permits one tracer"
            ),
            Self::Untraceable(errno) => {
                write!(
                    f,
                    "cannot be traced, as a point at a system call needs ({errno})"
                )?;
                // Others, as ESRCH of a program that is gone, depend on no setting (ptrace(2)).
                if ![Errno::EPERM, Errno::EACCES].contains(errno) {
                    return Ok(());
                }
                f.write_str(
                    ": the machine forbids it, by `kernel.yama.ptrace_scope` (below 3 permits it) \
                     or by the filter of a container (`--cap-add SYS_PTRACE`)",
                )
            }
            Self::NotRun { name, others } if others.is_empty() => {
                write!(f, "runs no program `{name}`, and no other program either")
            }
            Self::NotRun { name, others } => {
                write!(
                    f,
                    "runs no program `{name}`; it runs {}",
                    in_backticks(others)
                )
            }
        }
    }
}

impl fmt::Display for EndedBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrote(text) => write!(f, "wrote {text:?}"),
            Self::Socket { event, remains } => write!(f, "{event}{remains}"),
            Self::Ready { remains, status } => write!(f, "was ready{remains}; {status}"),
        }
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The exit status tells a bad end by itself.
            Self::Unknown => Ok(()),
            Self::Nothing => f.write_str(" and left no process"),
        }
    }
}
