//! Gives the programs that this process starts the limit of open files that they expect.
//!
//! A process hands its limits on to what it starts (`setrlimit(2)`). A program that uses
//! `select(2)` writes beyond its own memory when it is given a descriptor above 1,023, so the
//! customary soft limit protects it, and whoever raises the limit for itself has to lower it for
//! others. Go's runtime does so in its own `fork` (`syscall/exec_linux.go`, since Go 1.19). std has
//! no such place: `std::process::Command` calls `posix_spawnp`, or `fork` where that cannot do what
//! was asked for. So both are caught here: `fork` by a handler, and `posix_spawn` and
//! `posix_spawnp` by functions of the same name, which the linker prefers to those of the C
//! library.
#![allow(unsafe_code)]

use std::sync::Once;

use super::give_back_open_files;

/// Makes every copy of this process that `fork(3)` makes from now on have the old limit of open
/// files: a program is about to be executed there, as a rule.
///
/// Copies that [`fork`](crate::process::fork) makes are not concerned.
pub fn give_back_in_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler makes system calls only, and touches nothing but atomic values. The
        // call fails only for want of memory (pthread_atfork(3)), which costs the handler.
        unsafe { libc::pthread_atfork(None, None, Some(in_forked_child)) };
    });
}

extern "C" fn in_forked_child() {
    #[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
    spawn::forget_other_threads();
    // A program that starts with a higher limit is the lesser evil compared to none.
    let _ = give_back_open_files();
}

/// `posix_spawn` and `posix_spawnp`.
///
/// A child of `posix_spawn` copies the limits of its parent, and there is no attribute for them. So
/// the parent has the old limit for the time of the call, which lasts until the program is
/// executed. A test program that contains the C library (`crt-static`) keeps the library's own
/// functions, for nothing could find them behind these.
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
mod spawn {
    use std::ffi::{CStr, c_char, c_int};
    use std::mem::transmute;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

    use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    use super::super::before_and_raised;

    type Spawn = unsafe extern "C" fn(
        *mut pid_t,
        *const c_char,
        *const posix_spawn_file_actions_t,
        *const posix_spawnattr_t,
        *const *mut c_char,
        *const *mut c_char,
    ) -> c_int;

    /// Number of calls that need the old limit at present.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    /// Whether a thread is about to change [`CALLS`] and the limit. A lock of std could not be
    /// opened in a forked child whose parent's other thread had it.
    static BUSY: AtomicBool = AtomicBool::new(false);

    /// Opens the lock in a forked child, where the thread that had it does not exist.
    pub(super) fn forget_other_threads() {
        CALLS.store(0, Ordering::Relaxed);
        BUSY.store(false, Ordering::Release);
    }

    /// Does something that no other thread does at the same time: a system call or two.
    fn alone<T>(work: impl FnOnce() -> T) -> T {
        while BUSY.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        let done = work();
        BUSY.store(false, Ordering::Release);
        done
    }

    /// Gives this process the old limit until [`leave`]. Returns whether that was done.
    fn enter(before: u64, raised: u64) -> bool {
        alone(|| {
            if CALLS.load(Ordering::Relaxed) == 0 {
                let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
                    return false;
                };
                if soft != raised || !has_room(before) {
                    return false;
                }
                if setrlimit(Resource::RLIMIT_NOFILE, before, hard).is_err() {
                    return false;
                }
            }
            CALLS.fetch_add(1, Ordering::Relaxed);
            true
        })
    }

    /// Ends a call for which [`enter`] has given this process the old limit.
    fn leave(before: u64, raised: u64) {
        alone(|| {
            if CALLS.fetch_sub(1, Ordering::Relaxed) == 1
                && let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
                && soft == before
            {
                let _ = setrlimit(Resource::RLIMIT_NOFILE, raised, hard);
            }
        });
    }

    /// Returns whether other threads can open files below a limit meanwhile: the kernel gives the
    /// lowest number that is free (`open(2)`), so a number that is free some way below the limit
    /// shows that there are others.
    fn has_room(limit: u64) -> bool {
        let some_way_below = limit - (limit / 8).max(1);
        // SAFETY: asks about a number, whether or not there is a descriptor.
        let flags = unsafe { libc::fcntl(some_way_below as c_int, libc::F_GETFD) };
        flags == -1
    }

    /// Gives a process that has just been started the old limit.
    fn give_back_in(pid: pid_t, before: u64) {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `prlimit` reads and writes the values that it is given.
        unsafe {
            if libc::prlimit(pid, libc::RLIMIT_NOFILE, ptr::null(), &raw mut limit) == 0 {
                limit.rlim_cur = before;
                libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut());
            }
        }
    }

    /// The arguments of `posix_spawn(3)`.
    struct SpawnCall {
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        argv: *const *mut c_char,
        envp: *const *mut c_char,
    }

    /// Calls a function of the C library that starts a program, so that the program has the old
    /// limit of open files.
    ///
    /// # Safety
    /// The arguments are those of `posix_spawn(3)`.
    unsafe fn with_old_limit(real: Option<Spawn>, call: SpawnCall) -> c_int {
        let Some(real) = real else {
            return libc::ENOSYS;
        };
        let SpawnCall {
            pid,
            path,
            actions,
            attributes,
            argv,
            envp,
        } = call;
        let mut own_pid = 0;
        let mut spawn = || {
            // SAFETY: by the contract of this function.
            let errno = unsafe { real(&raw mut own_pid, path, actions, attributes, argv, envp) };
            if errno == 0 && !pid.is_null() {
                // SAFETY: `pid` points to a place for a number, or is null.
                unsafe { *pid = own_pid };
            }
            errno
        };
        let Some((before, raised)) = before_and_raised() else {
            return spawn();
        };
        if enter(before, raised) {
            let errno = spawn();
            leave(before, raised);
            return errno;
        }
        let errno = spawn();
        // Nearly all numbers below the old limit are taken, and another thread could open nothing
        // while the limit is the old one. Then the program has the raised limit for a moment.
        if errno == 0 && soft_limit_is(raised) {
            give_back_in(own_pid, before);
        }
        errno
    }

    fn soft_limit_is(raised: u64) -> bool {
        getrlimit(Resource::RLIMIT_NOFILE).is_ok_and(|(soft, _)| soft == raised)
    }

    /// Finds the function of the C library of this name, and remembers it.
    fn find(name: &CStr, found: &AtomicPtr<libc::c_void>) -> Option<Spawn> {
        let mut address = found.load(Ordering::Relaxed);
        if address.is_null() {
            // SAFETY: `name` ends with a zero byte. RTLD_NEXT looks behind the executable, which
            // has the functions of this file (dlsym(3)).
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            found.store(address, Ordering::Relaxed);
        }
        // SAFETY: the functions of these names have this type (posix_spawn(3)).
        (!address.is_null()).then(|| unsafe { transmute::<*mut libc::c_void, Spawn>(address) })
    }

    /// Stands in for `posix_spawn(3)`, with the old limit of open files for the program.
    ///
    /// # Safety
    /// As that function's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        argv: *const *mut c_char,
        envp: *const *mut c_char,
    ) -> c_int {
        static REAL: AtomicPtr<libc::c_void> = AtomicPtr::new(ptr::null_mut());
        let real = find(c"posix_spawn", &REAL);
        let call = SpawnCall {
            pid,
            path,
            actions,
            attributes,
            argv,
            envp,
        };
        // SAFETY: the arguments are passed on.
        unsafe { with_old_limit(real, call) }
    }

    /// Stands in for `posix_spawnp(3)`, with the old limit of open files for the program.
    ///
    /// # Safety
    /// As that function's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_spawnp(
        pid: *mut pid_t,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        argv: *const *mut c_char,
        envp: *const *mut c_char,
    ) -> c_int {
        static REAL: AtomicPtr<libc::c_void> = AtomicPtr::new(ptr::null_mut());
        let real = find(c"posix_spawnp", &REAL);
        let call = SpawnCall {
            pid,
            path: file,
            actions,
            attributes,
            argv,
            envp,
        };
        // SAFETY: the arguments are passed on.
        unsafe { with_old_limit(real, call) }
    }
}
