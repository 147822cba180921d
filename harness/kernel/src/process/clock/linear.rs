//! A clock as a linear function of the machine's.

/// A time of day that is a linear function of the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearClock {
    /// A time of the machine, in nanoseconds since 1970.
    pub reference: i64,
    /// The time that this clock shows then.
    pub shown: i64,
    /// Nanoseconds of this clock in a nanosecond of the machine's, times 2^32.
    pub rate: i64,
}

impl LinearClock {
    /// The clock of the machine.
    pub const TRUE: Self = Self {
        reference: 0,
        shown: 0,
        rate: 1 << 32,
    };

    /// Returns what this clock shows at a time of the machine. No time is before 1970.
    pub fn at(&self, time: i64) -> i64 {
        let since = i128::from(time) - i128::from(self.reference);
        let shown = i128::from(self.shown) + ((since * i128::from(self.rate)) >> 32);
        shown.clamp(0, i128::from(i64::MAX)) as i64
    }
}
