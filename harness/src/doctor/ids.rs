//! More than one id: ranges of them, and files shown with other owners.

use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{User, getegid, geteuid};

use super::host::{Machine, read};
use super::{Evidence, Finding, sandbox};
use crate::kernel::attempt::{self, Refusal};
use crate::probe::throwaway::{beside, map_from_outside, user_namespace};
use crate::sandbox::outer::Ids;
use crate::sandbox::paths::Paths;

/// Subordinate ids and id-mapped mounts.
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
    let user = User::from_uid(geteuid())
        .ok()
        .flatten()
        .map(|user| user.name);
    let uid = geteuid().to_string();
    for file in ["/etc/subuid", "/etc/subgid"] {
        if range(&read(file), user.as_deref(), &uid).is_none() {
            let who = user.unwrap_or(uid);
            let evidence = Evidence::read(file, format!("nothing for {who}"));
            return Finding::degraded(SUBORDINATE, evidence)
                .lost(LOST_RANGE)
                .fix(format!(
                    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {who}"
                ));
        }
    }
    match without {
        Some(refusal) => sandbox::untried(SUBORDINATE, LOST_RANGE, refusal),
        None => mapped_by_helpers(user.as_deref(), &uid),
    }
}

/// The first and the number of the subordinate ids of a user, who is named or numbered there.
fn range(text: &str, user: Option<&str>, uid: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        (Some(who) == user || who == uid).then_some(())?;
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// Lets `newuidmap` and `newgidmap` do what they are for.
fn mapped_by_helpers(user: Option<&str>, uid: &str) -> Finding {
    let mut said = None;
    let outcome = beside(|pid| {
        let gid = getegid().to_string();
        let kinds = [
            ("newuidmap", "/etc/subuid", uid),
            ("newgidmap", "/etc/subgid", gid.as_str()),
        ];
        for (program, file, own) in kinds {
            let Some((start, count)) = range(&read(file), user, uid) else {
                continue;
            };
            let ids = [pid as u32, 0, 0, 1, 1, start, count].map(|number| number.to_string());
            let mut ids = ids.to_vec();
            own.clone_into(&mut ids[2]);
            said = said.take().or(complaint(program, &ids));
        }
        Ok(())
    });
    let evidence = match (outcome, said) {
        (Ok(()), None) => return Finding::ok(SUBORDINATE, Evidence::done("newuidmap, newgidmap")),
        (Ok(()), Some((program, said))) => Evidence::read(program, said),
        (Err((call, errno)), _) => Evidence::refused(call, errno),
    };
    Finding::degraded(SUBORDINATE, evidence)
        .lost(LOST_RANGE)
        .fix("sudo apt-get install --reinstall uidmap")
}

/// What a program says if it fails, after its name.
fn complaint(program: &str, arguments: &[String]) -> Option<(String, String)> {
    let said = match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        // Whether it is absent or lies behind a closed directory of PATH, which is the same to us.
        Err(_) => "not found in PATH".to_owned(),
    };
    Some((program.to_owned(), said))
}

/// Whether the workspace can be shown to trials as theirs. Only root needs it: an ordinary user's
/// files are those of its sandboxes' root anyway.
fn idmapped(without: Option<&Finding>) -> Finding {
    let name = "idmapped_mounts";
    let lost = "writing to the workspace from trials";
    let Ids::Range(map) = Ids::available() else {
        let evidence = Evidence::read("uid", "not the host's root, which alone needs them");
        return Finding::ok(name, evidence);
    };
    if let Some(refusal) = without {
        return sandbox::untried(name, lost, refusal);
    }
    let directories = Paths::find().writable;
    let one = |path: &PathBuf| -> Result<(), Refusal> {
        beside(|pid| {
            map_from_outside(pid, map)?;
            attempt::idmapped(path, &user_namespace(pid)?)
        })
    };
    for path in &directories {
        if let Err((call, errno)) = one(path) {
            let call = format!("{call} {}", path.display());
            return Finding::degraded(name, Evidence::refused(call, errno))
                .lost(lost)
                .fix("move the workspace and CARGO_TARGET_DIR to ext4, xfs, btrfs or tmpfs, or run the tests as an ordinary user");
        }
    }
    Finding::ok(name, Evidence::done("mount_setattr MOUNT_ATTR_IDMAP"))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_belongs_to_a_name_or_a_number() {
        let text = "root:1:2\nalice:100000:65536\n1001:165536:65536\nbroken\n";
        assert_eq!(range(text, Some("alice"), "1000"), Some((100_000, 65_536)));
        assert_eq!(range(text, Some("bob"), "1001"), Some((165_536, 65_536)));
        assert_eq!(range(text, None, "1000"), None);
        assert_eq!(range("", None, "1000"), None);
    }
}
