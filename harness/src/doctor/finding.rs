//! A finding: one thing about a machine, how that stands, and what says so.

use std::fmt;

use crate::kernel::errno::Errno;
use snowglobe_derive::Serialize;

use crate::sandbox::refused::Refused;

/// State of something that tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The thing is there, and complete.
    Ok,
    /// The thing is there, but less of it than there could be.
    Degraded,
    /// The thing cannot be had.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Ok => "ok",
            State::Degraded => "degraded",
            State::Missing => "missing",
        })
    }
}

/// The ground of a finding: something that was done, or something that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Evidence {
    /// Something was done.
    Call {
        /// The call, as in `RTM_NEWQDISC netem`.
        call: String,
        /// Answer of the kernel, as a number of `errno.h`; 0 if the call succeeded.
        errno: i32,
        /// Name of that number, as in `ENOENT`, if the call failed.
        error: Option<String>,
    },
    /// Something was read.
    Read {
        /// Name of the setting or file, as in `user.max_net_namespaces`.
        read: String,
        /// The value that was found.
        value: String,
    },
}

impl Evidence {
    pub(super) fn done(call: impl Into<String>) -> Evidence {
        Evidence::Call {
            call: call.into(),
            errno: 0,
            error: None,
        }
    }

    pub(super) fn refused(refused: &Refused) -> Evidence {
        let Refused { step, errno } = refused;
        Evidence::Call {
            call: step.to_string(),
            errno: *errno as i32,
            error: Some(format!("{errno:?}")),
        }
    }

    pub(super) fn read(read: impl Into<String>, value: impl Into<String>) -> Evidence {
        Evidence::Read {
            read: read.into(),
            value: value.into(),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Call { call, errno: 0, .. } => write!(f, "{call}: done"),
            Evidence::Call { call, errno, .. } => {
                write!(f, "{call}: {}", Errno::from_raw(*errno))
            }
            Evidence::Read { read, value } => write!(f, "{read}: {value}"),
        }
    }
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the thing, as in `netem`. It is the same on every machine.
    pub name: String,
    /// State of the thing.
    pub state: State,
    /// Whether no trial can run without the thing.
    pub essential: bool,
    /// Ground of this finding.
    pub evidence: Evidence,
    /// Loss for tests, unless all is well.
    pub lost: Option<String>,
    /// Remedy, with the exact command where there is one, unless all is well.
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn new(name: impl Into<String>, state: State, evidence: Evidence) -> Finding {
        Finding {
            name: name.into(),
            state,
            essential: false,
            evidence,
            lost: None,
            fix: None,
        }
    }

    pub(super) fn ok(name: impl Into<String>, evidence: Evidence) -> Finding {
        Finding::new(name, State::Ok, evidence)
    }

    pub(super) fn degraded(name: impl Into<String>, evidence: Evidence) -> Finding {
        Finding::new(name, State::Degraded, evidence)
    }

    pub(super) fn missing(name: impl Into<String>, evidence: Evidence) -> Finding {
        Finding::new(name, State::Missing, evidence)
    }

    pub(super) fn lost(self, lost: impl Into<String>) -> Finding {
        Finding {
            lost: Some(lost.into()),
            ..self
        }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Finding {
        Finding {
            fix: Some(fix.into()),
            ..self
        }
    }

    pub(super) fn essential(self) -> Finding {
        Finding {
            essential: true,
            ..self
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self.state {
            State::Ok => 0,
            State::Missing if self.essential => 2,
            State::Degraded | State::Missing => 1,
        }
    }
}
