//! Waits for conditions, never for clocks: a sleep is too long on a fast machine and too short on a
//! busy one.

use std::fmt::Display;
use std::time::{Duration, Instant};

#[cfg(feature = "tokio")]
use crate::attempts::{LONGEST, SHORTEST};
use crate::lab::error::{LabError, Result};
use crate::trial::time_scale::stretched;

/// A condition that may hold or not: `bool`, `Option` or `Result`.
pub trait Condition {
    /// The value that there is once the condition holds.
    type Value;

    /// A description of what was seen instead, for the error of a wait in vain.
    type Seen: Display;

    /// Returns the value, or what was seen instead.
    ///
    /// # Errors
    /// The condition does not hold.
    fn judge(self) -> Result<Self::Value, Self::Seen>;
}

impl Condition for bool {
    type Value = ();
    type Seen = bool;

    fn judge(self) -> Result<(), bool> {
        if self { Ok(()) } else { Err(self) }
    }
}

impl<T> Condition for Option<T> {
    type Value = T;
    type Seen = &'static str;

    fn judge(self) -> Result<T, &'static str> {
        self.ok_or("nothing")
    }
}

impl<T, E: Display> Condition for Result<T, E> {
    type Value = T;
    type Seen = E;

    fn judge(self) -> Result<T, E> {
        self
    }
}

/// Looks at a condition again and again, until it holds or `limit` has passed, which
/// `SNOWGLOBE_TIME_SCALE` stretches.
///
/// ```
/// use snowglobe::lab::wait_until;
/// use std::time::Duration;
///
/// let mut tries = 0;
/// let seen = wait_until(Duration::from_secs(5), || {
///     tries += 1;
///     if tries < 3 { Err(format!("only {tries} tries")) } else { Ok(tries) }
/// })?;
/// assert_eq!(seen, 3);
///
/// let error = wait_until(Duration::ZERO, || Err::<(), _>("the door is closed")).unwrap_err();
/// assert!(error.to_string().ends_with("last seen: the door is closed"));
/// # Ok::<(), snowglobe::lab::LabError>(())
/// ```
///
/// # Errors
/// The condition does not hold in time. The error tells what was seen last.
pub fn wait_until<C: Condition>(limit: Duration, condition: impl FnMut() -> C) -> Result<C::Value> {
    until(stretched(limit), condition)
}

/// Waits as [`wait_until`] does, for a limit that is stretched already.
pub(crate) fn until<C: Condition>(
    limit: Duration,
    condition: impl FnMut() -> C,
) -> Result<C::Value> {
    until_there_is("a condition", limit, condition)
}

/// Waits as [`until`] does, for something that the error names.
pub(crate) fn until_there_is<C: Condition>(
    what: impl Into<String>,
    limit: Duration,
    mut condition: impl FnMut() -> C,
) -> Result<C::Value> {
    let deadline = Instant::now() + limit;
    // Most conditions hold within a millisecond.
    let mut pause = Duration::from_micros(200);
    loop {
        match condition().judge() {
            Ok(value) => return Ok(value),
            Err(last) if Instant::now() >= deadline => {
                return Err(LabError::timed_out(what, limit, last.to_string()));
            }
            // Nothing tells when an arbitrary condition changes.
            Err(_) => std::thread::sleep(pause),
        }
        // Short at first, since most conditions hold soon; not longer than 10 ms, since a test
        // waits for it.
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Looks at a condition again and again, as [`wait_until`] does, and lets other futures run
/// meanwhile. The condition is a future itself.
///
/// ```no_run
/// use snowglobe::lab::wait_until_async;
/// use std::time::Duration;
/// use tokio::net::TcpStream;
///
/// # #[snowglobe::test]
/// # async fn t() -> snowglobe::TestResult {
/// let server = || async { TcpStream::connect("127.0.0.1:80").await };
/// let connection = wait_until_async(Duration::from_secs(5), server).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The condition does not hold in time. The error tells what was seen last.
///
/// # Panics
/// There is no tokio runtime around.
#[cfg(feature = "tokio")]
pub async fn wait_until_async<C: Condition, F: Future<Output = C>>(
    limit: Duration,
    condition: impl FnMut() -> F,
) -> Result<C::Value> {
    until_async(stretched(limit), condition).await
}

/// Waits as [`wait_until_async`] does, for a limit that is stretched already.
#[cfg(feature = "tokio")]
pub(crate) async fn until_async<C: Condition, F: Future<Output = C>>(
    limit: Duration,
    condition: impl FnMut() -> F,
) -> Result<C::Value> {
    until_there_is_async("a condition", limit, condition).await
}

/// Waits as [`until_async`] does, for something that the error names.
#[cfg(feature = "tokio")]
pub(crate) async fn until_there_is_async<C: Condition, F: Future<Output = C>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<C::Value> {
    let deadline = Instant::now() + limit;
    let mut last = "the condition did not answer".to_owned();
    let mut pause = SHORTEST;
    loop {
        // A condition that hangs, as a connect may for minutes, must not outlast the limit.
        let judged = tokio::time::timeout_at(deadline.into(), condition()).await;
        match judged.map(Condition::judge) {
            Ok(Ok(value)) => return Ok(value),
            // A text may go to another thread with the future, which not every error may.
            Ok(Err(seen)) => last = seen.to_string(),
            Err(_) => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LabError::timed_out(what, limit, last));
        }
        // Nothing tells when an arbitrary condition changes.
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_state_is_in_the_error() {
        let mut n = 0;
        let error = wait_until(Duration::from_millis(5), || {
            n += 1;
            Err::<(), String>(format!("{n} of 1000000"))
        });
        let error = error.unwrap_err();
        assert!(error.is_timeout());
        assert!(
            error
                .to_string()
                .contains(&format!("last seen: {n} of 1000000")),
            "{error}"
        );
    }
}
