//! Names and numbers of system calls, and what each of them is about.

/// A system call that a program can be stopped at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SystemCall {
    /// The name, as `fsync`.
    pub(super) name: &'static str,
    /// The number on this machine.
    pub(super) number: i64,
    pub(super) about: About,
}

/// The object of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The call names no file, or a file without a name.
    Nothing,
    /// The descriptor in an argument, counted from 0.
    Descriptor(usize),
    /// The path in an argument.
    Path(usize),
    /// The descriptor of a directory in an argument, and the path from there in another.
    PathAt(usize, usize),
    /// The paths in two arguments: the old name and the new one.
    Paths(usize, usize),
    /// The old name and the new one, each with the descriptor of a directory ahead of it.
    PathsAt([usize; 2], [usize; 2]),
}

impl SystemCall {
    /// Finds a system call by its own name, whatever family it belongs to.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|call| call.name == name).copied()
    }

    /// Returns whether the call is about a file that has a name.
    pub(super) fn names_file(self) -> bool {
        self.about != Nothing
    }
}

/// Returns the names of all system calls that are known here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|call| call.name)
}

macro_rules! calls {
    ($($name:ident $number:ident $about:expr;)*) => {
        [$(SystemCall {
            name: stringify!($name),
            number: libc::$number,
            about: $about,
        }),*]
    };
}

use About::{Descriptor, Nothing, Path, PathAt, Paths, PathsAt};

/// The calls by which programs change files and talk to others. The numbers are those of
/// `asm/unistd_64.h`; each manual page of section 2 names the arguments.
const EVERYWHERE: [SystemCall; 67] = calls! {
    accept SYS_accept Nothing;
    accept4 SYS_accept4 Nothing;
    bind SYS_bind Nothing;
    clock_nanosleep SYS_clock_nanosleep Nothing;
    clone SYS_clone Nothing;
    clone3 SYS_clone3 Nothing;
    close SYS_close Descriptor(0);
    connect SYS_connect Nothing;
    copy_file_range SYS_copy_file_range Descriptor(2);
    dup SYS_dup Descriptor(0);
    dup3 SYS_dup3 Descriptor(0);
    epoll_pwait SYS_epoll_pwait Nothing;
    epoll_pwait2 SYS_epoll_pwait2 Nothing;
    execve SYS_execve Path(0);
    execveat SYS_execveat PathAt(0, 1);
    exit_group SYS_exit_group Nothing;
    fallocate SYS_fallocate Descriptor(0);
    fdatasync SYS_fdatasync Descriptor(0);
    flock SYS_flock Descriptor(0);
    fsync SYS_fsync Descriptor(0);
    ftruncate SYS_ftruncate Descriptor(0);
    futex SYS_futex Nothing;
    getrandom SYS_getrandom Nothing;
    io_uring_enter SYS_io_uring_enter Nothing;
    kill SYS_kill Nothing;
    linkat SYS_linkat PathsAt([0, 1], [2, 3]);
    listen SYS_listen Nothing;
    lseek SYS_lseek Descriptor(0);
    madvise SYS_madvise Nothing;
    mkdirat SYS_mkdirat PathAt(0, 1);
    mmap SYS_mmap Nothing;
    msync SYS_msync Nothing;
    munmap SYS_munmap Nothing;
    nanosleep SYS_nanosleep Nothing;
    newfstatat SYS_newfstatat PathAt(0, 1);
    openat SYS_openat PathAt(0, 1);
    openat2 SYS_openat2 PathAt(0, 1);
    pipe2 SYS_pipe2 Nothing;
    ppoll SYS_ppoll Nothing;
    pread64 SYS_pread64 Descriptor(0);
    preadv SYS_preadv Descriptor(0);
    preadv2 SYS_preadv2 Descriptor(0);
    pselect6 SYS_pselect6 Nothing;
    pwrite64 SYS_pwrite64 Descriptor(0);
    pwritev SYS_pwritev Descriptor(0);
    pwritev2 SYS_pwritev2 Descriptor(0);
    read SYS_read Descriptor(0);
    readv SYS_readv Descriptor(0);
    recvfrom SYS_recvfrom Nothing;
    recvmmsg SYS_recvmmsg Nothing;
    recvmsg SYS_recvmsg Nothing;
    renameat SYS_renameat PathsAt([0, 1], [2, 3]);
    renameat2 SYS_renameat2 PathsAt([0, 1], [2, 3]);
    sendfile SYS_sendfile Descriptor(0);
    sendmmsg SYS_sendmmsg Nothing;
    sendmsg SYS_sendmsg Nothing;
    sendto SYS_sendto Nothing;
    shutdown SYS_shutdown Nothing;
    socket SYS_socket Nothing;
    statx SYS_statx PathAt(0, 1);
    symlinkat SYS_symlinkat PathAt(1, 2);
    sync_file_range SYS_sync_file_range Descriptor(0);
    syncfs SYS_syncfs Descriptor(0);
    truncate SYS_truncate Path(0);
    unlinkat SYS_unlinkat PathAt(0, 1);
    write SYS_write Descriptor(0);
    writev SYS_writev Descriptor(0);
};

/// The older calls, which newer machines do not have (`asm-generic/unistd.h`).
#[cfg(target_arch = "x86_64")]
const OLDER: [SystemCall; 17] = calls! {
    creat SYS_creat Path(0);
    dup2 SYS_dup2 Descriptor(0);
    epoll_wait SYS_epoll_wait Nothing;
    fork SYS_fork Nothing;
    link SYS_link Paths(0, 1);
    lstat SYS_lstat Path(0);
    mkdir SYS_mkdir Path(0);
    open SYS_open Path(0);
    pipe SYS_pipe Nothing;
    poll SYS_poll Nothing;
    rename SYS_rename Paths(0, 1);
    rmdir SYS_rmdir Path(0);
    select SYS_select Nothing;
    stat SYS_stat Path(0);
    symlink SYS_symlink Path(1);
    unlink SYS_unlink Path(0);
    vfork SYS_vfork Nothing;
};
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [SystemCall; 0] = [];

const LENGTH: usize = EVERYWHERE.len() + OLDER.len();

static TABLE: [SystemCall; LENGTH] = joined();

const fn joined() -> [SystemCall; LENGTH] {
    let mut all = [EVERYWHERE[0]; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        all[at] = if at < EVERYWHERE.len() {
            EVERYWHERE[at]
        } else {
            OLDER[at - EVERYWHERE.len()]
        };
        at += 1;
    }
    all
}
