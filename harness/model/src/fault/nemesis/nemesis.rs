//! A generator of schedules: what may happen, how often, and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::split::Split;
use crate::fault::fault::Fault;
use crate::fault::refs::{LinkRef, NodeRef};
use crate::impair::{Impairment, Percent, Reorder};

/// Choice of faults that may happen to a lab, from which a seed makes a
/// [`Schedule`](crate::fault::Schedule).
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
    pub(super) candidates: Vec<Candidate>,
    pub(super) nodes: Vec<NodeRef>,
    pub(super) links: Vec<LinkRef>,
    pub(super) first: Duration,
    pub(super) quiet: RangeInclusive<Duration>,
    pub(super) lasts: RangeInclusive<Duration>,
    pub(super) waits: Option<Duration>,
    pub(super) lanes: usize,
    pub(super) seed: Option<u64>,
}

/// A choice, and how often it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Relative frequency: a candidate of weight 2 is drawn twice as often as one of weight 1.
    pub(super) weight: u32,
    pub(super) choice: Choice,
    pub(super) if_none: IfNone,
}

/// One thing that a nemesis may draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    Split(Split),
    /// A fault. Each role `any` in it is replaced by a node or a link that is drawn.
    One(Fault),
    /// The fault on node after node, healed in another order.
    Swizzle(Fault),
    /// The fault on node after node, each healed before the next begins.
    Rolling(Fault),
    /// Something that is wrong with a clock.
    Clock,
    /// Something that is wrong with a disk.
    Disk,
    /// Something that is wrong with the answers of a name server.
    NameServer,
    /// A resource of which the processes of a node have too little.
    Scarcity,
}

/// Treatment of a choice for which the lab has no nodes, links or disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfNone {
    Refused,
    LeftOut,
}

impl Nemesis {
    /// Makes a nemesis that is at work for `duration`, without faults yet.
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            candidates: Vec::new(),
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

    /// Makes a nemesis that partitions nodes in all ways that need no role, and for which the lab
    /// has enough nodes.
    pub fn partitions(duration: Duration) -> Self {
        Self::new(duration)
            .split(3, Split::Halves)
            .split(3, Split::One)
            .split(1, Split::OneWay)
            .where_possible(2, Choice::Split(Split::Minority))
            .where_possible(1, Choice::Split(Split::MinorityThird))
            .where_possible(2, Choice::Split(Split::MajoritiesRing))
            .where_possible(2, Choice::Split(Split::Bridge))
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

    /// Makes a nemesis that sets clocks ahead or behind, lets them jump, drift or stand still.
    ///
    /// The nemesis draws from the nodes that have a clock for that (`NodeSpec::faulty_clock`).
    pub fn wrong_clocks(duration: Duration) -> Self {
        Self::new(duration).wrong_clock(1)
    }

    /// Makes a nemesis that fills disks, slows them down, and makes their operations fail.
    ///
    /// The nemesis draws from the volumes that can have faults (`Volume::with_faults`), and changes
    /// nothing that a file holds: flipped bits and truncations have to be asked for, by
    /// [`fault`](Self::fault).
    pub fn broken_disks(duration: Duration) -> Self {
        Self::new(duration).broken_disk(1)
    }

    /// Makes a nemesis that makes answers of name servers late, wrong or missing.
    ///
    /// It draws from the nodes that have a name server (`NodeSpec::dns`).
    pub fn failing_name_servers(duration: Duration) -> Self {
        Self::new(duration).failing_name_server(1)
    }

    /// Makes a nemesis that leaves nodes little of a processor, few descriptors or little memory.
    pub fn scarce_resources(duration: Duration) -> Self {
        Self::new(duration).scarce_resource(1)
    }

    /// Makes a nemesis of all presets. Faults for which the lab lacks nodes, links, clocks, disks
    /// or name servers are left out.
    pub fn everything(duration: Duration) -> Self {
        let mut all = Self::partitions(duration);
        all.candidates.extend(Self::crashes(duration).candidates);
        all.candidates.extend(Self::bad_links(duration).candidates);
        all = all
            .wrong_clock(4)
            .broken_disk(4)
            .failing_name_server(2)
            .scarce_resource(3)
            .swizzle(2, Fault::partition([NodeRef::any()], [NodeRef::rest()]));
        for candidate in &mut all.candidates {
            candidate.if_none = IfNone::LeftOut;
        }
        all
    }

    fn refused(self, weight: u32, choice: Choice) -> Self {
        self.candidate(weight, choice, IfNone::Refused)
    }

    fn where_possible(self, weight: u32, choice: Choice) -> Self {
        self.candidate(weight, choice, IfNone::LeftOut)
    }

    fn candidate(mut self, weight: u32, choice: Choice, if_none: IfNone) -> Self {
        self.candidates.push(Candidate {
            weight,
            choice,
            if_none,
        });
        self
    }

    /// Makes the clock of a node wrong, with a weight: an offset, a jump, a drift or a stop.
    #[must_use]
    pub fn wrong_clock(self, weight: u32) -> Self {
        self.refused(weight, Choice::Clock)
    }

    /// Breaks a volume, with a weight: it is full, slow or read-only, or operations fail.
    #[must_use]
    pub fn broken_disk(self, weight: u32) -> Self {
        self.refused(weight, Choice::Disk)
    }

    /// Makes the answers of a name server late, wrong or missing, with a weight.
    #[must_use]
    pub fn failing_name_server(self, weight: u32) -> Self {
        self.refused(weight, Choice::NameServer)
    }

    /// Leaves a node too little of something, with a weight: a small share of a processor, few
    /// descriptors, or little memory.
    #[must_use]
    pub fn scarce_resource(self, weight: u32) -> Self {
        self.refused(weight, Choice::Scarcity)
    }

    /// Parts the nodes in a way, with a weight: 2 is drawn twice as often as 1.
    #[must_use]
    pub fn split(self, weight: u32, split: Split) -> Self {
        self.refused(weight, Choice::Split(split))
    }

    /// Does a fault, with a weight. Each [`NodeRef::any`] and [`LinkRef::any`] in it is
    /// drawn: for a fault of a clock or a disk, from the nodes that can have it.
    #[must_use]
    pub fn fault(self, weight: u32, fault: Fault) -> Self {
        self.refused(weight, Choice::One(fault))
    }

    /// Does a fault on all nodes, one by one, and heals them one by one in another order. Each
    /// node takes the place of [`NodeRef::any`] in its turn.
    #[must_use]
    pub fn swizzle(self, weight: u32, fault: Fault) -> Self {
        self.refused(weight, Choice::Swizzle(fault))
    }

    /// Does a fault on all nodes, each healed before the next: rolling restarts and upgrades. Each
    /// node takes the place of [`NodeRef::any`] in its turn.
    #[must_use]
    pub fn rolling(self, weight: u32, fault: Fault) -> Self {
        self.refused(weight, Choice::Rolling(fault))
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

    /// Sets how long a fault of a role waits for a node that has the role. Without a time, the
    /// fault is left out at once where no node has the role. A fault that has waited is healed as
    /// much later.
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

    /// Sets the seed. Otherwise a lab makes one of the trial's seed and of the number of schedules
    /// that the trial has drawn before.
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
