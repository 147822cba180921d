//! Ends of processes, from the number that `wait(2)` gives to the words that people read.
//!
//! A runner, a lab and a test all tell of processes that have ended. They should tell it alike, and
//! nobody should have to look into a text in order to know whether a signal was the cause.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// End of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitKind {
    /// The process exited with this code.
    Code(i32),
    /// A signal killed the process.
    Signal {
        /// Number of the signal.
        number: i32,
        /// The kernel wrote a core file.
        dumped_core: bool,
    },
}

impl ExitKind {
    /// End of a process that exited with 0.
    pub const SUCCESS: Self = Self::Code(0);

    /// Reads a status as `wait(2)` and its kin give it.
    pub fn from_wait_status(status: i32) -> Self {
        // Neither stopped nor continued children come here: nobody asks for them by WUNTRACED or
        // WCONTINUED.
        if libc::WIFSIGNALED(status) {
            Self::Signal {
                number: libc::WTERMSIG(status),
                dumped_core: libc::WCOREDUMP(status),
            }
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }

    /// Returns the end of a process that `signal` killed without a core file.
    pub fn killed_by(signal: Signal) -> Self {
        Self::Signal {
            number: signal as i32,
            dumped_core: false,
        }
    }
}

impl From<ExitStatus> for ExitKind {
    fn from(status: ExitStatus) -> Self {
        Self::from_wait_status(status.into_raw())
    }
}

impl fmt::Display for ExitKind {
    /// Writes a verb and its object, as in `exited with code 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal {
                number,
                dumped_core,
            } => {
                write!(f, "was killed by {}", signal_name(number))?;
                if dumped_core {
                    f.write_str(", core dumped")?;
                }
                Ok(())
            }
        }
    }
}

/// Returns the name and the number of a signal, as in `SIGSEGV (signal 11)`.
pub fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => format!("{} (signal {number})", signal.as_str()),
        // Real-time signals have no names of their own, see signal(7).
        Err(_) => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_with_their_names() {
        let told = |status| ExitKind::from_wait_status(status).to_string();
        assert_eq!(told(3 << 8), "exited with code 3");
        assert_eq!(told(11), "was killed by SIGSEGV (signal 11)");
        assert_eq!(
            told(0x80 | 6),
            "was killed by SIGABRT (signal 6), core dumped"
        );
        assert_eq!(told(40), "was killed by signal 40");
    }
}
