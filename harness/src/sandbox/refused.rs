//! What the kernel refused: a step of ours, as a value, and an errno.
//!
//! A refusal deep in the making of a sandbox is all that a user sees of what is wrong with the
//! machine. It passes two or three processes on its way to people, and on the way it is decided
//! what to advise ([`crate::remedy`]): by the kind of the step, never by its words.

use std::borrow::Cow;
use std::fmt;
use std::io;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::protocol::codec::{Reader, Wire, Writer, wire_enum, wire_struct};
use crate::kernel::errno::errno;
use crate::kernel::probe::Refusal;

/// A step that the kernel refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The step that was tried.
    pub(crate) step: Step,
    /// Answer of the kernel.
    pub(crate) errno: Errno,
}

/// Something that was asked of the kernel. As a text it is a verb and its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Clone a process into new namespaces of these kinds.
    Clone(Cloned, CloneFlags),
    /// Mount a new filesystem at this path.
    Mount(Cow<'static, str>),
    /// Write this value to a sysctl, named by its path below `/proc/sys`.
    SetSysctl(String, String),
    /// Make something on which a mount at this path can lie.
    MakeMountPoint(String),
    /// Any other step, in words. Nothing is decided by them.
    Other(Cow<'static, str>),
}

/// A process that is cloned into new namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cloned {
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clone(Cloned::OuterSandbox, _) => f.write_str("clone3 the outer sandbox"),
            Self::Clone(Cloned::Sandbox, _) => f.write_str("clone3 the sandbox"),
            Self::Clone(Cloned::Node, _) => f.write_str("clone3 a node"),
            Self::Clone(Cloned::Probe, namespaces) => {
                // As in the kernel's headers, with bars between the names.
                let names: Vec<&str> = namespaces.iter_names().map(|(name, _)| name).collect();
                write!(f, "clone3 {}", names.join("|"))
            }
            Self::Mount(path) => write!(f, "mount {path}"),
            Self::SetSysctl(name, value) => write!(f, "set sysctl `{name}` to {value}"),
            Self::MakeMountPoint(path) => write!(f, "make mount point `{path}`"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl From<&'static str> for Step {
    fn from(words: &'static str) -> Self {
        Self::Other(words.into())
    }
}

impl From<String> for Step {
    fn from(words: String) -> Self {
        Self::Other(words.into())
    }
}

impl Step {
    /// Returns the step of mounting a new filesystem at `path`.
    pub(crate) const fn mount(path: &'static str) -> Self {
        Self::Mount(Cow::Borrowed(path))
    }
}

/// What a single attempt of the kernel's probes was refused.
impl From<Refusal> for Refused {
    fn from((call, errno): Refusal) -> Self {
        Self {
            step: Step::Other(call.into()),
            errno,
        }
    }
}

wire_struct!(Refused { step, errno });

wire_enum!(Step {
    1 => Clone(cloned, namespaces),
    2 => Mount(path),
    3 => SetSysctl(name, value),
    4 => MakeMountPoint(path),
    5 => Other(words),
});

wire_enum!(Cloned {
    1 => OuterSandbox,
    2 => Sandbox,
    3 => Node,
    4 => Probe,
});

impl Wire for Errno {
    fn put(&self, to: &mut Writer) {
        (*self as i32).put(to);
    }

    fn get(from: &mut Reader<'_>) -> Option<Self> {
        i32::get(from).map(Self::from_raw)
    }
}

impl Wire for CloneFlags {
    fn put(&self, to: &mut Writer) {
        self.bits().put(to);
    }

    fn get(from: &mut Reader<'_>) -> Option<Self> {
        i32::get(from).map(Self::from_bits_retain)
    }
}

/// Says during which step an error occurred.
pub(crate) trait Doing<T> {
    /// Makes an error a [`Refused`] that names `step`.
    ///
    /// # Errors
    /// The error, if there was one.
    fn doing(self, step: impl Into<Step>) -> Result<T, Refused>
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
    fn doing_with(self, step: impl FnOnce() -> Step) -> Result<T, Refused>;
}

impl<T> Doing<T> for nix::Result<T> {
    fn doing_with(self, step: impl FnOnce() -> Step) -> Result<T, Refused> {
        self.map_err(|errno| Refused {
            step: step(),
            errno,
        })
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing_with(self, step: impl FnOnce() -> Step) -> Result<T, Refused> {
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
        let probe = Step::Clone(Cloned::Probe, namespaces).to_string();
        assert_eq!(probe, "clone3 CLONE_NEWUSER|CLONE_NEWNET");
        let refused: Result<(), Refused> = Err(Errno::EPERM).doing(Step::mount("/proc"));
        let text = refused.unwrap_err().to_string();
        assert_eq!(text, "mount /proc: EPERM: Operation not permitted");
        let sysctl = Step::SetSysctl("net/ipv4/ip_forward".into(), "many".into());
        assert_eq!(
            sysctl.to_string(),
            "set sysctl `net/ipv4/ip_forward` to many"
        );
    }
}
