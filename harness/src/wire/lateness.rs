//! How far behind their due time a wire's deliveries were.
//!
//! A wire is only as exact as the machine lets its threads be. A test that asserts a delay to the
//! millisecond is told by these figures whether the machine or the program was late.

use std::time::Duration;

/// Lateness of a wire's deliveries against their due time, since the wire was started. Deliveries
/// without any delay do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// Number of deliveries.
    pub(crate) deliveries: u64,
    /// Number of deliveries that were later than 1 ms.
    pub(crate) late: u64,
    pub(crate) worst: Duration,
    /// Lateness that 99 of 100 deliveries did not exceed, to an eighth.
    pub(crate) p99: Duration,
}

/// Number of deliveries by their lateness. Each power of two nanoseconds has eight buckets, so
/// that a fixed 2.5 KB give every percentile to an eighth of its value.
pub(super) struct LatenessHistogram {
    counts: [u64; BUCKETS],
    late: u64,
    worst: u64,
}

/// Number of buckets for each power of two.
const STEPS: u64 = 8;

/// Number of buckets: up to 2⁴² ns, more than an hour. The last one also has all that is later.
const BUCKETS: usize = 320;

/// Lateness above which a delivery counts as late, in nanoseconds.
const LATE: u64 = 1_000_000;

impl LatenessHistogram {
    pub(super) const NONE: Self = Self {
        counts: [0; BUCKETS],
        late: 0,
        worst: 0,
    };

    /// Counts deliveries that were `late` nanoseconds late.
    pub(super) fn add(&mut self, late: u64, deliveries: u64) {
        self.counts[bucket(late)] += deliveries;
        self.late += if late > LATE { deliveries } else { 0 };
        self.worst = self.worst.max(late);
    }

    /// Adds the deliveries of another histogram.
    pub(super) fn merge(&mut self, other: &Self) {
        let Self {
            counts,
            late,
            worst,
        } = other;
        for (count, more) in self.counts.iter_mut().zip(counts) {
            *count += more;
        }
        self.late += late;
        self.worst = self.worst.max(*worst);
    }

    /// Returns the figures that a test is shown.
    pub(super) fn summary(&self) -> Lateness {
        let deliveries: u64 = self.counts.iter().sum();
        let below = deliveries - deliveries / 100;
        let mut seen = 0;
        let p99 = self.counts.iter().position(|count| {
            seen += count;
            seen >= below
        });
        // The largest value of a bucket may be above all values that it has counted.
        Lateness {
            deliveries,
            late: self.late,
            worst: Duration::from_nanos(self.worst),
            p99: Duration::from_nanos(p99.map_or(0, ceiling).min(self.worst)),
        }
    }
}

/// Returns the index of the bucket that counts this lateness.
fn bucket(value: u64) -> usize {
    // Below eight nanoseconds an eighth is less than the unit: each value has its own bucket.
    if value < STEPS {
        return value as usize;
    }
    let power = value.ilog2() - STEPS.ilog2();
    let step = (value >> power) - STEPS;
    ((u64::from(power) + 1) * STEPS + step).min(BUCKETS as u64 - 1) as usize
}

/// Returns the largest lateness that a bucket counts.
fn ceiling(bucket: usize) -> u64 {
    let (power, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    match power {
        0 => step,
        power => ((STEPS + step + 1) << (power - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_no_wider_than_an_eighth_of_its_values() {
        let mut expected = 0;
        for value in 0..100_000 {
            let found = bucket(value);
            assert!(found == expected || found == expected + 1, "{value}");
            expected = found;
            assert!(ceiling(found) >= value, "{value}");
            assert!(ceiling(found) - value <= value / 8, "{value}");
        }
    }

    #[test]
    fn a_summary_tells_the_worst_and_the_99th_percentile() {
        let mut histogram = LatenessHistogram::NONE;
        histogram.add(40_000, 990);
        histogram.add(3_000_000, 9);
        histogram.add(u64::MAX, 1);
        let summary = histogram.summary();
        assert_eq!((summary.deliveries, summary.late), (1000, 10));
        assert_eq!(summary.worst, Duration::from_nanos(u64::MAX));
        let p99 = summary.p99.as_nanos();
        assert!((40_000..45_000).contains(&p99), "{p99}");
        assert_eq!(LatenessHistogram::NONE.summary(), Lateness::default());
    }
}
