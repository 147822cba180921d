//! Waits of futures.
//!
//! A wait that blocks its thread holds up every other future of a current-thread runtime, and so
//! perhaps the very server that it waits for. The waits of a future are therefore attempts that
//! never wait, with pauses in which the runtime does other work.

use std::time::{Duration, Instant};

/// Makes an attempt again and again, until one succeeds, one fails for another reason than the
/// time, or `limit` has passed.
///
/// An attempt is given the time until which it may wait, which is now.
///
/// # Errors
/// The error of the last attempt.
pub(crate) async fn attempts<T, E>(
    limit: Duration,
    is_timeout: impl Fn(&E) -> bool,
    mut attempt: impl FnMut(Instant) -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + limit;
    let mut pause = SHORTEST;
    loop {
        // The clock is read before the attempt: the last attempt begins when the time is over, as
        // in a wait that blocks.
        let now = Instant::now();
        match attempt(now) {
            Err(error) if is_timeout(&error) && now < deadline => {}
            done => return done,
        }
        tokio::time::sleep(pause.min(deadline - now)).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// First pause between two attempts. tokio's timers count milliseconds (documentation of
/// `tokio::time::sleep`).
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// Longest pause between two attempts: a test waits for it.
pub(crate) const LONGEST: Duration = Duration::from_millis(10);
