//! The output of a run: in libtest's layouts, whichever was asked for.

mod failure;
mod failures;
mod json;
mod junit;
mod outbox;
mod pretty;
mod printer;
mod terse;

pub(super) use printer::{Done, Opening, Printer, plural};
