//! Draws the schedule of a nemesis from a seed.

use std::time::Duration;

use super::dice::FaultDice;
use super::nemesis::{Candidate, Choice, IfNone, Nemesis};
use super::values::{clock_fault, disk_fault, dns_fault, scarcity};
use crate::fault::check::{RolesAllowed, Targets};
use crate::fault::error::{ProblemOwner, ScheduleError, ScheduleProblem};
use crate::fault::fault::Fault;
use crate::fault::lack::{ChoiceObstacle, NodeLack};
use crate::fault::parts::NodeNeed;
use crate::fault::refs::{ANY, LinkRef, NodeRef};
use crate::fault::schedule::{Schedule, ScheduledFault};
use crate::order::sort_by_key;

impl Nemesis {
    /// Draws a schedule. The same nemesis, seed and targets make the same schedule.
    ///
    /// # Errors
    /// The nemesis does nothing, has no time for a fault, needs more nodes than there are, or names
    /// what there is not.
    pub fn schedule(&self, seed: u64, targets: &Targets) -> Result<Schedule, ScheduleError> {
        let drawn_from = self.drawn_from(targets)?;
        let candidates = self.possible(&drawn_from)?;
        let mut faults = Vec::new();
        for lane in 0..self.lanes {
            // Each lane has choices of its own: one more lane leaves the others as they are.
            let mut dice = FaultDice::new(crate::random::seed_for(seed, &format!("lane {lane}")));
            self.draw_lane(&candidates, &drawn_from, &mut dice, &mut faults);
        }
        for it in faults.iter_mut().filter(|it| it.fault.has_changing_role()) {
            it.waits = self.waits;
        }
        sort_by_key(&mut faults, |fault| fault.at);
        let schedule: Schedule = faults.into_iter().collect();
        schedule.check(targets)?;
        Ok(schedule.named(targets))
    }

    fn draw_lane(
        &self,
        candidates: &[&Candidate],
        from: &DrawnFrom,
        dice: &mut FaultDice,
        faults: &mut Vec<ScheduledFault>,
    ) {
        let weights = candidates.iter().map(|it| it.weight);
        let mut now = self.first + dice.time(Duration::ZERO, *self.quiet.end());
        if now + *self.lasts.start() > self.duration {
            now = self.first;
        }
        while now + *self.lasts.start() <= self.duration {
            let choice = &candidates[dice.weighted(weights.clone())].choice;
            let lasts = dice.time(*self.lasts.start(), *self.lasts.end());
            let window = (now, lasts.min(self.duration - now));
            let draw = |fault: Fault, dice: &mut FaultDice| {
                vec![scheduled(window, from.fill(&fault, dice))]
            };
            faults.extend(match choice {
                Choice::Split(split) => vec![scheduled(window, split.draw(&from.nodes, dice))],
                Choice::One(fault) => draw(fault.clone(), dice),
                Choice::Swizzle(fault) => swizzle(fault, from, window, dice),
                Choice::Rolling(fault) => rolling(fault, from, window, dice),
                Choice::Clock => draw(Fault::clock(NodeRef::any(), clock_fault(dice)), dice),
                Choice::Disk => draw(Fault::disk(NodeRef::any(), disk_fault(dice)), dice),
                Choice::NameServer => draw(Fault::dns(NodeRef::any(), dns_fault(dice)), dice),
                Choice::Scarcity => draw(scarcity(dice), dice),
            });
            now += window.1 + dice.time(*self.quiet.start(), *self.quiet.end());
        }
    }

    /// Returns what is drawn from.
    fn drawn_from(&self, targets: &Targets) -> Result<DrawnFrom, ScheduleError> {
        let names = || {
            targets
                .nodes
                .iter()
                .map(|name| NodeRef::from(name.as_str()))
        };
        for node in &self.nodes {
            let known = targets.check_node(node, RolesAllowed::Named);
            known.map_err(|refused| refused.of(ProblemOwner::Nemesis))?;
        }
        let nodes: Vec<NodeRef> = match self.nodes.is_empty() {
            true => names().collect(),
            false => self.nodes.clone(),
        };
        let is_chosen = |name: &String| nodes.contains(&NodeRef::from(name.as_str()));
        let links: Vec<LinkRef> = match self.links.is_empty() {
            true => {
                let ends = targets.links.iter();
                let chosen = ends.filter(|(_, ends)| ends.iter().any(is_chosen));
                chosen
                    .map(|(name, _)| LinkRef::from(name.as_str()))
                    .collect()
            }
            false => self.links.clone(),
        };
        let those = |have: fn(&Targets, &str) -> bool| -> Vec<NodeRef> {
            let named = |node: &&NodeRef| targets.name_of(node).is_some_and(|it| have(targets, it));
            nodes.iter().filter(named).cloned().collect()
        };
        Ok(DrawnFrom {
            clocks: those(Targets::has_clock),
            disks: self.with_disks(&nodes, targets),
            name_servers: those(Targets::has_name_server),
            all: targets.nodes.len(),
            nodes,
            links,
        })
    }

    /// Returns the volumes with faults of the nodes.
    fn with_disks(&self, nodes: &[NodeRef], targets: &Targets) -> Vec<(NodeRef, String)> {
        let named = nodes.iter();
        let named = named.filter_map(|node| Some((node, targets.name_of(node)?)));
        let disks = named.flat_map(|(node, name)| {
            let own = targets.disks_of(name);
            own.map(move |volume| (node.clone(), volume.clone()))
        });
        disks.collect()
    }

    /// Returns what can be drawn: the candidates for which there are nodes, links and disks.
    fn possible(&self, from: &DrawnFrom) -> Result<Vec<&Candidate>, ScheduleError> {
        let impossible = |problem: ScheduleProblem| {
            let error = ScheduleError::from(problem);
            Err(error.of(ProblemOwner::Nemesis))
        };
        if self.quiet.is_empty() || self.lasts.is_empty() || self.lasts.start().is_zero() {
            return impossible(ScheduleProblem::WrongTimes);
        }
        if self.first + *self.lasts.start() > self.duration {
            return impossible(ScheduleProblem::TooShort {
                lasts: *self.lasts.start(),
                first: self.first,
                duration: self.duration,
            });
        }
        let mut candidates = Vec::new();
        for candidate in self.candidates.iter().filter(|it| it.weight > 0) {
            match (from.obstacle(&candidate.choice), candidate.if_none) {
                (None, _) => candidates.push(candidate),
                (Some(_), IfNone::LeftOut) => {}
                (Some(obstacle), IfNone::Refused) => {
                    let choice = name(&candidate.choice);
                    return impossible(ScheduleProblem::Obstacle { choice, obstacle });
                }
            }
        }
        if self.lanes == 0 || candidates.is_empty() {
            return impossible(ScheduleProblem::NothingToDo);
        }
        Ok(candidates)
    }
}

/// The nodes and links from which a nemesis draws.
struct DrawnFrom {
    nodes: Vec<NodeRef>,
    links: Vec<LinkRef>,
    /// The nodes that have a clock of their own.
    clocks: Vec<NodeRef>,
    /// The volumes with faults, each with its node.
    disks: Vec<(NodeRef, String)>,
    /// The nodes that have name servers.
    name_servers: Vec<NodeRef>,
    /// Number of the nodes of the lab, from which the role `rest` is filled.
    all: usize,
}

impl DrawnFrom {
    /// Returns the nodes that have what a fault needs.
    fn able(&self, need: NodeNeed<'_>) -> Vec<NodeRef> {
        let volume = match need {
            NodeNeed::Nothing => return self.nodes.clone(),
            NodeNeed::Clock => return self.clocks.clone(),
            NodeNeed::NameServer => return self.name_servers.clone(),
            NodeNeed::Disk(volume) => volume,
        };
        let has_it = |it: &&(NodeRef, String)| volume.is_none_or(|name| name == it.1);
        let disks = self.disks.iter().filter(has_it);
        let mut nodes: Vec<NodeRef> = disks.map(|(node, _)| node.clone()).collect();
        // The volumes of one node stand together.
        nodes.dedup();
        nodes
    }

    /// Names the volume that a fault of a disk is about, where the node has several.
    fn choose_volume(&self, fault: &mut Fault, dice: &mut FaultDice) {
        if let Fault::Disk { node, volume, .. } = fault
            && volume.is_none()
        {
            let of_node = self.disks.iter().filter(|(of, _)| of == node);
            let volumes: Vec<&String> = of_node.map(|(_, volume)| volume).collect();
            if volumes.len() > 1 {
                *volume = Some(volumes[dice.place(volumes.len())].clone());
            }
        }
    }

    /// Returns what a choice needs and the lab does not have.
    fn obstacle(&self, choice: &Choice) -> Option<ChoiceObstacle> {
        let (nodes, others, links) = needs(choice);
        if matches!(choice, Choice::Swizzle(_) | Choice::Rolling(_)) && nodes == 0 {
            // The same fault would begin again and again while it is in force.
            return Some(ChoiceObstacle::NoRoleAny);
        }
        if let Some((able, lack)) = self.number_of_able(choice)
            && nodes > able
        {
            return Some(ChoiceObstacle::Lack(lack));
        }
        let too_few = |noun, needed, there| ChoiceObstacle::TooFew {
            noun,
            needed,
            there,
        };
        if nodes > self.nodes.len() {
            return Some(too_few("node", nodes, self.nodes.len()));
        }
        if nodes + others > self.all {
            return Some(too_few("node", nodes + others, self.all));
        }
        (links > self.links.len()).then(|| match self.links.len() {
            0 => ChoiceObstacle::NoLink,
            there => too_few("link", links, there),
        })
    }

    /// Returns how many nodes can have the fault of a choice, and what others lack; nothing for a
    /// fault that any node can have.
    fn number_of_able(&self, choice: &Choice) -> Option<(usize, NodeLack)> {
        let need = match choice {
            Choice::One(fault) | Choice::Swizzle(fault) | Choice::Rolling(fault) => fault.need(),
            Choice::Clock => NodeNeed::Clock,
            Choice::Disk => NodeNeed::Disk(None),
            Choice::NameServer => NodeNeed::NameServer,
            Choice::Split(_) | Choice::Scarcity => NodeNeed::Nothing,
        };
        let lack = match need {
            NodeNeed::Nothing => return None,
            NodeNeed::Clock => NodeLack::Clock,
            NodeNeed::Disk(_) => NodeLack::Disk,
            NodeNeed::NameServer => NodeLack::NameServer,
        };
        Some((self.able(need).len(), lack))
    }

    /// Replaces the roles `any` of a fault, each by another node or link.
    fn fill(&self, fault: &Fault, dice: &mut FaultDice) -> Fault {
        let nodes = dice.shuffled(&self.able(fault.need()));
        self.fill_with(fault, nodes, dice)
    }

    fn fill_with(&self, fault: &Fault, nodes: Vec<NodeRef>, dice: &mut FaultDice) -> Fault {
        let mut fault = fault.clone();
        let (places, links) = fault.parts_mut();
        let any = places.into_iter().filter(|node| **node == NodeRef::any());
        for (place, node) in any.zip(nodes) {
            *place = node;
        }
        let any = links.into_iter().filter(|link| **link == LinkRef::any());
        for (place, link) in any.zip(dice.shuffled(&self.links)) {
            *place = link;
        }
        self.choose_volume(&mut fault, dice);
        fault
    }

    /// Schedules the fault for each of the nodes, in the window that belongs to its place.
    fn one_by_one(
        &self,
        fault: &Fault,
        nodes: Vec<NodeRef>,
        window: impl Fn(usize) -> (Duration, Duration),
        dice: &mut FaultDice,
    ) -> Vec<ScheduledFault> {
        let one = |(place, node): (usize, NodeRef)| {
            scheduled(window(place), self.fill_with(fault, vec![node], dice))
        };
        nodes.into_iter().enumerate().map(one).collect()
    }
}

fn scheduled((at, lasts): (Duration, Duration), fault: Fault) -> ScheduledFault {
    ScheduledFault {
        at,
        waits: None,
        lasts: Some(lasts),
        fault,
    }
}

/// Returns a part of a time, in whole milliseconds.
fn part(time: Duration, of: usize, parts: usize) -> Duration {
    let ms = time.as_millis() * of as u128 / parts.max(1) as u128;
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// Schedules a fault so that the first half of the window brings one node after another, the second
/// half heals them in another order.
fn swizzle(
    fault: &Fault,
    from: &DrawnFrom,
    (at, lasts): (Duration, Duration),
    dice: &mut FaultDice,
) -> Vec<ScheduledFault> {
    let nodes = dice.shuffled(&from.able(fault.need()));
    let number = nodes.len();
    let places: Vec<usize> = (0..number).collect();
    let mut healed = dice.shuffled(&places);
    if healed == places {
        // The order of the heals is another one than that of the faults.
        healed.rotate_left(1.min(number));
    }
    let window = |place: usize| {
        let begins = part(lasts, place, 2 * number);
        let ends = part(lasts, number + healed[place] + 1, 2 * number);
        (at + begins, ends.saturating_sub(begins).max(MS))
    };
    from.one_by_one(fault, nodes, window, dice)
}

const MS: Duration = Duration::from_millis(1);

/// Schedules a fault so that each node has its part of the window, of which a third is quiet.
fn rolling(
    fault: &Fault,
    from: &DrawnFrom,
    (at, lasts): (Duration, Duration),
    dice: &mut FaultDice,
) -> Vec<ScheduledFault> {
    let nodes = dice.shuffled(&from.able(fault.need()));
    let number = nodes.len();
    let each_lasts = part(lasts, 2, 3 * number).max(MS);
    let window = |place: usize| (at + part(lasts, place, number), each_lasts);
    from.one_by_one(fault, nodes, window, dice)
}

/// Returns the number of nodes that a choice draws, of other nodes that it needs besides, and of
/// links that it draws.
fn needs(choice: &Choice) -> (usize, usize, usize) {
    match choice {
        Choice::Split(split) => (split.least(), 0, 0),
        Choice::One(fault) | Choice::Swizzle(fault) | Choice::Rolling(fault) => {
            let nodes = fault.nodes().into_iter().filter(|it| *it == NodeRef::any());
            let links = fault.links().into_iter().filter(|it| *it == LinkRef::any());
            // The role `rest` needs at least one node on the other side.
            let others = usize::from(fault.nodes().contains(&NodeRef::rest()));
            (nodes.count(), others, links.count())
        }
        Choice::Clock | Choice::Disk | Choice::NameServer | Choice::Scarcity => (1, 0, 0),
    }
}

fn name(choice: &Choice) -> String {
    match choice {
        Choice::Split(split) => format!("a split of the kind {split:?}"),
        Choice::Clock => "a wrong clock".to_owned(),
        Choice::Disk => "a broken disk".to_owned(),
        Choice::NameServer => "a failing name server".to_owned(),
        Choice::Scarcity => "a scarce resource".to_owned(),
        Choice::One(fault) | Choice::Swizzle(fault) | Choice::Rolling(fault) => {
            format!(
                "a {}",
                fault.to_string().replace(&format!("<{ANY}>"), "any")
            )
        }
    }
}
