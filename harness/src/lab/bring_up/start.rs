//! `topology.start()`: a lab from a topology.

use crate::kernel::procfs::sysctls;
use crate::lab::bring_up::make::{make, run_commands};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::model::topology::StartAs;
use crate::topology::{Limits, Topology};

impl StartAs<Lab> for Topology {
    type Error = LabError;

    fn start_as(&self) -> Result<Lab> {
        let plan = self.plan()?;
        // The limits are checked before anything is made: an error in the middle of a thousand
        // nodes would come late.
        self.check_limits(&limits())?;
        let new = NewParts::all(&plan);
        let mut lab = Lab::empty(self.clone(), plan)?;
        make(&mut lab, &new)?;
        run_commands(&lab, 0)?;
        Ok(lab)
    }
}

/// Returns the limits of this machine, as far as they can be known beforehand.
pub(crate) fn limits() -> Limits {
    let most = |kind: &str| sysctls::number(&format!("user/max_{kind}_namespaces"));
    // The nursery has raised the soft limit to the hard one, for all trials.
    let hard = crate::kernel::process::limits::open_files();
    Limits {
        net_namespaces: most("net"),
        pid_namespaces: most("pid"),
        mount_namespaces: most("mnt"),
        processes: sysctls::number("kernel/pid_max"),
        descriptors: hard.ok().map(|(_, hard)| hard),
    }
}
