//! Reasons why a node cannot have volumes with faults, or cannot use them as asked. The subject is
//! the node, or the lab where no node has such a volume.

use std::error::Error;
use std::fmt;
use std::io;

use snowglobe_text::{TreeError, in_backticks};

use crate::kernel::errno::Errno;
use crate::kernel::fuse;
use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;
use crate::model::disk::{DiskFault, DiskFaultError};
use crate::sandbox::outer::UnusableDevice;

/// The reason why a node cannot use its volumes with faults as asked.
#[derive(Debug)]
pub(crate) enum UnfitVolume {
    /// The node has no volume with faults.
    None,
    /// The lab has no volume with faults of this name.
    NotInLab { volume: String },
    /// The node has several volumes with faults, and none was named.
    Several { volumes: Vec<String> },
    /// The node has volumes with faults, and none of this name.
    Unknown {
        volume: String,
        volumes: Vec<String>,
    },
    /// The test is no root of its trial.
    NotRoot { volume: String },
    /// The device of FUSE cannot be opened.
    NoDevice {
        volume: String,
        /// The state of the host's device, if trials lack the device because of that state.
        host: Option<UnusableDevice>,
        /// The error that the trial met.
        error: io::Error,
    },
    /// The fault has a value without a meaning.
    InvalidFault {
        fault: DiskFault,
        wrong: DiskFaultError,
    },
    /// The fault has no form in which the server could be told of it.
    FaultWithoutForm { volume: String, error: TreeError },
    /// The server does not put a fault in force: no file fits the pattern of the fault.
    NothingToBreak {
        volume: String,
        /// The reason, in the words of the server. It goes on from the volume.
        why: String,
    },
    /// The server refuses a command.
    RefusedByServer {
        volume: String,
        /// The reason, in the words of the server. It goes on from the volume.
        why: String,
    },
    /// A snapshot is of another volume.
    SnapshotOfAnother { volume: String, snapshot: String },
    /// The node runs, and has pages of the volume in its memory.
    InUse { volume: String },
}

impl UnfitSubject for UnfitVolume {
    fn kind(&self) -> LabErrorKind {
        match self {
            Self::None | Self::NotRoot { .. } | Self::NoDevice { .. } => LabErrorKind::NotSupported,
            Self::NotInLab { .. } | Self::Unknown { .. } | Self::NothingToBreak { .. } => {
                LabErrorKind::NotFound
            }
            Self::Several { .. }
            | Self::InvalidFault { .. }
            | Self::FaultWithoutForm { .. }
            | Self::RefusedByServer { .. }
            | Self::SnapshotOfAnother { .. }
            | Self::InUse { .. } => LabErrorKind::InvalidArgument,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoDevice { error, .. } => Some(error),
            Self::InvalidFault { wrong, .. } => Some(wrong),
            Self::FaultWithoutForm { error, .. } => Some(error),
            Self::None
            | Self::NotInLab { .. }
            | Self::Several { .. }
            | Self::Unknown { .. }
            | Self::NotRoot { .. }
            | Self::NothingToBreak { .. }
            | Self::RefusedByServer { .. }
            | Self::SnapshotOfAnother { .. }
            | Self::InUse { .. } => None,
        }
    }
}

impl fmt::Display for UnfitVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(
                "has no volume with faults, and no other disk can have any; mount one by \
                 `Volume::named(…).with_faults()`",
            ),
            Self::NotInLab { volume } => write!(
                f,
                "has no volume `{volume}` with faults; mount one by \
                 `Volume::named(…).with_faults()`"
            ),
            Self::Several { volumes } => write!(
                f,
                "has several volumes with faults, {}; name one",
                in_backticks(volumes)
            ),
            Self::Unknown { volume, volumes } => write!(
                f,
                "has no volume `{volume}` with faults; its volumes with faults are {}",
                in_backticks(volumes)
            ),
            Self::NotRoot { volume } => write!(
                f,
                "mounts volume `{volume}` with faults, which takes a test that is root of its \
                 trial; leave the option `user` of the test away, and give programs the user by \
                 `.user(…)`"
            ),
            Self::NoDevice {
                volume,
                host,
                error,
            } => write!(
                f,
                "mounts volume `{volume}` with faults, which takes the device `{}`; {}",
                fuse::DEVICE,
                remedy_for_device(host.as_ref(), error)
            ),
            Self::InvalidFault { fault, wrong } => {
                write!(f, "cannot have the disk fault `{fault}`: {wrong}")
            }
            Self::FaultWithoutForm { volume, error } => {
                write!(
                    f,
                    "has volume `{volume}`, which cannot have the fault: {error}"
                )
            }
            Self::NothingToBreak { volume, why } | Self::RefusedByServer { volume, why } => {
                write!(f, "has volume `{volume}`, which {why}")
            }
            Self::SnapshotOfAnother { volume, snapshot } => write!(
                f,
                "cannot restore volume `{volume}` from a snapshot of volume `{snapshot}`"
            ),
            Self::InUse { volume } => write!(
                f,
                "runs, and its volume `{volume}` cannot be restored; call `crash()` or \
                 `kill_processes()` before, and `restart()` after"
            ),
        }
    }
}

/// Says what keeps this user from the device of FUSE, and what to do about it. `host` is the state
/// of the host's device, if trials lack the device because of that state; `error` is what the trial
/// has found.
fn remedy_for_device(host: Option<&UnusableDevice>, error: &io::Error) -> String {
    let device = fuse::DEVICE;
    match host {
        // The kernel compares the mode before it looks for the driver (fs/namei.c, do_open).
        Some(UnusableDevice {
            mode: Some(mode),
            errno: Errno::EACCES | Errno::EPERM,
        }) => format!(
            "on this host, the file has mode {mode:04o}, by which this user may not open it; let \
             users open it by `chmod 666 {device}`, as distributions do"
        ),
        Some(UnusableDevice {
            mode: Some(mode),
            errno,
        }) => format!(
            "on this host, the file is there with mode {mode:04o} and cannot be opened: {errno}; \
             load the module by `modprobe fuse`"
        ),
        Some(UnusableDevice { mode: None, errno }) => format!(
            "this host has no such file ({errno}); load the module by `modprobe fuse`, and let \
             users open the device by `chmod 666 {device}`, as distributions do"
        ),
        None => format!(
            "this user cannot open it ({error}); load the module by `modprobe fuse`, and let users \
             open the device by `chmod 666 {device}`, as distributions do"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_about_the_file_of_the_host() {
        let missing = io::Error::from_raw_os_error(Errno::ENOENT as i32);
        let said = |host: Option<UnusableDevice>| remedy_for_device(host.as_ref(), &missing);
        let host = |mode, errno| Some(UnusableDevice { mode, errno });
        assert_eq!(
            said(host(Some(0o600), Errno::EACCES)),
            "on this host, the file has mode 0600, by which this user may not open it; \
             let users open it by `chmod 666 /dev/fuse`, as distributions do"
        );
        let absent = said(host(None, Errno::ENOENT));
        assert!(
            absent.starts_with("this host has no such file (ENOENT"),
            "{absent}"
        );
        let driverless = said(host(Some(0o666), Errno::ENODEV));
        assert!(
            driverless.contains("mode 0666 and cannot be opened: ENODEV"),
            "{driverless}"
        );
        assert!(!driverless.contains("chmod"), "{driverless}");
        assert!(said(None).contains("No such file"), "{}", said(None));
    }
}
