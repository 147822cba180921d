//! Real distributed systems under fire: clients are recorded while a nemesis is at work, and their
//! histories are checked.

mod etcd;
mod etcd_stale;
mod membership;
mod nats;
mod postgres;
mod redis;
mod registers;

use std::fmt;

use snowglobe::history::Completion;

/// Asks over a connection, which is opened where there is none, and is kept if it has answered.
/// What could not be asked has not happened.
fn ask_over<C, R, E: fmt::Display>(
    kept: &mut Option<C>,
    open: impl FnOnce() -> Result<C, E>,
    ask: impl FnOnce(&mut C) -> Completion<R>,
) -> Completion<R> {
    let mut connection = match kept.take().map_or_else(open, Ok) {
        Ok(connection) => connection,
        Err(why) => return Completion::Failed(why.to_string()),
    };
    let answer = ask(&mut connection);
    if answer.is_ok() {
        *kept = Some(connection);
    }
    answer
}

snowglobe::main!();
