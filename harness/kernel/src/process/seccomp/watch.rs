//! Calls about which another process is asked first.
//!
//! A program that asks for a user namespace, or wants to become a user who has no number here, is
//! told "no space left on device" or "invalid argument". Another process is asked first: it knows
//! what is missing, can say so, and lets the call go on (`seccomp_unotify(2)`, Linux 5.5).
//!
//! `chown(2)` to a user without a number here is "invalid argument" as well. Programs change owners
//! often, so the filter asks only about ids that are probably not mapped.
//!
//! The kernel does not tell a filesystem that a program serves of `sync(2)` and `syncfs(2)`
//! (fs/fuse/inode.c, `fuse_sync_fs`). So the same process is asked about these, and tells the
//! program.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::{ARGUMENTS_AT, beginning, end, install, jump, load};

/// Extra argument that marks calls of [`unshare_users`], [`syncfs_unwatched`] and
/// [`chown_unwatched`]. The kernel ignores arguments that a call does not have.
const OURS: u32 = 0x5e0_91be;

/// Filters the calling thread, and whatever it starts. Returns the descriptor on which the kernel
/// asks.
///
/// `clone3` is let through, for its flags are in memory that a filter cannot read; few programs
/// make user namespaces by it. So are the library's own calls: `clone` with `CLONE_CHILD_CLEARTID`,
/// [`unshare_users`], [`syncfs_unwatched`] and [`chown_unwatched`].
///
/// A change of owner to an id below `mapped` passes without a question.
///
/// # Errors
/// `EBUSY` under a filter of this kind, since the kernel permits one; `EINVAL` or `ENOSYS` where
/// the kernel has none; `EACCES` without `CAP_SYS_ADMIN`.
pub fn watch(mapped: u32) -> crate::Result<OwnedFd> {
    let new_users = CloneFlags::CLONE_NEWUSER.bits() as u32;
    let ours = libc::CLONE_CHILD_CLEARTID as u32;
    let ask = || end(crate::uapi::SECCOMP_RET_USER_NOTIF);
    let allow = || end(libc::SECCOMP_RET_ALLOW);
    let of_clone = [
        load(ARGUMENTS_AT),
        jump(libc::BPF_JSET, new_users, 0, 2),
        jump(libc::BPF_JSET, ours, 1, 0),
        ask(),
        allow(),
    ];
    let of_unshare = [
        load(ARGUMENTS_AT),
        jump(libc::BPF_JSET, new_users, 0, 3),
        load(ARGUMENTS_AT + 8),
        jump(libc::BPF_JEQ, OURS, 1, 0),
        ask(),
        allow(),
    ];
    let of_syncfs = [
        load(ARGUMENTS_AT + 8),
        jump(libc::BPF_JEQ, OURS, 1, 0),
        ask(),
        allow(),
    ];
    // The call has no arguments by which one of ours could be known; we make none.
    let of_sync = [ask()];
    let mut filter = beginning();
    for (number, block) in [
        (libc::SYS_clone, of_clone.as_slice()),
        (libc::SYS_unshare, of_unshare.as_slice()),
        (libc::SYS_syncfs, of_syncfs.as_slice()),
        (libc::SYS_sync, of_sync.as_slice()),
    ] {
        filter.push(jump(libc::BPF_JEQ, number as u32, 0, block.len() as u8));
        filter.extend_from_slice(block);
    }
    for number in CHANGES_OF_IDS.map(|(number, _)| number) {
        filter.push(jump(libc::BPF_JEQ, number as u32, 0, 1));
        filter.push(ask());
    }
    for &(number, first) in CHANGES_OF_OWNERS {
        let block = of_chown(first, mapped);
        filter.push(jump(libc::BPF_JEQ, number as u32, 0, block.len() as u8));
        filter.extend_from_slice(&block);
    }
    filter.push(allow());
    let fd = install(&filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: the kernel has just made this descriptor for us, close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the part of the filter that decides about a change of owner, whose ids begin with this
/// argument.
fn of_chown(first: usize, mapped: u32) -> Vec<libc::sock_filter> {
    let argument = |index: usize| load(ARGUMENTS_AT + 8 * index as u32);
    vec![
        // Calls of the library itself pass first: the process that answers may be waiting for the
        // caller.
        argument(MARK_OF_CHOWN),
        jump(libc::BPF_JEQ, OURS, 6, 0),
        // An id has 32 bits, and an argument 64. The kernel ignores the upper half, so that only
        // the lower one is compared (chown(2), uid_t).
        argument(first),
        jump(libc::BPF_JEQ, NONE, 1, 0),
        jump(libc::BPF_JGE, mapped, 4, 0),
        // The kernel refuses a group that is not mapped as well, even if the user is mapped.
        argument(first + 1),
        jump(libc::BPF_JEQ, NONE, 1, 0),
        jump(libc::BPF_JGE, mapped, 1, 0),
        end(libc::SECCOMP_RET_ALLOW),
        end(crate::uapi::SECCOMP_RET_USER_NOTIF),
    ]
}

/// Changes the owner of a file without a question to another process (`fchownat(2)`). The owner of
/// a symbolic link itself is changed, not that of its target.
///
/// # Errors
/// The kernel refused it: an id has no number here, say.
pub fn chown_unwatched(path: &Path, uid: u32, gid: u32) -> crate::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel reads the path, which lives across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_fchownat,
            libc::AT_FDCWD,
            path.as_ptr(),
            uid,
            gid,
            libc::AT_SYMLINK_NOFOLLOW,
            OURS,
        )
    };
    Errno::result(done).map(drop)
}

/// Makes the calling process, which has a single thread, a member of a new user namespace, without
/// a question to anybody (`unshare(2)`).
///
/// # Errors
/// The limit on user namespaces is reached, or the process has threads.
pub fn unshare_users() -> crate::Result<()> {
    let flags = CloneFlags::CLONE_NEWUSER.bits();
    // SAFETY: the call has no pointers.
    let done = unsafe { libc::syscall(libc::SYS_unshare, flags, OURS) };
    Errno::result(done).map(drop)
}

/// Writes what the kernel has in its cache for a filesystem, without a question to anybody
/// (`syncfs(2)`).
///
/// # Errors
/// Something could not be written.
pub fn syncfs_unwatched(file: BorrowedFd<'_>) -> crate::Result<()> {
    // SAFETY: the call has no pointers.
    let done = unsafe { libc::syscall(libc::SYS_syncfs, file.as_raw_fd(), OURS) };
    Errno::result(done).map(drop)
}

/// Kind of the ids that a call names.
type Changed = fn([u32; 3]) -> WatchedCall;

/// Calls that change ids, with what becomes of their first three arguments.
const CHANGES_OF_IDS: [(libc::c_long, Changed); 7] = [
    (libc::SYS_setuid, |[uid, ..]| {
        WatchedCall::Users([uid, NONE, NONE])
    }),
    (libc::SYS_setreuid, |[real, uid, _]| {
        WatchedCall::Users([real, uid, NONE])
    }),
    (libc::SYS_setresuid, WatchedCall::Users),
    (libc::SYS_setgid, |[gid, ..]| {
        WatchedCall::Groups([gid, NONE, NONE])
    }),
    (libc::SYS_setregid, |[real, gid, _]| {
        WatchedCall::Groups([real, gid, NONE])
    }),
    (libc::SYS_setresgid, WatchedCall::Groups),
    (libc::SYS_setgroups, |[count, ..]| {
        WatchedCall::GroupList(count)
    }),
];

/// Index of the argument after the last one of `fchownat(2)`, which has the most arguments.
const MARK_OF_CHOWN: usize = 5;

/// Calls that change the owner of a file, with the index of the argument that is the user; the
/// group is the next.
const CHANGES_OF_OWNERS: &[(libc::c_long, usize)] = &[
    // AArch64 has these two by fchownat only.
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lchown, 1),
    (libc::SYS_fchown, 1),
    (libc::SYS_fchownat, 2),
];

/// Stands for no change where an id is expected.
const NONE: u32 = u32::MAX;

/// A call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchedCall {
    /// Make a user namespace.
    NewUserNamespace,
    /// Become these users; `u32::MAX` stands for no change.
    Users([u32; 3]),
    /// Become a member of these groups; `u32::MAX` stands for no change.
    Groups([u32; 3]),
    /// Give a file to this user and this group; `u32::MAX` stands for no change.
    Owner(u32, u32),
    /// Change the list of groups to one of this length.
    GroupList(u32),
    /// Write all filesystems to their disks.
    Sync,
    /// Write the filesystem on which the file of this descriptor is.
    SyncFilesystem(i32),
}

/// A call that waits for an answer.
#[derive(Debug)]
pub struct Question<'a> {
    watch: BorrowedFd<'a>,
    id: u64,
    /// Id of the thread that makes the call, in the PID namespace of the caller.
    pub pid: i32,
    /// The call.
    pub call: WatchedCall,
}

impl<'a> Question<'a> {
    /// Returns the next question, if there is one; never waits where `watch` is readable.
    ///
    /// # Errors
    /// `ENOENT` if the process that asked is gone.
    pub fn receive(watch: BorrowedFd<'a>) -> crate::Result<Question<'a>> {
        // SAFETY: a structure of numbers, which the kernel wants to be zero.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes the structure, which lives across the call.
        let done = unsafe {
            libc::ioctl(
                watch.as_raw_fd(),
                crate::uapi::SECCOMP_IOCTL_NOTIF_RECV,
                &raw mut asked,
            )
        };
        Errno::result(done)?;
        let number = libc::c_long::from(asked.data.nr);
        let arguments = asked.data.args.map(|argument| argument as u32);
        let [first, second, third, ..] = arguments;
        let mut owners = CHANGES_OF_OWNERS.iter();
        let changed = CHANGES_OF_IDS.iter().find(|(it, _)| *it == number);
        let call = match (changed, number) {
            (Some((_, call)), _) => call([first, second, third]),
            (None, libc::SYS_sync) => WatchedCall::Sync,
            (None, libc::SYS_syncfs) => WatchedCall::SyncFilesystem(first.cast_signed()),
            (None, _) => match owners.find(|(it, _)| *it == number) {
                Some((_, user)) => WatchedCall::Owner(arguments[*user], arguments[*user + 1]),
                None => WatchedCall::NewUserNamespace,
            },
        };
        Ok(Question {
            watch,
            id: asked.id,
            pid: asked.pid.cast_signed(),
            call,
        })
    }

    /// Lets the call go on, or makes it fail with an errno. A process that is gone needs no answer.
    pub fn answer(self, refusal: Option<Errno>) {
        let flags = match refusal {
            Some(_) => 0,
            None => libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        };
        let answer = libc::seccomp_notif_resp {
            id: self.id,
            val: 0,
            error: refusal.map_or(0, |errno| -(errno as i32)),
            flags,
        };
        // SAFETY: the kernel reads the structure, which lives across the call.
        unsafe {
            libc::ioctl(
                self.watch.as_raw_fd(),
                crate::uapi::SECCOMP_IOCTL_NOTIF_SEND,
                &raw const answer,
            )
        };
    }
}
