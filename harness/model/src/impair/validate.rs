//! Which impairments are possible: each value in its range, and none against another.
//!
//! A link with a loss of 500 % or a rate of zero would do something, and a test would pass or fail
//! by that. So values are checked before a link gets them.

use std::time::Duration;

use super::error::ImpairmentError;
use super::impairment::Impairment;
use super::limits::LONGEST_DELAY;
use super::loss::GilbertElliott;
use super::percent::Percent;
use super::problem::ValueProblem;
use super::queue::QueueLimit;
use super::rate::Rate;
use super::reorder::Reorder;
use super::text::show_duration;
use super::trace::Trace;

/// Bytes of the frame of a packet of the usual MTU, 1,500.
const FULL_FRAME: u64 = 1514;

/// Smallest MTU of an IPv4 link, in bytes (RFC 791, section 3.2).
const SMALLEST_MTU: u32 = 68;

type Result = std::result::Result<(), ImpairmentError>;

impl Impairment {
    /// Returns an error that says what is wrong with the impairment, if anything is: the value,
    /// why, and what is possible.
    ///
    /// ```
    /// use snowglobe_model::impair::{Impairment, Percent, Rate, Reorder};
    ///
    /// let backwards = Impairment {
    ///     reorder: Reorder::independent(Percent(25.0)),
    ///     ..Impairment::NONE
    /// };
    /// assert_eq!(
    ///     backwards.validate().unwrap_err().to_string(),
    ///     "reorder of 25 % without a delay: a reordered packet skips the delay, so give one, \
    ///      as in `delay = \"10ms\"`",
    /// );
    /// ```
    ///
    /// # Errors
    /// A value is out of its range, or contradicts another one.
    pub fn validate(&self) -> Result {
        // Without `..`, so that a new field has to be thought of here.
        let Self {
            delay,
            jitter,
            loss,
            loss_bursts,
            lose_every,
            duplicate,
            reorder,
            corrupt,
            rate,
            burst,
            queue,
            mtu,
            trace,
        } = self;
        validate_share("loss", *loss)?;
        validate_share("duplicate", *duplicate)?;
        validate_share("corrupt", *corrupt)?;
        if let Some(bursts) = loss_bursts {
            bursts.validate()?;
        }
        if let Some(0) = lose_every {
            return Err(ValueProblem::LoseEveryZero.into());
        }
        validate_time("delay", *delay)?;
        validate_time("jitter", jitter.spread())?;
        let trace = trace.as_ref();
        reorder.validate(!delay.is_zero() || trace.is_some_and(Trace::has_delay))?;
        validate_rate(*rate, *burst, trace)?;
        queue.validate()?;
        validate_mtu(*mtu)
    }
}

impl Reorder {
    /// Checks the values; `is_delayed` says whether the packets that are not reordered wait at all.
    fn validate(&self, is_delayed: bool) -> Result {
        let Self {
            percent,
            correlation,
            gap,
        } = *self;
        validate_share("reorder", percent)?;
        validate_share("the correlation of reorder", correlation)?;
        if self.is_none() {
            return match (gap, correlation) {
                (0, Percent::ZERO) => Ok(()),
                _ => Err(ValueProblem::ReorderOfNothing.into()),
            };
        }
        if !is_delayed {
            let share = percent.to_string();
            return Err(ValueProblem::ReorderWithoutDelay { share }.into());
        }
        Ok(())
    }
}

fn validate_time(name: &'static str, time: Duration) -> Result {
    if time > LONGEST_DELAY {
        let time = show_duration(time);
        return Err(ValueProblem::AboveAnHour { name, time }.into());
    }
    Ok(())
}

fn validate_rate(rate: Option<Rate>, burst: Option<u32>, trace: Option<&Trace>) -> Result {
    if rate.is_some_and(|rate| rate.as_bit() == 0) {
        return Err(ValueProblem::RateZero.into());
    }
    if let (Some(rate), true) = (rate, trace.is_some_and(Trace::is_by_packet)) {
        let rate = rate.to_string();
        return Err(ValueProblem::RateWithDeliveries { rate }.into());
    }
    let Some(burst) = burst else {
        return Ok(());
    };
    if trace.is_some_and(Trace::has_rate) {
        return Err(ValueProblem::BurstWithTrace { burst }.into());
    }
    if rate.is_none() {
        return Err(ValueProblem::BurstWithoutRate { burst }.into());
    }
    if u64::from(burst) < FULL_FRAME {
        let least = FULL_FRAME;
        return Err(ValueProblem::BurstTooSmall { burst, least }.into());
    }
    Ok(())
}

fn validate_mtu(mtu: Option<u32>) -> Result {
    match mtu {
        Some(mtu) if mtu < SMALLEST_MTU => {
            let least = SMALLEST_MTU;
            Err(ValueProblem::MtuTooSmall { mtu, least }.into())
        }
        _ => Ok(()),
    }
}

impl QueueLimit {
    fn validate(&self) -> Result {
        let Self { packets, bytes } = *self;
        if packets == Some(0) {
            return Err(ValueProblem::QueueOfNothing.into());
        }
        match bytes {
            Some(bytes) if bytes < FULL_FRAME => {
                let least = FULL_FRAME;
                Err(ValueProblem::QueueTooSmall { bytes, least }.into())
            }
            _ => Ok(()),
        }
    }
}

impl GilbertElliott {
    fn validate(&self) -> Result {
        let Self {
            p,
            r,
            loss_in_bad,
            loss_in_good,
        } = *self;
        validate_share("loss_bursts: p", p)?;
        validate_share("loss_bursts: r", r)?;
        validate_share("loss_bursts: loss_in_bad", loss_in_bad)?;
        validate_share("loss_bursts: loss_in_good", loss_in_good)?;
        if p != Percent::ZERO && r == Percent::ZERO {
            return Err(ValueProblem::EndlessBurst.into());
        }
        Ok(())
    }
}

fn validate_share(name: &'static str, share: Percent) -> Result {
    if share.is_share() {
        return Ok(());
    }
    let share = share.to_string();
    Err(ValueProblem::NotAShare { name, share }.into())
}
