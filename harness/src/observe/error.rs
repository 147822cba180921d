//! Why something could not be observed: a wait that was in vain, or a capture that was refused.
//!
//! A test that waited for a packet in vain has to show which packets came instead, and a caller
//! has to be able to tell this case from a full disk. So the data stand in variants, the sentence
//! is made in one place, and a refusal keeps the error of the system call.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::packet::Packet;
use crate::model::rules::InvalidMatch;

/// Why something could not be observed, or was waited for in vain.
///
/// ```text
/// waited 2s in vain for a packet `tcp, syn, port 80` on link `alice–bob`; 2 other packets passed
/// meanwhile, the last ones:
///   +0.104312s a→b ARP, 42 bytes
///   +0.104501s b→a ARP, 42 bytes
/// ```
pub struct ObserveError(Box<ObserveFailure>);

/// The kind of failure that an [`ObserveError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObserveErrorKind {
    /// The test asked for something that cannot be: a match that no packet fits, a capture outside
    /// of a trial, a value of `SNOWGLOBE_CAPTURE` that there is not.
    Invalid,
    /// The packets that were waited for did not come in time.
    TimedOut,
    /// A closure of a match panicked, so that its rule sees no more packets.
    RulePanicked,
    /// The kernel refused to make or to write a file.
    Refused,
}

/// The result of observing.
pub type Result<T, E = ObserveError> = std::result::Result<T, E>;

/// The data of an error.
#[derive(Debug)]
pub(super) enum ObserveFailure {
    InvalidMatch(InvalidMatch),
    OutsideOfTrial,
    /// Value of the environment's `SNOWGLOBE_CAPTURE`.
    UnknownPolicy(String),
    /// Path of the test program, above which there is no target directory.
    NoTargetDirectory(PathBuf),
    TimedOut(Wait),
    RulePanicked {
        matching: String,
        link: String,
        message: String,
    },
    Refused {
        step: RefusedStep,
        error: io::Error,
    },
}

/// A wait for packets that was in vain.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) matching: String,
    pub(super) link: String,
    pub(super) limit: Duration,
    /// Number of packets that were waited for.
    pub(super) wanted: u64,
    /// Number of packets that came.
    pub(super) came: u64,
    /// Number of other packets that passed.
    pub(super) others: u64,
    /// The last of these other packets, oldest first.
    pub(super) last_others: Vec<Packet>,
}

/// A step of capturing that the kernel can refuse.
#[derive(Debug)]
pub(super) enum RefusedStep {
    FindProgram,
    MakeCapture(PathBuf),
    WriteCapture(PathBuf),
    OpenKeyLog(&'static str),
}

impl ObserveError {
    /// Makes the error of a step that was refused.
    pub(super) fn refused(step: RefusedStep, error: io::Error) -> Self {
        ObserveFailure::Refused { step, error }.into()
    }

    /// Returns what kind of failure this is.
    pub fn kind(&self) -> ObserveErrorKind {
        match &*self.0 {
            ObserveFailure::InvalidMatch(_)
            | ObserveFailure::OutsideOfTrial
            | ObserveFailure::UnknownPolicy(_)
            | ObserveFailure::NoTargetDirectory(_) => ObserveErrorKind::Invalid,
            ObserveFailure::TimedOut(_) => ObserveErrorKind::TimedOut,
            ObserveFailure::RulePanicked { .. } => ObserveErrorKind::RulePanicked,
            ObserveFailure::Refused { .. } => ObserveErrorKind::Refused,
        }
    }

    /// Returns whether packets were waited for in vain.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ObserveErrorKind::TimedOut
    }

    /// Returns the kernel's error number, if it was the kernel that refused.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &*self.0 {
            ObserveFailure::Refused { error, .. } => error.raw_os_error(),
            ObserveFailure::InvalidMatch(_)
            | ObserveFailure::OutsideOfTrial
            | ObserveFailure::UnknownPolicy(_)
            | ObserveFailure::NoTargetDirectory(_)
            | ObserveFailure::TimedOut(_)
            | ObserveFailure::RulePanicked { .. } => None,
        }
    }
}

impl From<ObserveFailure> for ObserveError {
    fn from(failure: ObserveFailure) -> Self {
        Self(Box::new(failure))
    }
}

/// A match that no packet fits, found when a rule is added.
impl From<InvalidMatch> for ObserveError {
    fn from(invalid: InvalidMatch) -> Self {
        ObserveFailure::InvalidMatch(invalid).into()
    }
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ObserveFailure::InvalidMatch(invalid) => invalid.fmt(f),
            ObserveFailure::OutsideOfTrial => {
                f.write_str("nothing can be captured outside of a trial")
            }
            ObserveFailure::UnknownPolicy(value) => write!(
                f,
                "SNOWGLOBE_CAPTURE is `{value}`; it can be `always`, `failure` or `off`"
            ),
            ObserveFailure::NoTargetDirectory(program) => write!(
                f,
                "there is no target directory above `{}` to keep a file in; run the program \
                 where cargo has built it",
                program.display()
            ),
            ObserveFailure::TimedOut(wait) => wait.fmt(f),
            ObserveFailure::RulePanicked {
                matching,
                link,
                message,
            } => write!(
                f,
                "a closure of the rule `{matching}` on link `{link}` panicked: {message}"
            ),
            ObserveFailure::Refused { step, error } => {
                write!(f, "failed to {step}: ")?;
                match error.raw_os_error() {
                    Some(number) => crate::kernel::errno::Errno::from_raw(number).fmt(f),
                    None => error.fmt(f),
                }
            }
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            matching,
            link,
            limit,
            wanted,
            came,
            others,
            last_others,
        } = self;
        write!(f, "waited {limit:?} in vain for ")?;
        match wanted {
            1 => write!(f, "a packet `{matching}` on link `{link}`; ")?,
            _ => write!(f, "{wanted} packets `{matching}` on link `{link}`; ")?,
        }
        if *came > 0 {
            write!(f, "there were {came}; ")?;
        }
        match others {
            0 => f.write_str("no other packet passed meanwhile")?,
            1 => f.write_str("one other packet passed meanwhile:")?,
            count => write!(f, "{count} other packets passed meanwhile, the last ones:")?,
        }
        for packet in last_others {
            f.write_char('\n')?;
            write!(f, "  {packet}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RefusedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindProgram => f.write_str("find out where this program lies"),
            Self::MakeCapture(path) => write!(f, "make the capture `{}`", path.display()),
            Self::WriteCapture(path) => write!(f, "write the capture `{}`", path.display()),
            Self::OpenKeyLog(path) => write!(f, "open `{path}`"),
        }
    }
}

/// As the error is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ObserveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            ObserveFailure::InvalidMatch(invalid) => Some(invalid),
            ObserveFailure::Refused { error, .. } => Some(error),
            ObserveFailure::OutsideOfTrial
            | ObserveFailure::UnknownPolicy(_)
            | ObserveFailure::NoTargetDirectory(_)
            | ObserveFailure::TimedOut(_)
            | ObserveFailure::RulePanicked { .. } => None,
        }
    }
}
