//! Models of the objects that servers mostly offer.
//!
//! | model | operations |
//! |---|---|
//! | [`Register`] | read, write, compare and set, of one value |
//! | [`Map`] | those of another model, on each key by itself |
//! | [`Set`] | add, remove, contains, of each element by itself |
//! | [`WholeSet`] | add, remove, and a read of all elements |
//! | [`Queue`] | enqueue, and dequeue in the same order |
//! | [`Counter`] | add, and a read of the sum |

mod counter;
mod map;
mod queue;
mod register;
mod set;

pub use counter::{Counter, CounterOp, CounterRet};
pub use map::{Map, On};
pub use queue::{Queue, QueueOp, QueueRet};
pub use register::{Register, RegisterOp, RegisterRet};
pub use set::{Set, SetOp, SetRet, WholeSet};
