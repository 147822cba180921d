//! Faults that would change nothing.
//!
//! A test under such a fault would pass and would test nothing, so the fault is refused.

use std::error::Error;
use std::fmt;

use super::fault::Fault;
use super::refs::NodeRef;
use crate::clock::{ClockFault, TimeShift};
use crate::dns::DnsEffect;
use crate::impair::QueueLimit;

/// The reason why a fault would change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdleFault {
    /// The impairment changes no packet.
    NoImpairment,
    /// The jump of a clock is 0 s.
    NoJump,
    /// The drift of a clock is 0 ppm.
    NoDrift,
    /// The answers of a name server come 0 s late.
    NoDelay,
    /// A node runs for 100 % of the time.
    NotSlow,
    /// No pair of nodes is severed.
    NoPair,
    /// Both nodes of each pair are the same.
    SameNode,
    /// A side of a partition has no node.
    EmptySide,
    /// The name of the program is empty.
    NoProgram,
    /// A process may have more memory than a processor can address.
    AmpleMemory,
}

impl Error for IdleFault {}

/// Tells the reason, and what to give instead.
impl fmt::Display for IdleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoImpairment => {
                "the impairment changes nothing of the link: give a delay, a loss, a rate or \
                 another of its values"
            }
            Self::NoJump => "a clock that jumps by 0 s stays as it is: give a time, such as `-1h`",
            Self::NoDrift => "a clock that drifts by 0 ppm is right: give a number that is not 0",
            Self::NoDelay => "answers that come 0 s late are in time: give a delay that is not 0",
            Self::NotSlow => {
                "a node that runs for 100 % of the time is not slow: give a share below 100 %"
            }
            Self::NoPair => "there is no pair of nodes: name one",
            Self::SameNode => "both nodes of the pair are the same: name two nodes",
            Self::EmptySide => "a side of the partition has no node: name one",
            Self::NoProgram => "no program has an empty name: name one",
            Self::AmpleMemory => {
                "no process has so much memory left: give less than 128 TiB, which is all that a \
                 process can have"
            }
        })
    }
}

impl Fault {
    /// Returns the field because of which the fault would change nothing.
    pub(super) fn idle_field(&self, why: IdleFault) -> &'static str {
        match why {
            IdleFault::NoImpairment => "impairment",
            IdleFault::NoJump => "change.jump",
            IdleFault::NoDrift => "change.drift",
            IdleFault::NoDelay => "answers.effect.delay",
            IdleFault::NotSlow => "share",
            IdleFault::NoPair => "pairs",
            IdleFault::SameNode => "pairs.0",
            IdleFault::EmptySide => {
                let no_left = matches!(self, Self::Partition { left, .. } if left.is_empty());
                if no_left { "left" } else { "right" }
            }
            IdleFault::NoProgram => "program",
            IdleFault::AmpleMemory => "spare_kb",
        }
    }

    /// Returns why the fault would change nothing, if its values say so.
    ///
    /// ```
    /// use snowglobe_model::fault::{Fault, IdleFault};
    /// use snowglobe_model::impair::{Impairment, Percent};
    ///
    /// let idle = Fault::degrade("uplink", Impairment::NONE).idle();
    /// assert_eq!(idle, Some(IdleFault::NoImpairment));
    /// assert_eq!(Fault::duplicate("uplink", Percent(1.0)).idle(), None);
    /// ```
    pub fn idle(&self) -> Option<IdleFault> {
        match self {
            Self::Degrade {
                link: _,
                impairment,
            } => {
                // A short queue alone drops packets where the link itself has a rate.
                let is_idle = impairment.is_none() && impairment.queue == QueueLimit::DEFAULT;
                is_idle.then_some(IdleFault::NoImpairment)
            }
            Self::Clock { node: _, change } => match change {
                ClockFault::Jump(by) => {
                    (*by == TimeShift::default()).then_some(IdleFault::NoJump)
                }
                ClockFault::Drift(by) => (*by == 0).then_some(IdleFault::NoDrift),
                // An offset of 0 s makes a clock right that another fault has made wrong.
                ClockFault::Offset(_) | ClockFault::Freeze | ClockFault::MonotonicDrift(_) => None,
            },
            Self::Dns { node: _, answers } => {
                is_no_delay(&answers.effect).then_some(IdleFault::NoDelay)
            }
            Self::Slow { node: _, share } => {
                let is_idle = share.is_share() && share.fraction() >= 1.0;
                is_idle.then_some(IdleFault::NotSlow)
            }
            Self::Sever { pairs } if pairs.is_empty() => Some(IdleFault::NoPair),
            Self::Sever { pairs } => pairs.iter().all(is_one).then_some(IdleFault::SameNode),
            Self::Partition {
                left,
                right,
                one_way: _,
            } => (left.is_empty() || right.is_empty()).then_some(IdleFault::EmptySide),
            Self::KillProgram { node: _, program } | Self::PauseProgram { node: _, program } => {
                program.is_empty().then_some(IdleFault::NoProgram)
            }
            Self::Cut { .. }
            | Self::Flap { .. }
            | Self::Pause { .. }
            | Self::KillProcesses { .. }
            | Self::Crash { .. }
            // `DiskFault::validate` checks these, since it knows the size of a disk.
            | Self::Disk { .. }
            | Self::Restart { .. }
            // The limits that the processes of the node have when the fault begins decide.
            | Self::Descriptors { .. }
            | Self::Action { .. } => None,
            Self::Memory { node: _, spare_kb } => {
                (*spare_kb >= ALL_MEMORY_KB).then_some(IdleFault::AmpleMemory)
            }
        }
    }
}

/// Memory that a process can have in its 47 bits of addresses
/// (Documentation/arch/x86/x86_64/mm.rst, "user-space virtual memory"), in kB.
const ALL_MEMORY_KB: u64 = 1 << (47 - 10);

fn is_no_delay(effect: &DnsEffect) -> bool {
    match effect {
        DnsEffect::Delay(by) => by.is_zero(),
        DnsEffect::Servfail
        | DnsEffect::Nxdomain
        | DnsEffect::Truncate
        | DnsEffect::Silence
        | DnsEffect::Answer(_) => false,
    }
}

/// Returns whether a pair is one node. A role may stand for several nodes.
fn is_one([a, b]: &[NodeRef; 2]) -> bool {
    a == b && !matches!(a, NodeRef::Role { .. })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Schedule, Targets};
    use super::*;
    use crate::disk::DiskFault;
    use crate::dns::DnsFault;
    use crate::impair::{Impairment, Percent};
    use crate::topology::Size;

    #[test]
    fn a_fault_that_would_change_nothing_is_refused() {
        let none = TimeShift::ahead(Duration::ZERO);
        let nodes: [&str; 0] = [];
        let pairs = vec![["a".into(), "a".into()]];
        for (fault, why) in [
            (
                Fault::degrade("a–lan", Impairment::NONE),
                "give a delay, a loss",
            ),
            (
                Fault::duplicate("a–lan", Percent(0.0)),
                "give a delay, a loss",
            ),
            (
                Fault::corrupt("a–lan", Percent(0.0)),
                "give a delay, a loss",
            ),
            (Fault::clock("a", ClockFault::Jump(none)), "give a time"),
            (
                Fault::clock("a", ClockFault::Drift(0)),
                "a number that is not 0",
            ),
            (
                Fault::dns("a", DnsFault::delay(Duration::ZERO)),
                "give a delay",
            ),
            (Fault::slow("a", Percent(100.0)), "a share below 100 %"),
            (Fault::partition(["a"], nodes), "a side of the partition"),
            (Fault::partition(nodes, ["a"]), "a side of the partition"),
            (Fault::Sever { pairs }, "name two nodes"),
            (Fault::Sever { pairs: vec![] }, "there is no pair"),
            (
                Fault::disk("a", DiskFault::Full { free: Size::gib(1) }),
                "a disk has 1 GiB in all",
            ),
        ] {
            let a = || "a".to_owned();
            let targets = Targets {
                nodes: vec![a()],
                links: vec![("a–lan".to_owned(), vec![a()])],
                clocks: vec![a()],
                disks: vec![(a(), "disk".to_owned())],
                name_servers: vec![a()],
                ..Targets::default()
            };
            let schedule = Schedule::new().from_then_on(Duration::ZERO, fault.clone());
            let error = schedule
                .check(&targets)
                .expect_err(&fault.to_string())
                .to_string();
            assert!(error.contains(why), "{error}");
            // The fault is named as well.
            assert!(error.contains(&fault.to_string()), "{error}");
        }
    }

    #[test]
    fn a_fault_that_undoes_another_or_needs_another_is_not_idle() {
        let queue = QueueLimit::packets(9);
        let queue = Impairment {
            queue,
            ..Impairment::NONE
        };
        assert_eq!(Fault::degrade("a–lan", queue).idle(), None);
        let none = TimeShift::ahead(Duration::ZERO);
        assert_eq!(Fault::clock("a", ClockFault::Offset(none)).idle(), None);
    }
}
