//! Reasons why something failed for another reason than an error number, as data, and the one
//! place that makes sentences of the data.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::impair::{Direction, Impairment};
use crate::kernel::process::exit_kind::ExitKind;
use crate::lab::error_kind::LabErrorKind;

/// The reason why something failed. The sentence goes on from what was tried.
#[derive(Debug)]
pub(crate) enum FailureReason {
    /// Another error, which tells the reason.
    Caused {
        kind: LabErrorKind,
        error: Box<dyn Error + Send + Sync>,
    },
    /// No DHCP server gave an address to these interfaces.
    NoLease {
        interfaces: Vec<String>,
        limit: Duration,
    },
    /// A router or a DHCPv6 server did not give what a node waits for.
    NoIpv6 {
        missing: MissingIpv6,
        limit: Duration,
    },
    /// The thread that traces a program panicked.
    TracerPanicked,
    /// Some threads of a program did not stop. The program came to the point at this call.
    ThreadsStillRunning { at: String },
    /// A program is to run as a user whom its node lacks, and no user namespace can be made.
    NoSuchUser {
        uid: u32,
        gid: u32,
        /// Whether the test runs as an ordinary user.
        is_ordinary: bool,
    },
    /// A text for the kernel has a zero byte.
    ZeroByte(OsString),
    /// A wire does something other than what was asked.
    OtherImpairment {
        direction: Direction,
        asked: Box<Impairment>,
        in_force: Box<Impairment>,
    },
    /// The process belongs to no trial.
    NoTrial,
    /// The process is not the one of its trial that makes labs.
    StartedByTrial,
    /// The server of a volume did not say that it runs.
    ServerSaidNothing,
}

/// The thing that a node waits for to have addresses of IPv6.
#[derive(Debug)]
pub(crate) enum MissingIpv6 {
    /// An advertisement on the interface.
    Advertisement { interface: String },
    /// An address for the interface.
    Address { interface: String },
    /// A prefix by one of the interfaces.
    Prefix { interfaces: Vec<String> },
}

/// A program that ended badly before what somebody waited for had come.
#[derive(Debug)]
pub(crate) struct EndedProgram {
    /// The label of the program.
    pub(crate) label: String,
    pub(crate) how: ExitKind,
    /// The last lines of the program, as a clause.
    pub(crate) lines: String,
}

impl fmt::Display for EndedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, how, lines } = self;
        write!(f, "`{label}` {how} before that; {lines}")
    }
}

impl FailureReason {
    /// Makes the reason that another error tells.
    pub(crate) fn caused(
        kind: LabErrorKind,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let error = error.into();
        Self::Caused { kind, error }
    }

    /// Returns the kind of the error.
    pub(crate) fn kind(&self) -> LabErrorKind {
        match self {
            Self::Caused { kind, .. } => *kind,
            Self::NoLease { .. } | Self::NoIpv6 { .. } | Self::ThreadsStillRunning { .. } => {
                LabErrorKind::TimedOut
            }
            // The kernel refused by an errno that says nothing of users (ENOSPC).
            Self::NoSuchUser { .. } => LabErrorKind::Refused,
            Self::ZeroByte(_) => LabErrorKind::InvalidArgument,
            Self::TracerPanicked
            | Self::OtherImpairment { .. }
            | Self::NoTrial
            | Self::StartedByTrial
            | Self::ServerSaidNothing => LabErrorKind::Other,
        }
    }

    /// Returns the error that is the reason, if there is one.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Caused { error, .. } => Some(&**error),
            Self::NoLease { .. }
            | Self::NoIpv6 { .. }
            | Self::TracerPanicked
            | Self::ThreadsStillRunning { .. }
            | Self::NoSuchUser { .. }
            | Self::ZeroByte(_)
            | Self::OtherImpairment { .. }
            | Self::NoTrial
            | Self::StartedByTrial
            | Self::ServerSaidNothing => None,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The sentence of a lab's error has the reason in it, as that of std's `io::Error`.
            Self::Caused { error, .. } => error.fmt(f),
            Self::NoLease { interfaces, limit } => write!(
                f,
                "no DHCP server has given an address to {} within {limit:?}",
                interfaces.join(", ")
            ),
            Self::NoIpv6 { missing, limit } => write!(f, "{missing} within {limit:?}"),
            Self::TracerPanicked => f.write_str("the thread that traces it has panicked"),
            Self::ThreadsStillRunning { at } => write!(f, "some of its threads do not, at {at}"),
            Self::NoSuchUser {
                uid,
                gid,
                is_ordinary,
            } => {
                // The user namespace of a node is that of the trial, unless the node has its own.
                let (whose, remedy) = if *is_ordinary {
                    (
                        "the node of a test that runs as an ordinary user",
                        "give the test the option `nested`",
                    )
                } else {
                    (
                        "the node, which has users of its own,",
                        "give the test the option `nested`, or the node the trial's users \
                         (`Users::Trial`)",
                    )
                };
                write!(
                    f,
                    "{whose} lacks uid {uid} or gid {gid}, and may make no user namespace for \
                     them; {remedy}"
                )
            }
            // The kernel takes texts as C does: they end at the first zero byte.
            Self::ZeroByte(text) => write!(f, "a zero byte in {text:?}"),
            Self::OtherImpairment {
                direction,
                asked,
                in_force,
            } => write!(
                f,
                "{direction}: asked for {asked:?}, but {in_force:?} is in force"
            ),
            Self::NoTrial => f.write_str(
                "a lab needs a trial to live in; call `start()` in a function with \
                 `#[snowglobe::test]`",
            ),
            // The channel to the init of the trial belongs to the body alone.
            Self::StartedByTrial => f.write_str(
                "within a trial, the test's own process alone makes labs; where the trial has the \
                 option `nested`, programs that it starts can make labs of their own",
            ),
            Self::ServerSaidNothing => f.write_str("it did not say that it runs"),
        }
    }
}

impl fmt::Display for MissingIpv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advertisement { interface } => {
                write!(f, "no router has advertised itself on {interface}")
            }
            Self::Address { interface } => {
                write!(f, "no DHCPv6 server has given an address to {interface}")
            }
            Self::Prefix { interfaces } => write!(
                f,
                "no DHCPv6 server has delegated a prefix by {}",
                interfaces.join(", ")
            ),
        }
    }
}
