//! What netem has no word for, or another meaning.

use super::ETHERNET;
use crate::impair::Impairment;
use crate::impair::Percent;
use crate::impair::Rate;
use crate::model::impair::text::show_duration;

/// The widest jitter, in nanoseconds.
const WIDEST_JITTER: u128 = i32::MAX as u128;

/// How long a bucket may take to fill, so that it can be read back: the kernel says it in 32 bits, in units of 64 ns.
const SLOWEST_BUCKET: u128 = 64 << 32;

/// Why netem cannot do this impairment on a link with that MTU, for people: "`lose_every`, which netem has no word for". Nothing if it can.
pub(crate) fn cannot(impairment: &Impairment, mtu: u32) -> Option<String> {
    let Impairment {
        jitter,
        reorder,
        rate,
        burst,
        queue,
        ..
    } = impairment;
    let no_word = |what: &str| Some(format!("{what}, which netem has no word for"));
    if impairment.lose_every.is_some() {
        return no_word("`lose_every`");
    }
    if impairment.mtu.is_some() {
        return no_word("`mtu`");
    }
    if impairment.trace.is_some() {
        return no_word("a trace");
    }
    if let Some(bytes) = queue.bytes {
        return no_word(&format!("a queue of {bytes} B"));
    }
    if reorder.correlation != Percent::ZERO {
        let share = reorder.correlation;
        return Some(format!(
            "a reorder with a correlation of {share}: netem's would change how many packets are reordered"
        ));
    }
    if let (false, Some(rate), None) = (reorder.is_none(), rate, burst) {
        return Some(format!(
            "a reorder with a rate of {rate} and no burst: netem's reordered packets do not count for the rate"
        ));
    }
    if jitter.spread().as_nanos() > WIDEST_JITTER {
        let spread = show_duration(jitter.spread());
        return Some(format!(
            "a jitter of {spread}: netem's is at most {WIDEST_JITTER} ns"
        ));
    }
    // The filter would drop what is larger than its bucket.
    if let Some(burst) = burst.filter(|burst| *burst < mtu + ETHERNET) {
        return Some(format!(
            "a burst of {burst} B on a link whose MTU is {mtu}: a frame can be larger than that"
        ));
    }
    rate.and_then(|rate| cannot_pace(rate, *burst))
}

fn cannot_pace(rate: Rate, burst: Option<u32>) -> Option<String> {
    if !rate.as_bit().is_multiple_of(8) {
        return Some(format!(
            "a rate of {rate}: netem counts in bytes, so rates are multiples of 8 bit/s"
        ));
    }
    let fills_in = u128::from(burst?) * 8_000_000_000 / u128::from(rate.as_bit().max(1));
    (fills_in >= SLOWEST_BUCKET).then(|| {
        let (burst, most) = (burst.unwrap_or_default(), SLOWEST_BUCKET / 1_000_000_000);
        format!("a burst of {burst} B at {rate}: a bucket must fill within {most} s")
    })
}
