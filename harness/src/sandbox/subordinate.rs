//! More ids than one for an ordinary user.
//!
//! The kernel lets an ordinary user map its own id and no other. `/etc/subuid` and `/etc/subgid`
//! say which others belong to the user (`subuid(5)`), and two setuid programs map those:
//! `newuidmap(1)` and `newgidmap(1)`. A run starts no other programs, and these once, where they
//! are installed.

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::{fmt, fs, io};

use crate::kernel::process::user::{getegid, geteuid, name_of};

use super::ids::{Ids, RANGE};

/// Ids that an ordinary user can have mapped: the user as root, and from 1 on the ids that belong
/// to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subordinate {
    /// Id of the user.
    pub(crate) uid: u32,
    gid: u32,
    first_uid: u32,
    first_gid: u32,
    /// Number of ids that are mapped, root included.
    pub(crate) count: u32,
}

/// A user to whom no range of ids belongs.
#[derive(Debug)]
pub(crate) struct NoSubordinateIds {
    /// Path of the file that has no line for the user.
    pub(crate) file: &'static str,
    /// Name of the user, or the user's id where it has no name.
    pub(crate) user: String,
}

/// The reason why trials of an ordinary user have too few ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdShortage {
    /// The user is the root of a container, whom the programs that map ranges do not serve.
    RootOfAContainer,
    /// No range of ids belongs to the user, and the programs that would map one may be missing.
    NoRange {
        /// The programs are installed.
        can_be_mapped: bool,
    },
    /// A range belongs to the user, and a program that would map it is not installed.
    NoProgram,
    /// The range that belongs to the user has so many ids, root included.
    SmallRange(u32),
    /// A program has refused to map the range.
    NotMapped,
}

impl IdShortage {
    /// Returns why trials of the user of this process have no such id.
    pub(crate) fn of_this_user(id: u32) -> Self {
        if geteuid().is_root() {
            return Self::RootOfAContainer;
        }
        let can_be_mapped = Subordinate::can_be_mapped();
        match Subordinate::of_this_user() {
            Err(NoSubordinateIds { .. }) => Self::NoRange { can_be_mapped },
            Ok(_) if !can_be_mapped => Self::NoProgram,
            Ok(ids) if id >= ids.count => Self::SmallRange(ids.count),
            Ok(_) => Self::NotMapped,
        }
    }
}

impl Subordinate {
    /// Returns what the files say of the user of this process.
    ///
    /// # Errors
    /// One of the files has no line for the user.
    pub(crate) fn of_this_user() -> Result<Subordinate, NoSubordinateIds> {
        let (uid, gid) = (geteuid(), getegid());
        let name = || name_of(uid);
        let mut known = None;
        let mut look = |file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            // To look a name up may read /etc/passwd or ask a server, so it is done once, and only
            // where there is something to find.
            let user = if text.is_empty() {
                None
            } else {
                known.get_or_insert_with(name).as_deref()
            };
            range(&text, user, &uid.to_string()).ok_or_else(|| NoSubordinateIds {
                file,
                user: user.map_or_else(|| uid.to_string(), str::to_owned),
            })
        };
        let (first_uid, uids) = look("/etc/subuid")?;
        let (first_gid, gids) = look("/etc/subgid")?;
        Ok(Subordinate {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            first_uid,
            first_gid,
            count: uids.min(gids).min(RANGE - 1) + 1,
        })
    }

    /// Returns the user's own id alone, which can always be mapped.
    pub(crate) fn alone(self) -> Ids {
        Ids::One {
            uid: self.uid,
            gid: self.gid,
        }
    }

    /// Returns whether the programs are installed that can map subordinate ids.
    pub(crate) fn can_be_mapped() -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        PROGRAMS
            .iter()
            .all(|program| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
    }

    /// Maps the ids for a process of this user that is in a user namespace of its own.
    ///
    /// # Errors
    /// A program could not be started, or failed.
    pub(crate) fn map(self, pid: i32) -> Result<(), UnmappedIds> {
        let others = self.count - 1;
        let kinds = [(self.uid, self.first_uid), (self.gid, self.first_gid)];
        let start = |(program, (own, first))| {
            let ids = [pid as u32, 0, own, 1, 1, first, others];
            let child = Command::new(program)
                .args(ids.map(|number| number.to_string()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn();
            (program, child)
        };
        // Both programs run at once: neither needs the other, and each takes a millisecond
        // (measured for this project, 2026-08).
        let started: Vec<_> = PROGRAMS.into_iter().zip(kinds).map(start).collect();
        let ended = started
            .into_iter()
            .map(|(program, child)| end(child).map_err(|why| UnmappedIds { program, why }));
        ended.fold(Ok(()), Result::and)
    }
}

const PROGRAMS: [&str; 2] = ["newuidmap", "newgidmap"];

/// The program that did not map the ids of a user, and the reason.
#[derive(Debug)]
pub(crate) struct UnmappedIds {
    pub(crate) program: &'static str,
    pub(crate) why: MapFailure,
}

/// The reason why a program did not map ids.
#[derive(Debug)]
pub(crate) enum MapFailure {
    /// The program has ended with a failure, and has said this.
    Said(String),
    /// The program could not be started.
    NotStarted(io::Error),
}

impl fmt::Display for UnmappedIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, why } = self;
        write!(f, "{program}: {why}")
    }
}

impl fmt::Display for MapFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(said) => f.write_str(said),
            // The program is absent, or it lies behind a closed directory of PATH, which is the
            // same here.
            Self::NotStarted(_) => f.write_str("not found in PATH"),
        }
    }
}

impl Error for UnmappedIds {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            MapFailure::Said(_) => None,
            MapFailure::NotStarted(error) => Some(error),
        }
    }
}

/// Waits for a program.
fn end(child: io::Result<Child>) -> Result<(), MapFailure> {
    let output = child
        .and_then(Child::wait_with_output)
        .map_err(MapFailure::NotStarted)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(MapFailure::Said(said))
}

/// Returns the first and the number of the subordinate ids of a user. A line begins with the user's
/// name or id (`subuid(5)`).
fn range(text: &str, user: Option<&str>, uid: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        (Some(who) == user || who == uid).then_some(())?;
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (count > 0).then_some((first, count))
    })
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_belongs_to_a_name_or_a_number() {
        let text = "root:1:2\nalice:7:0\nalice:100000:65536\n1001:165536:65536\nbroken\n";
        assert_eq!(range(text, Some("alice"), "1000"), Some((100_000, 65_536)));
        assert_eq!(range(text, Some("bob"), "1001"), Some((165_536, 65_536)));
        assert_eq!(range(text, None, "1000"), None);
        assert_eq!(range("", None, "1000"), None);
    }
}
