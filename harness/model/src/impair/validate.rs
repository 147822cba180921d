//! What an impairment cannot be.

use std::time::Duration;

use super::error::ImpairmentError;
use super::impairment::Impairment;
use super::loss::GilbertElliott;
use super::percent::Percent;
use super::text::show_duration;
use super::trace::Trace;

/// The longest delay, and the widest jitter.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// The frame of a packet of the usual MTU.
const FULL_FRAME: u64 = 1514;

/// The smallest MTU of IPv4: what every host has to take is larger.
const SMALLEST_MTU: u32 = 68;

type Result = std::result::Result<(), ImpairmentError>;

fn wrong(text: String) -> Result {
    Err(ImpairmentError::new(text))
}

impl Impairment {
    /// Says what is wrong with it, if anything is: the value, why, and what is possible.
    ///
    /// ```
    /// use snowglobe_model::impair::{Impairment, Percent, Rate, Reorder};
    ///
    /// let backwards = Impairment { reorder: Reorder::independent(Percent(25.0)), ..Impairment::NONE };
    /// assert_eq!(
    ///     backwards.validate().unwrap_err().to_string(),
    ///     "reorder of 25 % without a delay: a reordered packet skips the delay, so give one, as in `delay = \"10ms\"`",
    /// );
    /// ```
    pub fn validate(&self) -> Result {
        share("loss", self.loss)?;
        share("duplicate", self.duplicate)?;
        share("corrupt", self.corrupt)?;
        if let Some(bursts) = &self.bursts {
            bursts.validate()?;
        }
        if let Some(every @ 0) = self.lose_every {
            return wrong(format!(
                "lose_every of {every}: 1 loses every packet, 2 every second; leave it out to lose none"
            ));
        }
        self.validate_times()?;
        self.validate_reorder()?;
        self.validate_rate()?;
        self.validate_queue()
    }

    fn validate_times(&self) -> Result {
        for (name, time) in [("delay", self.delay), ("jitter", self.jitter.spread())] {
            if time > LONGEST_DELAY {
                let time = show_duration(time);
                return wrong(format!(
                    "{name} of {time} is more than an hour: give at most 3600s"
                ));
            }
        }
        Ok(())
    }

    fn validate_reorder(&self) -> Result {
        let reorder = &self.reorder;
        share("reorder", reorder.percent)?;
        share("the correlation of reorder", reorder.correlation)?;
        if reorder.is_none() {
            return match (reorder.gap, reorder.correlation) {
                (0, Percent::ZERO) => Ok(()),
                _ => wrong(
                    "reorder of 0 % with a gap or a correlation: nothing is reordered then; give a percent, or take `Reorder::NONE`".into(),
                ),
            };
        }
        let delayed =
            !self.delay.is_zero() || self.trace.as_ref().is_some_and(|trace| trace.has_delay());
        match delayed {
            true => Ok(()),
            false => wrong(format!(
                "reorder of {} without a delay: a reordered packet skips the delay, so give one, as in `delay = \"10ms\"`",
                reorder.percent
            )),
        }
    }

    fn validate_rate(&self) -> Result {
        if self.rate.is_some_and(|rate| rate.as_bit() == 0) {
            return wrong(
                "rate of 0 bit/s: nothing would ever pass; leave the rate out for no limit, or cut the link".into(),
            );
        }
        let timed = self.trace.as_ref().is_some_and(Trace::has_rate);
        let by_packet = self.trace.as_ref().is_some_and(Trace::is_by_packet);
        match (self.rate, self.burst) {
            (Some(rate), _) if by_packet => {
                return wrong(format!(
                    "rate of {rate} and a trace of deliveries: both say when packets pass; leave one of them out"
                ));
            }
            (_, Some(burst)) if timed => {
                return wrong(format!(
                    "burst of {burst} B with a trace that has rates: bursts need a steady rate; leave one of them out"
                ));
            }
            _ => {}
        }
        match (self.burst, self.rate) {
            (Some(burst), None) => wrong(format!(
                "burst of {burst} B without a rate: there is nothing to exceed; give a rate, as in `rate = \"10mbit\"`"
            )),
            (Some(burst), Some(_)) if u64::from(burst) < FULL_FRAME => wrong(format!(
                "burst of {burst} B is less than one packet: give at least {FULL_FRAME} B, or leave it out"
            )),
            _ => Ok(()),
        }
    }

    fn validate_queue(&self) -> Result {
        match (self.queue.packets, self.queue.bytes) {
            (Some(0), _) => wrong(
                "queue of 0 packets: nothing would ever pass; give at least 1, or lose 100 %"
                    .into(),
            ),
            (_, Some(bytes)) if bytes < FULL_FRAME => wrong(format!(
                "queue of {bytes} B is less than one packet: give at least {FULL_FRAME} B"
            )),
            _ => match self.mtu {
                Some(mtu) if mtu < SMALLEST_MTU => wrong(format!(
                    "mtu of {mtu} is less than IPv4 allows: give at least {SMALLEST_MTU}"
                )),
                _ => Ok(()),
            },
        }
    }
}

impl GilbertElliott {
    fn validate(&self) -> Result {
        share("bursts: p", self.p)?;
        share("bursts: r", self.r)?;
        share("bursts: loss_in_bad", self.loss_in_bad)?;
        share("bursts: loss_in_good", self.loss_in_good)?;
        if self.p != Percent::ZERO && self.r == Percent::ZERO {
            return wrong(
                "bursts: r of 0 %: the first burst would never end; give how often it ends, as in `r = \"25%\"` for bursts of 4 packets".into(),
            );
        }
        Ok(())
    }
}

fn share(name: &str, share: Percent) -> Result {
    match share.is_share() {
        true => Ok(()),
        false => wrong(format!("{name} of {share} is not between 0 % and 100 %")),
    }
}
