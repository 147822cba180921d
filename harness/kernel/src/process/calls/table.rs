//! Names and numbers of system calls, and what each of them is about.

/// A system call that a program can be stopped at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// The name, as `fsync`.
    pub name: &'static str,
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
    /// The paths in two arguments: the old name and the new one.
    Paths(usize, usize),
}

impl SystemCall {
    /// Finds a system call by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|call| call.name == name).copied()
    }
}

/// Returns the names of all system calls that are known here.
pub fn known_names() -> impl Iterator<Item = &'static str> {
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

use About::{Descriptor, Nothing, Path, Paths};

/// The calls by which programs change files and talk to others. The numbers are those of
/// `asm/unistd_64.h`; each manual page of section 2 names the arguments.
const EVERYWHERE: [SystemCall; 56] = calls! {
    accept SYS_accept Nothing;
    accept4 SYS_accept4 Nothing;
    bind SYS_bind Nothing;
    clock_nanosleep SYS_clock_nanosleep Nothing;
    clone SYS_clone Nothing;
    clone3 SYS_clone3 Nothing;
    close SYS_close Descriptor(0);
    connect SYS_connect Nothing;
    copy_file_range SYS_copy_file_range Descriptor(2);
    epoll_pwait SYS_epoll_pwait Nothing;
    execve SYS_execve Path(0);
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
    linkat SYS_linkat Paths(1, 3);
    listen SYS_listen Nothing;
    lseek SYS_lseek Descriptor(0);
    madvise SYS_madvise Nothing;
    mkdirat SYS_mkdirat Path(1);
    mmap SYS_mmap Nothing;
    msync SYS_msync Nothing;
    munmap SYS_munmap Nothing;
    nanosleep SYS_nanosleep Nothing;
    newfstatat SYS_newfstatat Path(1);
    openat SYS_openat Path(1);
    ppoll SYS_ppoll Nothing;
    pread64 SYS_pread64 Descriptor(0);
    preadv SYS_preadv Descriptor(0);
    pwrite64 SYS_pwrite64 Descriptor(0);
    pwritev SYS_pwritev Descriptor(0);
    pwritev2 SYS_pwritev2 Descriptor(0);
    read SYS_read Descriptor(0);
    recvfrom SYS_recvfrom Nothing;
    recvmsg SYS_recvmsg Nothing;
    renameat SYS_renameat Paths(1, 3);
    renameat2 SYS_renameat2 Paths(1, 3);
    sendfile SYS_sendfile Descriptor(0);
    sendmsg SYS_sendmsg Nothing;
    sendto SYS_sendto Nothing;
    shutdown SYS_shutdown Nothing;
    socket SYS_socket Nothing;
    statx SYS_statx Path(1);
    symlinkat SYS_symlinkat Path(2);
    sync_file_range SYS_sync_file_range Descriptor(0);
    syncfs SYS_syncfs Descriptor(0);
    truncate SYS_truncate Path(0);
    unlinkat SYS_unlinkat Path(1);
    write SYS_write Descriptor(0);
    writev SYS_writev Descriptor(0);
};

/// The older calls, which newer machines do not have (`asm-generic/unistd.h`).
#[cfg(target_arch = "x86_64")]
const OLDER: [SystemCall; 14] = calls! {
    creat SYS_creat Path(0);
    epoll_wait SYS_epoll_wait Nothing;
    fork SYS_fork Nothing;
    link SYS_link Paths(0, 1);
    mkdir SYS_mkdir Path(0);
    open SYS_open Path(0);
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
