//! Elections, as the members tell of them in their logs.
//!
//! A fault names a role, and the role is looked up when the fault begins. So a fault can strike at
//! a moment that no schedule knows beforehand: a role may wait until somebody plays it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use snowglobe::events::{Event, EventKind, Events};
use snowglobe::lab::{Lab, Scene};
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// Time for which a fault waits for an election: an election time-out is at most 310 ms, and the
/// votes take 50 ms.
const AN_ELECTION: Duration = Duration::from_millis(500);

/// The elections of which the members have told so far.
struct Elections {
    events: Events,
    /// The last leader, and its term.
    leader: Option<(u64, String)>,
    /// The votes: term, voter, candidate.
    votes: Vec<(u64, String, String)>,
    /// The members whose program does not run at present.
    dead: BTreeSet<String>,
}

impl Elections {
    fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ProcessStarted { process } => drop(self.dead.remove(&process.node)),
            EventKind::ProcessDied { process, .. } => drop(self.dead.insert(process.node.clone())),
            EventKind::ProcessSaid { process, line, .. } => {
                self.hear(&process.node, line);
            }
            _ => {}
        }
    }

    /// Notes what a member has said, if that was a line such as `term 4: leads`.
    fn hear(&mut self, node: &str, line: &str) -> Option<()> {
        let (term, what) = line.strip_prefix("term ")?.split_once(": ")?;
        let term = term.parse().ok()?;
        if let Some(candidate) = what.strip_prefix("votes for ") {
            self.votes
                .push((term, node.to_owned(), candidate.to_owned()));
        }
        let is_new = self.leader.as_ref().is_none_or(|(last, _)| *last <= term);
        if what == "leads" && is_new {
            self.leader = Some((term, node.to_owned()));
        }
        Some(())
    }

    fn catch_up(&mut self) {
        for event in self.events.so_far() {
            self.note(&event);
        }
    }

    /// Returns the last leader.
    fn leader(&mut self) -> Option<String> {
        self.catch_up();
        self.leader.as_ref().map(|(_, node)| node.clone())
    }

    /// Waits until a member is elected, and returns it.
    fn elected(&mut self) -> Option<String> {
        self.catch_up();
        let before = self.leader.clone();
        let mut events = self.events.clone();
        let elected = events.wait_for("an election", |event| {
            self.note(event);
            self.leader != before
        });
        self.events = events;
        elected.is_ok().then(|| self.leader())?
    }

    /// Returns a member that runs, and whose vote made the last leader.
    fn voter(&mut self) -> Option<String> {
        self.catch_up();
        let (led, leader) = self.leader.as_ref()?;
        let mut votes = self.votes.iter().rev();
        let elected = votes.find(|(term, voter, candidate)| {
            let is_other = voter != leader && !self.dead.contains(voter);
            is_other && term == led && candidate == leader
        });
        elected.map(|(_, voter, _)| voter.clone())
    }
}

/// Gives the lab the roles `leader`, `elected` and `voter`.
pub(crate) fn follow(lab: &Lab) {
    let elections = Arc::new(Mutex::new(Elections {
        events: lab.events().within(AN_ELECTION),
        leader: None,
        votes: Vec::new(),
        dead: BTreeSet::new(),
    }));
    let role = |name: &str, player: fn(&mut Elections) -> Option<String>| {
        let elections = Arc::clone(&elections);
        lab.role(name, move |scene: &Scene| -> Option<NodeId> {
            let mut elections = elections.lock().unwrap_or_else(PoisonError::into_inner);
            let name = player(&mut elections)?;
            scene.node(&name).map(|node| node.id())
        });
    };
    role("leader", Elections::leader);
    role("elected", Elections::elected);
    role("voter", Elections::voter);
}
