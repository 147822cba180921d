//! Reasons why a node cannot do what is asked of it.

use std::fmt;

use snowglobe_fixtures::command::quoted;

use crate::impair::Percent;
use crate::kernel::errno::Errno;
use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;
use crate::model::fault::Fault;

/// The reason why a node cannot do what is asked of it.
#[derive(Debug)]
pub(crate) enum UnfitNode {
    /// The number of threads comes too late for the runtime.
    #[cfg(feature = "tokio")]
    RuntimeRuns,
    /// The node stopped the futures that the test waits for.
    #[cfg(feature = "tokio")]
    FuturesStopped,
    /// The node did not ask for a clock that faults can change.
    NoClockOfItsOwn,
    /// The kernel or the machine has no vDSO that can be changed.
    ClockUnchangeable(Errno),
    /// Programs of the node whose clock could not be changed, as text.
    ClockUnreached { programs: String },
    /// The share of a processor is not above 0 % and at most 100 %.
    ShareOfProcessor(Percent),
    /// No process runs.
    NoProcessToLimit,
    /// Each process has a lower limit already, of which this is the lowest.
    LimitsAreLower { lowest: u64 },
    /// A user namespace takes the option `nested`, which the test lacks.
    NoUserNamespace,
    /// The node asks for more ids than there are.
    TooManyIds { wanted: u32, available: u32 },
    /// The stack is on both sides of a partition.
    OnBothSides,
    /// A member of a cluster is down. `seen` is what was seen of the cluster.
    MemberDown { seen: String },
    /// A program of a member of a cluster has ended. `seen` is what was seen of the cluster.
    MemberLostProgram { seen: String },
}

impl UnfitSubject for UnfitNode {
    fn kind(&self) -> LabErrorKind {
        match self {
            #[cfg(feature = "tokio")]
            Self::RuntimeRuns => LabErrorKind::InvalidArgument,
            #[cfg(feature = "tokio")]
            Self::FuturesStopped => LabErrorKind::Other,
            Self::ShareOfProcessor(_) | Self::OnBothSides => LabErrorKind::InvalidArgument,
            Self::NoClockOfItsOwn
            | Self::ClockUnchangeable(_)
            | Self::ClockUnreached { .. }
            | Self::NoUserNamespace
            | Self::TooManyIds { .. } => LabErrorKind::NotSupported,
            // The two have one kind, so that a schedule leaves the fault out in both cases: the
            // programs that run at the time decide.
            Self::NoProcessToLimit | Self::LimitsAreLower { .. } => LabErrorKind::NotFound,
            // A caller can wait for the heal that restarts the member, as for any crashed node.
            Self::MemberDown { .. } => LabErrorKind::Crashed,
            Self::MemberLostProgram { .. } => LabErrorKind::ProcessEnded,
        }
    }
}

impl fmt::Display for UnfitNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "tokio")]
            Self::RuntimeRuns => f.write_str(
                "runs futures already: set the number of threads before the first `spawn`",
            ),
            #[cfg(feature = "tokio")]
            Self::FuturesStopped => f.write_str("has stopped its futures, and this wait with them"),
            Self::NoClockOfItsOwn => f.write_str(
                "has the clock of the machine; ask for one that faults can change by \
                 `NodeSpec::faulty_clock`",
            ),
            // The functions of the vDSO are overwritten with machine code of ours.
            Self::ClockUnchangeable(errno) => write!(
                f,
                "cannot have a wrong clock: this is done for x86-64 and a vDSO with room for it \
                 ({errno})"
            ),
            Self::ClockUnreached { programs } => write!(
                f,
                "has run programs that see the clock of the machine: {programs}; faults of the \
                 clock reach programs of 64 bits"
            ),
            Self::ShareOfProcessor(share) => {
                let least = Fault::LEAST_SHARE;
                write!(
                    f,
                    "cannot have a share of {share} of a processor; give one between {least} and \
                     100 %"
                )
            }
            Self::NoProcessToLimit => f.write_str("runs no process whose limits could be lowered"),
            Self::LimitsAreLower { lowest } => write!(
                f,
                "runs no process with a higher limit: the fault would change nothing, as {lowest} \
                 is the least that a process has already; give less"
            ),
            Self::NoUserNamespace => f.write_str(
                "wants a user namespace of its own, and a test that runs as an ordinary user \
                 makes none; give the test the option `nested`, or the node the trial's users \
                 (`Users::Trial`)",
            ),
            // A user without capabilities may map the own id alone (user_namespaces(7)).
            Self::TooManyIds { wanted, available } => write!(
                f,
                "wants {wanted} ids, but the trial has {available}; run the tests as root, or \
                 give the user a range in /etc/subuid and /etc/subgid and install `newuidmap` ({} \
                 says how), or use `Users::One`",
                quoted("doctor")
            ),
            Self::OnBothSides => f.write_str("cannot be on both sides of a partition"),
            Self::MemberDown { seen } => write!(
                f,
                "is down, and is started by `Node::restart` or by the heal of the fault that \
                 stopped it; the cluster is not ready without it; {seen}"
            ),
            Self::MemberLostProgram { seen } => write!(
                f,
                "has a program that ended before the cluster was ready; {seen}"
            ),
        }
    }
}
