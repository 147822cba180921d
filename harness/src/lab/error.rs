//! Why a lab could not do something: the kind, the subject, the cause, and one sentence made of
//! them.
//!
//! A test that removes nodes or asks for an engine has to tell such refusals from real failures,
//! and must not have to read sentences for that. So each error has a kind and a subject as data.
//! The sentence is made in one place, when the error is shown.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::impair::Direction;
use crate::kernel::errno::Errno;
use crate::kernel::netlink::NetlinkError;
use crate::lab::attempt::{Attempt, NetworkAttempt};
use crate::lab::failure::{EndedProgram, FailureReason};
use crate::lab::unfit::Unfit;
use crate::observe::{ObserveError, ObserveErrorKind};
use crate::remedy::hint;
use crate::topology::TopologyError;

pub use crate::lab::error_kind::LabErrorKind;

/// The result of a lab's functions.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Why a lab could not do something.
///
/// An error tells what was tried, with which node or link, and what the kernel answered:
///
/// ```text
/// failed to run `nginx` on `bob`: ENOENT: No such file or directory
/// ```
///
/// [`kind`](LabError::kind) tells errors apart:
///
/// ```no_run
/// # use snowglobe::prelude::*;
/// use snowglobe::lab::{LabErrorKind, Subject};
///
/// # #[snowglobe::test]
/// # fn t() -> TestResult {
/// # let lab = shape::pair().start()?;
/// let bob = lab.node("bob").unwrap();
/// bob.crash()?;
/// let error = bob.command("true").status().unwrap_err();
/// assert_eq!(error.kind(), LabErrorKind::Crashed);
/// assert_eq!(error.subject(), Some(&Subject::Node("bob".to_owned())));
/// # Ok(())
/// # }
/// ```
pub struct LabError(Box<LabFailure>);

/// The part of a lab that a [`LabError`] is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The lab as a whole.
    Lab,
    /// A node or pod, by name.
    Node(String),
    /// A link, by name.
    Link(String),
    /// A program, by label: `bob/nginx`.
    Process(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab => f.write_str("the lab"),
            Self::Node(name) => write!(f, "node `{name}`"),
            Self::Link(name) => write!(f, "link `{name}`"),
            Self::Process(label) => write!(f, "`{label}`"),
        }
    }
}

#[derive(Debug)]
struct LabFailure {
    subject: Option<Subject>,
    cause: LabCause,
    /// The error that caused this one, unless it is the data of the cause.
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Data of an error. `what` is what was tried.
#[derive(Debug)]
enum LabCause {
    Topology(TopologyError),
    Refused {
        what: Attempt,
        errno: Errno,
    },
    /// An error of std without an error number.
    Io {
        what: Attempt,
        kind: io::ErrorKind,
        message: String,
    },
    Network {
        whose: String,
        error: NetlinkError,
    },
    Observe {
        /// The subject as the sentence names it; nothing where the error names it itself.
        whose: Option<String>,
        error: ObserveError,
    },
    TimedOut {
        what: String,
        limit: Duration,
        last: String,
        /// Programs that may be the reason.
        ended: Vec<EndedProgram>,
    },
    /// Something was to be done with a node or link that was removed.
    Removed {
        what: Option<Attempt>,
    },
    Crashed {
        what: Attempt,
        state: NodeState,
    },
    /// The subject, or one of its directions, cannot do something.
    Unfit {
        direction: Option<Direction>,
        reason: Unfit,
    },
    /// A value has no meaning for the subject, or for one of its directions.
    InvalidValue {
        direction: Option<Direction>,
        why: String,
    },
    Failed {
        what: Attempt,
        why: FailureReason,
    },
}

/// The state of a node that cannot do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// A test has called `crash`.
    Crashed,
    /// The first process was killed from elsewhere.
    Dead,
    /// The first process died before it answered.
    Died,
}

impl LabError {
    fn new(cause: LabCause) -> Self {
        Self(Box::new(LabFailure {
            subject: None,
            cause,
            source: None,
        }))
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Names the part of the lab that the error is about, unless it has been named.
    #[must_use]
    pub(crate) fn about(mut self, subject: Subject) -> Self {
        self.0.subject.get_or_insert(subject);
        self
    }

    /// Names the node that the error is about.
    #[must_use]
    pub(crate) fn about_node(self, name: &str) -> Self {
        self.about(Subject::Node(name.to_owned()))
    }

    /// Names the program that the error is about, by its label.
    #[must_use]
    pub(crate) fn about_program(self, label: &str) -> Self {
        self.about(Subject::Process(label.to_owned()))
    }

    /// Names the link that the error is about.
    #[must_use]
    pub(crate) fn about_link(self, name: &str) -> Self {
        self.about(Subject::Link(name.to_owned()))
    }

    /// Makes the error that the kernel refused what was tried.
    pub(crate) fn refused(what: impl Into<Attempt>, errno: Errno) -> Self {
        let what = what.into();
        Self::new(LabCause::Refused { what, errno })
    }

    /// Makes the error that what was tried failed by an error of std.
    pub(crate) fn io(what: impl Into<Attempt>, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::refused(what, Errno::from_raw(code)),
            None => Self::new(LabCause::Io {
                what: what.into(),
                kind: error.kind(),
                message: error.to_string(),
            }),
        }
    }

    /// Makes the error that a request by netlink was refused, in the namespace of `whose`.
    pub(crate) fn network(whose: impl Into<String>, error: NetlinkError) -> Self {
        let whose = whose.into();
        Self::new(LabCause::Network { whose, error })
    }

    /// Makes the error that a link cannot be observed as asked.
    pub(crate) fn observing_link(name: &str, error: ObserveError) -> Self {
        let whose = Some(Subject::Link(name.to_owned()).to_string());
        Self::new(LabCause::Observe { whose, error }).about_link(name)
    }

    /// Makes the error that a condition did not come in time.
    pub(crate) fn timed_out(
        what: impl Into<String>,
        limit: Duration,
        last: impl Into<String>,
    ) -> Self {
        Self::new(LabCause::TimedOut {
            what: what.into(),
            limit,
            last: last.into(),
            ended: Vec::new(),
        })
    }

    /// Names programs that have ended badly, where the error is that a condition did not come in
    /// time.
    #[must_use]
    pub(crate) fn with_ended(mut self, programs: impl FnOnce() -> Vec<EndedProgram>) -> Self {
        if let LabCause::TimedOut { ended, .. } = &mut self.0.cause {
            *ended = programs();
        }
        self
    }

    /// Makes the error that the subject was removed from the lab.
    pub(crate) fn removed(subject: Subject) -> Self {
        Self::new(LabCause::Removed { what: None }).about(subject)
    }

    /// Makes the error that something was to be done with a node that was removed.
    pub(crate) fn removed_before(what: impl Into<Attempt>, node: &str) -> Self {
        let what = Some(what.into());
        Self::new(LabCause::Removed { what }).about_node(node)
    }

    /// Makes the error that something was to be done in a node that does not run.
    pub(crate) fn crashed(what: impl Into<Attempt>, node: &str, state: NodeState) -> Self {
        let what = what.into();
        Self::new(LabCause::Crashed { what, state }).about_node(node)
    }

    /// Makes the error that the subject cannot do what is asked of it.
    pub(crate) fn unfit(subject: Subject, reason: impl Into<Unfit>) -> Self {
        let reason = reason.into();
        Self::new(LabCause::Unfit {
            direction: None,
            reason,
        })
        .about(subject)
    }

    /// Makes the error that the subject cannot do what is asked of one of its directions.
    pub(crate) fn unfit_in(
        subject: Subject,
        direction: Direction,
        reason: impl Into<Unfit>,
    ) -> Self {
        let (direction, reason) = (Some(direction), reason.into());
        Self::new(LabCause::Unfit { direction, reason }).about(subject)
    }

    /// Makes the error that a value has no meaning for the subject, or for one of its directions.
    pub(crate) fn invalid_value(
        subject: Subject,
        direction: Option<Direction>,
        refusal: impl Error + Send + Sync + 'static,
    ) -> Self {
        let why = refusal.to_string();
        Self::new(LabCause::InvalidValue { direction, why })
            .about(subject)
            .caused_by(refusal)
    }

    /// Makes the error that something failed for a reason other than an error number.
    pub(crate) fn failed(what: impl Into<Attempt>, why: FailureReason) -> Self {
        let what = what.into();
        Self::new(LabCause::Failed { what, why })
    }

    /// Makes the error that something failed by another error, which tells the reason.
    pub(crate) fn caused(
        kind: LabErrorKind,
        what: impl Into<Attempt>,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::failed(what, FailureReason::caused(kind, error))
    }

    /// Makes the error that the network namespace of a node that was removed was to be used.
    pub(crate) fn removed_namespace() -> Self {
        let what = Some(NetworkAttempt::ReachNode.into());
        Self::new(LabCause::Removed { what })
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> LabErrorKind {
        match &self.0.cause {
            LabCause::Topology(_) => LabErrorKind::InvalidTopology,
            LabCause::Refused {
                errno: Errno::ENOENT,
                ..
            }
            | LabCause::Io {
                kind: io::ErrorKind::NotFound,
                ..
            } => LabErrorKind::NotFound,
            LabCause::Refused { .. } => LabErrorKind::Refused,
            LabCause::Io { .. } => LabErrorKind::Other,
            LabCause::Network { error, .. } => network_kind(error),
            LabCause::Observe { error, .. } => observe_kind(error.kind()),
            LabCause::TimedOut { .. } => LabErrorKind::TimedOut,
            LabCause::Removed { .. } => LabErrorKind::Removed,
            LabCause::Crashed { .. } => LabErrorKind::Crashed,
            LabCause::Unfit { reason, .. } => reason.kind(),
            LabCause::Failed { why, .. } => why.kind(),
            LabCause::InvalidValue { .. } => LabErrorKind::InvalidArgument,
        }
    }

    /// Returns the node, link or program that the error is about, where there is one.
    pub fn subject(&self) -> Option<&Subject> {
        self.0.subject.as_ref()
    }

    /// Returns the kernel's error number, if it was the kernel that refused.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0.cause {
            LabCause::Refused { errno, .. } => Some(*errno as i32),
            LabCause::Network { error, .. } => error.errno().map(|errno| errno as i32),
            LabCause::Observe { error, .. } => error.raw_os_error(),
            LabCause::Topology(_)
            | LabCause::Io { .. }
            | LabCause::TimedOut { .. }
            | LabCause::Removed { .. }
            | LabCause::Crashed { .. }
            | LabCause::Unfit { .. }
            | LabCause::InvalidValue { .. }
            | LabCause::Failed { .. } => None,
        }
    }

    /// Returns whether a wait was in vain.
    pub fn is_timeout(&self) -> bool {
        self.kind() == LabErrorKind::TimedOut
    }
}

fn network_kind(error: &NetlinkError) -> LabErrorKind {
    if error.is_timeout() {
        LabErrorKind::TimedOut
    } else if error.errno().is_some() {
        LabErrorKind::Refused
    } else {
        LabErrorKind::Other
    }
}

fn observe_kind(kind: ObserveErrorKind) -> LabErrorKind {
    match kind {
        ObserveErrorKind::Invalid => LabErrorKind::InvalidArgument,
        ObserveErrorKind::TimedOut => LabErrorKind::TimedOut,
        ObserveErrorKind::Refused => LabErrorKind::Refused,
        ObserveErrorKind::RulePanicked => LabErrorKind::Other,
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.0.subject.as_ref().unwrap_or(&Subject::Lab);
        match &self.0.cause {
            LabCause::Topology(error) => error.fmt(f),
            LabCause::Refused { what, errno } => {
                write!(f, "failed to {what}: {errno}")?;
                hint(*errno).map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            LabCause::Io {
                what,
                kind: _,
                message,
            } => write!(f, "failed to {what}: {message}"),
            LabCause::Network { whose, error } => {
                write!(f, "{error}, in {whose}")?;
                // What another errno means to netlink, the error itself says.
                match error.errno() {
                    Some(Errno::EMFILE) => {
                        hint(Errno::EMFILE).map_or(Ok(()), |hint| write!(f, " ({hint})"))
                    }
                    _ => Ok(()),
                }
            }
            LabCause::Observe {
                whose: Some(whose),
                error,
            } => write!(f, "{whose}: {error}"),
            LabCause::Observe { whose: None, error } => error.fmt(f),
            LabCause::TimedOut {
                what,
                limit,
                last,
                ended,
            } => {
                write!(f, "waited {limit:?} in vain for {what}; last seen: {last}")?;
                ended
                    .iter()
                    .try_for_each(|program| write!(f, "\n{program}"))
            }
            LabCause::Removed { what: None } => write!(f, "{subject} was removed"),
            LabCause::Removed { what: Some(what) } => write!(f, "failed to {what}: it was removed"),
            LabCause::Crashed { what, state } => write!(f, "failed to {what}: {state}"),
            LabCause::Unfit {
                direction: Some(direction),
                reason,
            } => write!(f, "{subject}, {direction}, {reason}"),
            LabCause::Unfit {
                direction: None,
                reason,
            } => write!(f, "{subject} {reason}"),
            LabCause::InvalidValue { direction, why } => {
                write!(f, "{subject}")?;
                direction.map_or(Ok(()), |direction| write!(f, ", {direction}"))?;
                write!(f, ": {why}")
            }
            LabCause::Failed { what, why } => write!(f, "failed to {what}: {why}"),
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crashed => "the node has crashed; restart it first",
            Self::Dead => "the node's first process is dead; restart the node",
            Self::Died => "the node's first process died",
        })
    }
}

/// Shows the sentence: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for LabError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            LabCause::Topology(error) => Some(error),
            LabCause::Refused { errno, .. } => Some(errno),
            LabCause::Network { error, .. } => Some(error),
            LabCause::Observe { error, .. } => Some(error),
            LabCause::Unfit { reason, .. } => reason.source(),
            LabCause::Failed { why, .. } => why.source(),
            LabCause::InvalidValue { .. }
            | LabCause::Io { .. }
            | LabCause::TimedOut { .. }
            | LabCause::Removed { .. }
            | LabCause::Crashed { .. } => Some(self.0.source.as_deref()?),
        }
    }
}

impl From<TopologyError> for LabError {
    fn from(error: TopologyError) -> Self {
        Self::new(LabCause::Topology(error))
    }
}

impl From<ObserveError> for LabError {
    fn from(error: ObserveError) -> Self {
        Self::new(LabCause::Observe { whose: None, error })
    }
}
