//! What the kernel refused: a step of ours, as a value, and an errno.
//!
//! A refusal deep in the making of a sandbox is all that a user sees of what is wrong with the
//! machine. It passes two or three processes on its way to people, and on the way it is decided
//! what to advise ([`crate::remedy`]): by the kind of the step, never by its words.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::kernel::errno::Errno;
use crate::kernel::namespace::CloneFlags;

use super::protocol::codec::{Codec, MessageReader, MessageWriter, codec_enum, codec_struct};
use crate::kernel::errno::RefusedCall;
use crate::kernel::errno::errno;

/// A step that the kernel refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The step that was tried.
    pub(crate) step: SetupStep,
    /// Answer of the kernel.
    pub(crate) errno: Errno,
}

/// Something that was asked of the kernel. As a text it is a verb and its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetupStep {
    /// Clone a process into new namespaces of these kinds.
    Clone(NewProcess, CloneFlags),
    /// Mount a new filesystem at this path.
    Mount(Cow<'static, str>),
    /// Write this value to a sysctl, named by its path below `/proc/sys`.
    SetSysctl(String, String),
    /// Make something on which a mount at this path can lie.
    MakeMountPoint(String),
    /// Make another mount the root of the mount namespace.
    ChangeRoot,
    /// Any other step, in words. Nothing is decided by these texts.
    Other(Cow<'static, str>),
}

/// A process that is cloned into new namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewProcess {
    /// The first process of the outer sandbox.
    OuterSandbox,
    /// The init of a trial.
    Sandbox,
    /// The first process of a node.
    Node,
    /// A process that tries something and ends.
    Probe,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.errno)
    }
}

impl fmt::Display for SetupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clone(NewProcess::OuterSandbox, _) => f.write_str("clone3 the outer sandbox"),
            Self::Clone(NewProcess::Sandbox, _) => f.write_str("clone3 the sandbox"),
            Self::Clone(NewProcess::Node, _) => f.write_str("clone3 a node"),
            Self::Clone(NewProcess::Probe, namespaces) => {
                // The names are those of the kernel's headers, with bars in between.
                let names: Vec<&str> = namespaces.iter_names().map(|(name, _)| name).collect();
                write!(f, "clone3 {}", names.join("|"))
            }
            Self::Mount(path) => write!(f, "mount {path}"),
            Self::SetSysctl(name, value) => write!(f, "set sysctl `{name}` to {value}"),
            Self::MakeMountPoint(path) => write!(f, "make mount point `{path}`"),
            Self::ChangeRoot => f.write_str("change the root"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl From<&'static str> for SetupStep {
    fn from(words: &'static str) -> Self {
        Self::Other(words.into())
    }
}

impl From<String> for SetupStep {
    fn from(words: String) -> Self {
        Self::Other(words.into())
    }
}

impl SetupStep {
    /// Returns the step of mounting a new filesystem at `path`.
    pub(crate) const fn mount(path: &'static str) -> Self {
        Self::Mount(Cow::Borrowed(path))
    }
}

/// Converts the refusal of a single attempt of the kernel's probes.
impl From<RefusedCall> for Refused {
    fn from(RefusedCall { call, errno }: RefusedCall) -> Self {
        Self {
            step: SetupStep::Other(call.into()),
            errno,
        }
    }
}

codec_struct!(Refused { step, errno });

codec_enum!(SetupStep {
    1 => Clone(cloned, namespaces),
    2 => Mount(path),
    3 => SetSysctl(name, value),
    4 => MakeMountPoint(path),
    5 => Other(words),
    6 => ChangeRoot,
});

codec_enum!(NewProcess {
    1 => OuterSandbox,
    2 => Sandbox,
    3 => Node,
    4 => Probe,
});

impl Codec for Errno {
    fn put(&self, to: &mut MessageWriter) {
        (*self as i32).put(to);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        // A number without a name becomes UnknownErrno, which still displays.
        i32::get(from).map(Self::from_raw)
    }
}

impl Codec for CloneFlags {
    fn put(&self, to: &mut MessageWriter) {
        self.bits().put(to);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        // Flags for which nix has no name are kept: another kernel may know them.
        i32::get(from).map(Self::from_bits_retain)
    }
}

/// Says during which step an error occurred.
pub(crate) trait Doing<T> {
    /// Makes an error a [`Refused`] that names `step`.
    ///
    /// # Errors
    /// The error, if there was one.
    fn doing(self, step: impl Into<SetupStep>) -> Result<T, Refused>
    where
        Self: Sized,
    {
        let step = step.into();
        self.doing_with(|| step)
    }

    /// Makes an error a [`Refused`] that names the step which `step` returns.
    ///
    /// # Errors
    /// The error, if there was one.
    fn doing_with(self, step: impl FnOnce() -> SetupStep) -> Result<T, Refused>;
}

impl<T> Doing<T> for crate::kernel::Result<T> {
    fn doing_with(self, step: impl FnOnce() -> SetupStep) -> Result<T, Refused> {
        self.map_err(|errno| Refused {
            step: step(),
            errno,
        })
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing_with(self, step: impl FnOnce() -> SetupStep) -> Result<T, Refused> {
        self.map_err(|error| Refused {
            step: step(),
            errno: errno(&error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_as_a_verb_and_its_object() {
        let namespaces = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
        let probe = SetupStep::Clone(NewProcess::Probe, namespaces).to_string();
        assert_eq!(probe, "clone3 CLONE_NEWUSER|CLONE_NEWNET");
        let refused: Result<(), Refused> = Err(Errno::EPERM).doing(SetupStep::mount("/proc"));
        let text = refused.unwrap_err().to_string();
        assert_eq!(text, "mount /proc: EPERM: Operation not permitted");
        let sysctl = SetupStep::SetSysctl("net/ipv4/ip_forward".into(), "many".into());
        assert_eq!(
            sysctl.to_string(),
            "set sysctl `net/ipv4/ip_forward` to many"
        );
    }
}
