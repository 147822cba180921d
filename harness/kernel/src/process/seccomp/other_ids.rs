//! A filter that refuses calls which name other users than one.

use super::{ARGUMENTS_AT, beginning, end, install, jump, load};

/// Makes calls that name another user than `uid` or another group than `gid` fail with `EPERM`.
///
/// In a user namespace with a single id, the kernel takes every other id for no id at all, and says
/// `EINVAL` where an ordinary user of a host would be told that this is not permitted: of `chown`
/// and of `setuid` with their relatives (`user_namespaces(7)`).
///
/// # Errors
/// The kernel has no filters, or the caller lacks `CAP_SYS_ADMIN` in its user namespace.
pub fn refuse_other_ids(uid: u32, gid: u32) -> crate::Result<()> {
    let mut filter = beginning();
    for (number, arguments) in CALLS_WITH_IDS {
        let mut block = Vec::new();
        for (position, kind) in *arguments {
            let own = match kind {
                User => uid,
                Group => gid,
            };
            // An id has 32 bits, and an argument 64. The kernel ignores the upper half.
            block.push(load(ARGUMENTS_AT + 8 * position));
            // -1 stands for no change.
            block.push(jump(libc::BPF_JEQ, u32::MAX, 2, 0));
            block.push(jump(libc::BPF_JEQ, own, 1, 0));
            block.push(end(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
        }
        block.push(end(libc::SECCOMP_RET_ALLOW));
        filter.push(jump(libc::BPF_JEQ, *number as u32, 0, block.len() as u8));
        filter.append(&mut block);
    }
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    install(&filter, 0).map(drop)
}

/// Kind of an id among the arguments of a call.
#[derive(Clone, Copy)]
enum Kind {
    User,
    Group,
}

use Kind::{Group, User};

/// A call by its number, and the positions of the ids among its arguments.
type CallWithIds = (libc::c_long, &'static [(u32, Kind)]);

const CALLS_WITH_IDS: &[CallWithIds] = &[
    // AArch64 has these two by fchownat only.
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, &[(1, User), (2, Group)]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lchown, &[(1, User), (2, Group)]),
    (libc::SYS_fchown, &[(1, User), (2, Group)]),
    (libc::SYS_fchownat, &[(2, User), (3, Group)]),
    (libc::SYS_setuid, &[(0, User)]),
    (libc::SYS_setgid, &[(0, Group)]),
    (libc::SYS_setreuid, &[(0, User), (1, User)]),
    (libc::SYS_setregid, &[(0, Group), (1, Group)]),
    (libc::SYS_setresuid, &[(0, User), (1, User), (2, User)]),
    (libc::SYS_setresgid, &[(0, Group), (1, Group), (2, Group)]),
];
