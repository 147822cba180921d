//! `topology.start()`: a lab from a topology.

use crate::lab::bring_up::make::{make, run_commands};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::lab::Lab;
use crate::model::topology::StartAs;
use crate::topology::{Limits, Topology};
use crate::trial::running;

impl StartAs<Lab> for Topology {
    type Error = LabError;

    fn start_as(&self) -> Result<Lab> {
        refuse_ordinary_users()?;
        let plan = self.plan()?;
        // Before anything is made: an error in the middle of a thousand nodes would come late.
        self.check_limits(&limits())?;
        let new = NewParts::all(&plan);
        let mut lab = Lab::empty(self.clone(), plan)?;
        make(&mut lab, &new)?;
        run_commands(&lab, 0)?;
        Ok(lab)
    }
}

/// Refuses a lab to a body that is an ordinary user.
///
/// The nodes belong to the user namespace of the trial, of which such a body has left: whoever is
/// in a namespace within has no rights over them, and cannot come back (`setns(2)`).
fn refuse_ordinary_users() -> Result<()> {
    match running::current() {
        Some(trial) if !trial.is_root => {
            let why = "this test runs as an ordinary user, and labs are made by root of the trial; give the test the option `user = \"root\"`, and run programs as other users by `node.command(…).user(uid, gid)`";
            Err(LabError::failed(LabErrorKind::Refused, "start a lab", why))
        }
        _ => Ok(()),
    }
}

/// Returns the limits of this machine, as far as they can be known beforehand.
pub(crate) fn limits() -> Limits {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let most = |kind: &str| sysctl(&format!("/proc/sys/user/max_{kind}_namespaces"));
    // The nursery has raised the soft limit to the hard one, for all trials.
    let hard = crate::kernel::process::limits::open_files();
    Limits {
        net_namespaces: most("net"),
        pid_namespaces: most("pid"),
        mount_namespaces: most("mnt"),
        processes: sysctl("/proc/sys/kernel/pid_max"),
        descriptors: hard.ok().map(|(_, hard)| hard),
    }
}
