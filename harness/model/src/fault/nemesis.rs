//! A generator of schedules: what may happen, how often, and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::Fault;
use super::refs::{LinkRef, NodeRef};
use super::split::Split;
use crate::impair::{Impairment, Percent, Reorder};

/// Choice of faults that may happen to a lab, from which a seed makes a
/// [`Schedule`](super::Schedule).
///
/// The same nemesis, seed and lab make the same schedule. All faults are healed when the duration
/// of the nemesis is over, so that a test can check what holds "eventually".
///
/// ```
/// use std::time::Duration;
///
/// use snowglobe_model::fault::{Fault, Nemesis, NodeRef, Split, Targets};
///
/// let nemesis = Nemesis::new(Duration::from_secs(30))
///     .split(3, Split::Halves)
///     .split(1, Split::PrimariesOnly("leader".to_owned()))
///     .fault(2, Fault::pause(NodeRef::any()))
///     .quiet(Duration::from_secs(1)..=Duration::from_secs(4))
///     .lasts(Duration::from_secs(2)..=Duration::from_secs(5));
/// let targets = Targets {
///     nodes: ["a", "b", "c"].map(str::to_owned).into(),
///     roles: vec!["leader".to_owned()],
///     ..Targets::default()
/// };
/// let schedule = nemesis.schedule(42, &targets)?;
/// assert_eq!(nemesis.schedule(42, &targets)?, schedule);
/// assert!(schedule.duration() <= Duration::from_secs(30));
/// # Ok::<(), snowglobe_model::fault::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Nemesis {
    pub(super) duration: Duration,
    pub(super) choices: Vec<(u32, Choice)>,
    pub(super) nodes: Vec<NodeRef>,
    pub(super) links: Vec<LinkRef>,
    pub(super) first: Duration,
    pub(super) quiet: RangeInclusive<Duration>,
    pub(super) lasts: RangeInclusive<Duration>,
    pub(super) waits: Option<Duration>,
    pub(super) lanes: usize,
    pub(super) seed: Option<u64>,
}

/// One thing that a nemesis may draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    Split(Split),
    /// A fault whose roles `any` are replaced by what is drawn.
    One(Fault),
    /// The fault on node after node, healed in another order.
    Swizzle(Fault),
    /// The fault on node after node, each healed before the next begins.
    Rolling(Fault),
    /// Something that is wrong with a clock.
    Clock(IfNone),
    /// Something that is wrong with a disk.
    Disk(IfNone),
}

/// Treatment of a choice for which the lab has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfNone {
    Refused,
    LeftOut,
}

impl Nemesis {
    /// Makes a nemesis that does nothing yet, and does it for `duration`.
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            choices: Vec::new(),
            nodes: Vec::new(),
            links: Vec::new(),
            first: Duration::ZERO,
            quiet: Duration::from_millis(500)..=Duration::from_secs(2),
            lasts: Duration::from_millis(500)..=Duration::from_secs(3),
            waits: None,
            lanes: 1,
            seed: None,
        }
    }

    /// Makes a nemesis that parts nodes in all ways that need no role.
    pub fn partitions(duration: Duration) -> Self {
        Self::new(duration)
            .split(3, Split::Halves)
            .split(3, Split::One)
            .split(2, Split::Minority)
            .split(1, Split::MinorityThird)
            .split(2, Split::MajoritiesRing)
            .split(2, Split::Bridge)
            .split(1, Split::OneWay)
    }

    /// Makes a nemesis that crashes, kills, pauses and restarts single nodes.
    pub fn crashes(duration: Duration) -> Self {
        Self::new(duration)
            .fault(2, Fault::crash(NodeRef::any()))
            .fault(2, Fault::kill_processes(NodeRef::any()))
            .fault(2, Fault::pause(NodeRef::any()))
            .fault(1, Fault::restart(NodeRef::any()))
    }

    /// Makes a nemesis that cuts, flaps and spoils single links.
    pub fn bad_links(duration: Duration) -> Self {
        let slow = Impairment {
            loss: Percent(10.0),
            reorder: Reorder::independent(Percent(10.0)),
            ..Impairment::delayed(Duration::from_millis(80))
        };
        Self::new(duration)
            .fault(2, Fault::cut(LinkRef::any()))
            .fault(1, Fault::flap(LinkRef::any(), Duration::from_millis(300)))
            .fault(2, Fault::degrade(LinkRef::any(), slow))
            .fault(1, Fault::duplicate(LinkRef::any(), Percent(20.0)))
            .fault(1, Fault::corrupt(LinkRef::any(), Percent(2.0)))
    }

    /// Makes a nemesis that sets clocks ahead or behind, has them jump, drift or stand still.
    ///
    /// It draws from the nodes that have a clock for that (`NodeSpec::faulty_clock`).
    pub fn wrong_clocks(duration: Duration) -> Self {
        Self::new(duration).wrong_clock(1)
    }

    /// Makes a nemesis that fills disks, slows them down, and makes their operations fail.
    ///
    /// It draws from the volumes that can have faults (`Volume::with_faults`). It changes nothing
    /// that a file holds: flipped bits and truncations have to be asked for, by
    /// [`fault`](Self::fault).
    pub fn broken_disks(duration: Duration) -> Self {
        Self::new(duration).broken_disk(1)
    }

    /// Makes a nemesis of all presets: partitions, crashes and bad links, and wrong clocks and
    /// broken disks where the lab has nodes that can have them.
    pub fn everything(duration: Duration) -> Self {
        let mut all = Self::partitions(duration);
        all.choices.extend(Self::crashes(duration).choices);
        all.choices.extend(Self::bad_links(duration).choices);
        all.choices.push((4, Choice::Clock(IfNone::LeftOut)));
        all.choices.push((4, Choice::Disk(IfNone::LeftOut)));
        all.swizzle(2, Fault::partition([NodeRef::any()], [NodeRef::rest()]))
    }

    /// Makes the clock of a node wrong, with a weight: an offset, a jump, a drift or a stop.
    #[must_use]
    pub fn wrong_clock(mut self, weight: u32) -> Self {
        self.choices.push((weight, Choice::Clock(IfNone::Refused)));
        self
    }

    /// Breaks a volume, with a weight: it is full, slow or read-only, or operations fail.
    #[must_use]
    pub fn broken_disk(mut self, weight: u32) -> Self {
        self.choices.push((weight, Choice::Disk(IfNone::Refused)));
        self
    }

    /// Parts the nodes in a way, with a weight: 2 is drawn twice as often as 1.
    #[must_use]
    pub fn split(mut self, weight: u32, split: Split) -> Self {
        self.choices.push((weight, Choice::Split(split)));
        self
    }

    /// Does a fault, with a weight. Each [`NodeRef::any`] and [`LinkRef::any`] in it is
    /// drawn: for a fault of a clock or a disk, from the nodes that can have it.
    #[must_use]
    pub fn fault(mut self, weight: u32, fault: Fault) -> Self {
        self.choices.push((weight, Choice::One(fault)));
        self
    }

    /// Does a fault on all nodes, one by one, and heals them one by one in another order.
    #[must_use]
    pub fn swizzle(mut self, weight: u32, fault: Fault) -> Self {
        self.choices.push((weight, Choice::Swizzle(fault)));
        self
    }

    /// Does a fault on all nodes, each healed before the next: rolling restarts and upgrades.
    #[must_use]
    pub fn rolling(mut self, weight: u32, fault: Fault) -> Self {
        self.choices.push((weight, Choice::Rolling(fault)));
        self
    }

    /// Keeps to these nodes, and to links that end at one of them. Otherwise all are drawn from.
    #[must_use]
    pub fn nodes<N: Into<NodeRef>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.nodes = nodes.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps to these links.
    #[must_use]
    pub fn links<L: Into<LinkRef>>(mut self, links: impl IntoIterator<Item = L>) -> Self {
        self.links = links.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves the lab in peace for this time at first.
    #[must_use]
    pub fn first_after(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// Sets the time between the heal of a fault and the next one.
    #[must_use]
    pub fn quiet(mut self, quiet: RangeInclusive<Duration>) -> Self {
        self.quiet = quiet;
        self
    }

    /// Sets the time for which each fault lasts.
    #[must_use]
    pub fn lasts(mut self, lasts: RangeInclusive<Duration>) -> Self {
        self.lasts = lasts;
        self
    }

    /// Lets each fault of a role wait for so long until somebody plays the role. Otherwise a fault
    /// of a role that nobody plays is left out. A fault that has waited is healed as much later.
    #[must_use]
    pub fn waits(mut self, waits: Duration) -> Self {
        self.waits = Some(waits);
        self
    }

    /// Sets the number of faults that may be in force at the same time: 1 unless set.
    #[must_use]
    pub fn side_by_side(mut self, number: usize) -> Self {
        self.lanes = number;
        self
    }

    /// Sets the seed, which is the trial's otherwise.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the time for which the nemesis is at work.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Returns the seed, if it has one of its own.
    pub fn own_seed(&self) -> Option<u64> {
        self.seed
    }
}
