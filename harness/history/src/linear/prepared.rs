//! The operations of one key, as the search wants them.

use std::collections::HashMap;
use std::time::Duration;

use crate::completion::Completion;
use crate::model::{Certain, KnownOperations, Model};
use crate::operation::Operation;

/// The model that a history is checked against, and the staleness that is permitted.
pub(super) struct Rules<'m, M> {
    pub(super) model: &'m M,
    /// Time by which what only observes may be behind.
    pub(super) stale_by: Duration,
}

/// An operation that may or must be in the order.
pub(super) struct Item<'h, M: Model> {
    pub(super) call: &'h M::Call,
    /// The value that the operation returned; none if it need not be in the order at all.
    pub(super) ret: Option<&'h M::Ret>,
    pub(super) observes: bool,
    pub(super) overwrites: bool,
    /// Number of the operation among those that run at the same time, or among the optional ones.
    pub(super) slot: usize,
    /// The optional operation before this one that calls the same. Which of the two is in the order
    /// makes no difference, so the earlier one is first.
    pub(super) twin: Option<usize>,
    invoked: Duration,
    returned: Duration,
    /// Place of the operation among those of the key.
    source: usize,
}

/// The moment at which an operation returned, and so must be in the order.
pub(super) struct Moment {
    /// Items that must be in the order some time and may be by now, in the order of their returns.
    pub(super) pending: Vec<usize>,
    /// Number of optional items that were invoked by now.
    pub(super) optional: usize,
}

/// The operations of one key.
pub(super) struct Prepared<'h, M: Model> {
    /// Operations that must be in the order, in the order of their returns.
    pub(super) due: Vec<Item<'h, M>>,
    /// Operations with unknown outcomes that change something, in the order of their invocations.
    pub(super) optional: Vec<Item<'h, M>>,
    /// The moment at which each of `due` returned, at the same place as the item.
    pub(super) moments: Vec<Moment>,
    /// Whether each optional operation may be in the order any number of times. Such a search
    /// permits more than it should, and is quick: it need not remember what was used.
    pub(super) repeats: bool,
}

impl<'h, M: Model> Prepared<'h, M> {
    /// Prepares operations. Those at places for which `must` does not hold may or may not have
    /// happened, at any time after their invocation.
    pub(super) fn of(
        rules: &Rules<'_, M>,
        operations: &[&'h Operation<M::Call, M::Ret>],
        must: impl Fn(usize) -> bool,
    ) -> Self {
        let model = rules.model;
        let (mut due, mut optional) = (Vec::new(), Vec::new());
        for (source, operation) in operations.iter().enumerate() {
            let ret = match &operation.completion {
                Completion::Failed(_) => continue,
                Completion::Ok(ret) if must(source) => Some(ret),
                Completion::Ok(_) | Completion::Unknown(_) => None,
            };
            let observes = model.observes(&operation.call, ret);
            let item = Item {
                call: &operation.call,
                ret,
                observes,
                overwrites: model.overwrites(&operation.call, ret),
                slot: 0,
                twin: None,
                invoked: match observes {
                    true => operation.invoked.saturating_sub(rules.stale_by),
                    false => operation.invoked,
                },
                returned: operation.completed.unwrap_or(Duration::MAX),
                source,
            };
            match ret {
                Some(_) => due.push(item),
                None if !observes => optional.push(item),
                // A read whose answer nobody has seen tells nothing.
                None => {}
            }
        }
        due.sort_by_key(|item| (item.returned, item.source));
        optional.sort_by_key(|item| (item.invoked, item.source));
        let mut twins = HashMap::new();
        for (slot, item) in optional.iter_mut().enumerate() {
            item.slot = slot;
            // Calls need not be comparable, and equal ones look the same.
            item.twin = twins.insert(format!("{:?}", item.call), slot);
        }
        let moments = moments(&mut due, &optional);
        Self {
            due,
            optional,
            moments,
            repeats: false,
        }
    }

    /// Returns what is known of the operations before their order is.
    pub(super) fn known(&self) -> KnownOperations<'h, M::Call, M::Ret> {
        let certain = self.due.iter().filter_map(|item| {
            Some(Certain {
                call: item.call,
                ret: item.ret?,
                from: item.invoked,
                to: item.returned,
            })
        });
        // Twice stands for any number of times.
        let times = if self.repeats { 2 } else { 1 };
        let calls = self.optional.iter().map(|item| item.call);
        let calls = calls.flat_map(|call| std::iter::repeat_n(call, times));
        KnownOperations {
            certain: certain.collect(),
            uncertain: calls.collect(),
        }
    }

    /// Returns the place, among the operations of the key, of the one that returned at a moment.
    pub(super) fn source_of_moment(&self, moment: usize) -> usize {
        self.due[moment].source
    }
}

/// Returns the moment of each item, and gives the items their slots.
fn moments<M: Model>(due: &mut [Item<'_, M>], optional: &[Item<'_, M>]) -> Vec<Moment> {
    let mut by_invocation: Vec<usize> = (0..due.len()).collect();
    by_invocation.sort_by_key(|place| due[*place].invoked);
    let mut arriving = by_invocation.into_iter().peekable();
    let (mut pending, mut free, mut slots) = (Vec::new(), Vec::new(), 0);
    let mut moments = Vec::with_capacity(due.len());
    for returning in 0..due.len() {
        let now = due[returning].returned;
        // At equal times neither operation was over before the other began.
        while let Some(place) = arriving.next_if(|place| due[*place].invoked <= now) {
            due[place].slot = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            pending.push(place);
        }
        // Operations that return first are tried first, since they must be in the order first.
        pending.sort_unstable();
        moments.push(Moment {
            pending: pending.clone(),
            optional: optional.partition_point(|item| item.invoked <= now),
        });
        pending.retain(|place| *place != returning);
        free.push(due[returning].slot);
    }
    moments
}
