//! Examines subordinate id ranges and idmapped mounts.

use std::path::PathBuf;

use super::finding::{Evidence, Finding};
use super::host::Machine;
use super::sandbox;
use crate::kernel::probe;
use crate::probe::throwaway::{beside, map_from_outside, user_namespace};
use crate::sandbox::ids::Ids;
use crate::sandbox::paths::Paths;
use crate::sandbox::refused::Refused;
use crate::sandbox::subordinate::{NoSubordinateIds, Subordinate};

/// Finds out whether this machine offers subordinate ids and idmapped mounts.
pub(super) fn findings(machine: &Machine, without: Option<&Finding>) -> Vec<Finding> {
    vec![subordinate(machine, without), idmapped(without)]
}

const SUBORDINATE: &str = "subordinate_ids";
const LOST_RANGE: &str =
    "ranges of ids for ordinary users (rootless containers); trials do without";

fn subordinate(machine: &Machine, without: Option<&Finding>) -> Finding {
    if machine.root {
        let evidence = Evidence::read("uid", "0, which needs none");
        return Finding::ok(SUBORDINATE, evidence);
    }
    match (Subordinate::of_this_user(), without) {
        (Err(NoSubordinateIds { file, user }), _) => {
            let evidence = Evidence::read(file, format!("nothing for {user}"));
            Finding::degraded(SUBORDINATE, evidence)
                .lost(LOST_RANGE)
                .fix(format!(
                    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
                ))
        }
        (Ok(_), Some(refusal)) => sandbox::untried(SUBORDINATE, LOST_RANGE, refusal),
        (Ok(ids), None) => mapped_by_helpers(ids),
    }
}

/// Finds out whether `newuidmap` and `newgidmap` can map these ids.
fn mapped_by_helpers(ids: Subordinate) -> Finding {
    let mut said = Ok(());
    let outcome = beside(|pid| {
        said = ids.map(pid);
        Ok(())
    });
    let evidence = match (outcome, said) {
        (Ok(()), Ok(())) => {
            return Finding::ok(SUBORDINATE, Evidence::done("newuidmap, newgidmap"));
        }
        (Ok(()), Err(unmapped)) => Evidence::read(unmapped.program, unmapped.why.to_string()),
        (Err(refused), _) => Evidence::refused(&refused),
    };
    Finding::degraded(SUBORDINATE, evidence)
        .lost(LOST_RANGE)
        .fix("sudo apt-get install --reinstall uidmap")
}

/// Finds out whether an idmapped mount can show the workspace as owned by a trial's users.
///
/// Only root of the host needs idmapped mounts. Root of an ordinary user's sandbox is mapped to
/// that user, and so owns the user's files.
fn idmapped(without: Option<&Finding>) -> Finding {
    let name = "idmapped_mounts";
    let lost = "a root of trials that is nobody outside; it is root outside, without its rights";
    let Ids::Range(map) = Ids::available() else {
        let evidence = Evidence::read("uid", "not the host's root, which alone needs them");
        return Finding::ok(name, evidence);
    };
    if let Some(refusal) = without {
        return sandbox::untried(name, lost, refusal);
    }
    let directories = Paths::find().writable;
    let one = |path: &PathBuf| -> Result<(), Refused> {
        beside(|pid| {
            map_from_outside(pid, map)?;
            probe::idmapped(path, &user_namespace(pid)?)?;
            Ok(())
        })
    };
    for path in &directories {
        if let Err(Refused { step, errno }) = one(path) {
            let step = format!("{step} {}", path.display()).into();
            return Finding::degraded(name, Evidence::refused(&Refused { step, errno }))
                .lost(lost)
                .fix("move the workspace and CARGO_TARGET_DIR to ext4, xfs, btrfs or tmpfs, or run the tests as an ordinary user");
        }
    }
    Finding::ok(name, Evidence::done("mount_setattr MOUNT_ATTR_IDMAP"))
}
