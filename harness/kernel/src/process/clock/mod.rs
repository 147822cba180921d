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
//! | `linear` | a clock as a function of the machine's |
//! | `stub` | the machine code that reads and changes the time, in the program |
//! | `vdso` | where that code goes |
//! | `tracer` | which programs get it, and what they are told by system calls |
//! | `tracee` | single calls of ptrace, and the memory of a traced process |
//! | `elsewhere` | the refusal on machines for whose vDSO there is no code |

mod linear;
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
pub use elsewhere::NoTracer as ClockTracer;
pub use linear::LinearClock;
#[cfg(target_arch = "x86_64")]
pub use tracer::ClockTracer;
