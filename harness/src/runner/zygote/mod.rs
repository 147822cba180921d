//! The processes that run the trials: zygotes, and the nursery that makes them.

pub(super) mod nursery;
mod zygote;

pub(super) use zygote::{Setting, Zygote};
