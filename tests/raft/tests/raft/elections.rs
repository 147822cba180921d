//! Elections, as the members tell of them: the roles of faults.
//!
//! A fault names a role, and waits until a node has it. So a fault strikes at a moment that no
//! schedule knows beforehand, and at the same one in each run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use snowglobe::lab::{Lab, LabView};
use snowglobe::topology::NodeId;

/// The elections of which the members have told so far.
#[derive(Clone, Default)]
pub(crate) struct Elections(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// The last leader, and its term.
    leader: Option<(u64, String)>,
    /// The member that was elected in the last round.
    elected: Option<String>,
    /// The members that gave others their votes in the last round.
    voters: Vec<String>,
}

impl Elections {
    /// Follows the elections in a lab, which has the roles `leader`, `elected` and `voter` then.
    pub(crate) fn of(lab: &Lab) -> Self {
        let elections = Self::default();
        let role = |name: &str, player: fn(&mut Told) -> Option<String>| {
            let elections = elections.clone();
            lab.role(name, move |view: &LabView| -> Option<NodeId> {
                let name = player(&mut elections.told())?;
                view.node(&name).map(|node| node.id())
            });
        };
        role("leader", |told| {
            told.leader.as_ref().map(|(_, it)| it.clone())
        });
        role("elected", |told| told.elected.take());
        // Two faults are not for one voter.
        role("voter", |told| told.voters.pop());
        elections
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a member was elected.
    pub(crate) fn has_leader(&self) -> bool {
        self.told().leader.is_some()
    }

    /// Forgets what is of the last round only.
    pub(crate) fn begin_round(&self) {
        let mut told = self.told();
        told.elected = None;
        told.voters.clear();
    }

    /// Notes what a member has said, if that was a line such as `term 4: leads`.
    pub(crate) fn hear(&self, member: &str, line: &str) -> Option<()> {
        let (term, what) = line.strip_prefix("term ")?.split_once(": ")?;
        let term = term.parse().ok()?;
        let mut told = self.told();
        if what
            .strip_prefix("votes for ")
            .is_some_and(|it| it != member)
        {
            told.voters.push(member.to_owned());
        }
        let is_new = told.leader.as_ref().is_none_or(|(last, _)| *last <= term);
        if what == "leads" && is_new {
            told.leader = Some((term, member.to_owned()));
            told.elected = Some(member.to_owned());
        }
        Some(())
    }
}
