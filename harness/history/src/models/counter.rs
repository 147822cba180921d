//! A counter: a sum of what was added.

use serde::{Deserialize, Serialize};

use crate::model::Model;

/// A counter that begins with zero.
///
/// For long histories with many unknown outcomes, [`counters`](crate::checks::counters) checks
/// bounds in no time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// An operation on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CounterOp {
    /// Adds a number, which may be negative.
    Add(i64),
    /// Reads the sum.
    Read,
}

/// A value that an operation on a counter returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CounterRet {
    /// The number was added.
    Done,
    /// The sum: that was read, or after the number was added.
    Sum(i64),
}

impl Model for Counter {
    type Call = CounterOp;
    type Ret = CounterRet;
    type State = i64;
    type Key = ();

    fn initial(&self) -> i64 {
        0
    }

    fn key(&self, _: &CounterOp) {}

    fn step(&self, state: &i64, call: &CounterOp, ret: Option<&CounterRet>) -> Option<i64> {
        let after = match call {
            CounterOp::Add(number) => state.wrapping_add(*number),
            CounterOp::Read => *state,
        };
        let fits = match ret {
            None => true,
            Some(CounterRet::Done) => matches!(call, CounterOp::Add(_)),
            Some(CounterRet::Sum(sum)) => *sum == after,
        };
        fits.then_some(after)
    }

    fn observes(&self, call: &CounterOp, _: Option<&CounterRet>) -> bool {
        matches!(call, CounterOp::Read)
    }
}
