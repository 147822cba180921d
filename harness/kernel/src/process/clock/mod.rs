//! The time of day that programs see, apart from that of the machine.
//!
//! Linux has one time of day for all (`time_namespaces(7)` has the monotonic clocks only), and a
//! test must not touch it. Programs read it by the vDSO, which the kernel maps into each, or by a
//! system call. A [`ClockTracer`] traces programs (`ptrace(2)`): it changes the vDSO of each new
//! program before its first instruction, and answers system calls itself. So it does not matter by
//! which library, or without any, a program reads the clock.
//!
//! | file | role |
//! |---|---|
//! | `stub` | the machine code that reads and changes the time, in the program |
//! | `vdso` | where that code goes |
//! | `tracer` | which programs get it, and what they are told by system calls |
//! | `tracee` | single calls of ptrace, and the memory of a traced process |

#[cfg(target_arch = "x86_64")]
pub(super) mod stub;
#[cfg(target_arch = "x86_64")]
mod tracee;
#[cfg(target_arch = "x86_64")]
mod tracer;
#[cfg(target_arch = "x86_64")]
mod vdso;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere;

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::ClockTracer;
#[cfg(target_arch = "x86_64")]
pub use tracer::ClockTracer;

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
