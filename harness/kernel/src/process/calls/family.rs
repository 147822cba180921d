//! Names that stand for several system calls, of which C libraries and programs choose one.

use super::table::{SystemCall, names};

/// The system calls that a test means by a name.
#[derive(Clone, Debug)]
pub struct CallFamily {
    members: Vec<Member>,
}

/// A system call that a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) call: SystemCall,
    pub(super) purpose: Purpose,
}

/// The purpose for which a system call is made, where only one of several is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Any,
    /// A call of `unlinkat` without `AT_REMOVEDIR`.
    RemovesFile,
    /// A call of `unlinkat` with `AT_REMOVEDIR`.
    RemovesDirectory,
    /// A call of `clone` or `clone3` without `CLONE_THREAD`.
    StartsProcess,
}

use Purpose::{Any, RemovesDirectory, RemovesFile, StartsProcess};

/// What a C function, or a call of the kernel's first years, became: each line has a name and the
/// calls that it stands for.
///
/// glibc's `open` calls openat and musl's calls open (`sysdeps/unix/sysv/linux/open64.c`,
/// `src/fcntl/open.c`), coreutils' `mv` calls renameat2 (`lib/renameatu.c` of gnulib), musl's
/// `fwrite` calls writev (`src/stdio/__stdio_write.c`), and aarch64 lacks the older calls
/// (`asm-generic/unistd.h`). Calls with different guarantees, as fsync and fdatasync, are no
/// family.
const FAMILIES: [(&str, &[(&str, Purpose)]); 27] = [
    ("accept", &[("accept", Any), ("accept4", Any)]),
    ("dup", &[("dup", Any), ("dup2", Any), ("dup3", Any)]),
    ("dup2", &[("dup2", Any), ("dup3", Any)]),
    (
        "epoll_wait",
        &[
            ("epoll_wait", Any),
            ("epoll_pwait", Any),
            ("epoll_pwait2", Any),
        ],
    ),
    ("execve", &[("execve", Any), ("execveat", Any)]),
    (
        "fork",
        &[
            ("fork", Any),
            ("vfork", Any),
            ("clone", StartsProcess),
            ("clone3", StartsProcess),
        ],
    ),
    ("link", &[("link", Any), ("linkat", Any)]),
    (
        "lstat",
        &[("lstat", Any), ("newfstatat", Any), ("statx", Any)],
    ),
    ("mkdir", &[("mkdir", Any), ("mkdirat", Any)]),
    ("nanosleep", &[("nanosleep", Any), ("clock_nanosleep", Any)]),
    (
        "open",
        &[
            ("open", Any),
            ("openat", Any),
            ("openat2", Any),
            ("creat", Any),
        ],
    ),
    ("pipe", &[("pipe", Any), ("pipe2", Any)]),
    ("poll", &[("poll", Any), ("ppoll", Any)]),
    (
        "pread",
        &[("pread64", Any), ("preadv", Any), ("preadv2", Any)],
    ),
    ("preadv", &[("preadv", Any), ("preadv2", Any)]),
    (
        "pwrite",
        &[("pwrite64", Any), ("pwritev", Any), ("pwritev2", Any)],
    ),
    ("pwritev", &[("pwritev", Any), ("pwritev2", Any)]),
    ("read", &[("read", Any), ("readv", Any)]),
    (
        "recv",
        &[("recvfrom", Any), ("recvmsg", Any), ("recvmmsg", Any)],
    ),
    (
        "rename",
        &[("rename", Any), ("renameat", Any), ("renameat2", Any)],
    ),
    ("rmdir", &[("rmdir", Any), ("unlinkat", RemovesDirectory)]),
    ("select", &[("select", Any), ("pselect6", Any)]),
    (
        "send",
        &[("sendto", Any), ("sendmsg", Any), ("sendmmsg", Any)],
    ),
    (
        "stat",
        &[
            ("stat", Any),
            ("lstat", Any),
            ("newfstatat", Any),
            ("statx", Any),
        ],
    ),
    ("symlink", &[("symlink", Any), ("symlinkat", Any)]),
    ("unlink", &[("unlink", Any), ("unlinkat", RemovesFile)]),
    ("write", &[("write", Any), ("writev", Any)]),
];

impl CallFamily {
    /// Finds what names divided by `|` stand for. A name that is no family is that of one call.
    ///
    /// # Errors
    /// The first name that is not known.
    pub fn by_names(text: &str) -> Result<Self, String> {
        let mut members = Vec::new();
        for name in text.split('|').map(str::trim) {
            let found = members_of(name);
            if found.is_empty() {
                return Err(name.to_owned());
            }
            members.extend(found);
        }
        Ok(Self { members })
    }

    /// Returns whether some call of these is about a file that has a name.
    pub fn names_file(&self) -> bool {
        self.members.iter().any(|member| member.call.names_file())
    }

    /// Returns the members that are calls with this number.
    pub(super) fn with_number(&self, number: i64) -> impl Iterator<Item = Member> {
        let members = self.members.iter().copied();
        members.filter(move |member| member.call.number == number)
    }
}

/// Returns the calls of this machine that a name stands for.
fn members_of(name: &str) -> Vec<Member> {
    let member = |call: &str, purpose| {
        let call = SystemCall::by_name(call)?;
        Some(Member { call, purpose })
    };
    match FAMILIES.iter().find(|(family, _)| *family == name) {
        Some((_, calls)) => calls
            .iter()
            .filter_map(|(call, purpose)| member(call, *purpose))
            .collect(),
        None => member(name, Any).into_iter().collect(),
    }
}

/// Returns all names that are known here, each once, in alphabetical order.
pub fn known_names() -> Vec<&'static str> {
    let families = FAMILIES.iter().map(|(family, _)| *family);
    let known: std::collections::BTreeSet<&str> = families.chain(names()).collect();
    known.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<&'static str> {
        let family = CallFamily::by_names(text).unwrap();
        family
            .members
            .iter()
            .map(|member| member.call.name)
            .collect()
    }

    #[test]
    fn every_name_stands_for_a_call_of_this_machine() {
        for name in known_names() {
            assert!(!calls(name).is_empty(), "{name}");
        }
        // Other machines lack the older calls, and a mistyped name would be lacking as well.
        if cfg!(target_arch = "x86_64") {
            for (call, _) in FAMILIES.iter().flat_map(|(_, calls)| *calls) {
                assert!(SystemCall::by_name(call).is_some(), "{call}");
            }
        }
    }

    #[test]
    fn a_family_has_its_members_and_a_member_itself_alone() {
        assert!(calls("rename").ends_with(&["renameat", "renameat2"]));
        assert_eq!(calls("renameat2"), ["renameat2"]);
        assert_eq!(calls("fsync"), ["fsync"]);
        assert_eq!(calls(" fsync|fdatasync "), ["fsync", "fdatasync"]);
        assert_eq!(CallFamily::by_names("fsync | fsink").unwrap_err(), "fsink");
        assert_eq!(CallFamily::by_names("").unwrap_err(), "");
    }
}
