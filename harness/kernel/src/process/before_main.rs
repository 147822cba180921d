//! Code that runs before `main`, and the constructors of the program that run after that code.
//!
//! Under the standard test harness `main` is libtest's, which starts threads; a process
//! with threads can make no user namespace. A trial that is re-executed from there is
//! therefore taken over here, before `main`. This code never returns to the loader, which would
//! have called the rest of the program's constructors. So this module calls these constructors.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use crate::sync::Lock;

crate::linked_slice!(
    /// Functions that run before `main`, on the only thread of the process.
    ///
    /// The crate above registers its functions here (`before_main!`), since this crate knows
    /// nothing of trials.
    static BEFORE_MAIN: [fn()] in "snowglobe_before_main", "__start_snowglobe_before_main", "__stop_snowglobe_before_main"
);

/// Strings as `main` of C is given them.
type Strings = *mut *mut c_char;
/// An entry of `.init_array`, as glibc calls it (glibc, `csu/libc-start.c`, `call_init`).
type Constructor = extern "C" fn(c_int, Strings, Strings);

/// Whether the functions of [`BEFORE_MAIN`] run, and the loader waits for them.
static RUNNING: AtomicBool = AtomicBool::new(false);
static ARGC: AtomicI32 = AtomicI32::new(0);
static ARGV: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());
static ENVIRONMENT: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());

/// Runs the functions of [`BEFORE_MAIN`]. The dynamic loader calls this function before `main`.
extern "C" fn before_main(argc: c_int, argv: Strings, environment: Strings) {
    ARGC.store(argc, Ordering::Relaxed);
    ARGV.store(argv, Ordering::Relaxed);
    ENVIRONMENT.store(environment, Ordering::Relaxed);
    RUNNING.store(true, Ordering::Relaxed);
    for work in BEFORE_MAIN.iter() {
        work();
    }
    RUNNING.store(false, Ordering::Relaxed);
}

/// Puts a text in the place of an argument of this program, for whoever asks for the arguments from
/// now on. The name of the program is argument 0.
///
/// The calling thread must be the only one that is awake.
pub fn replace_argument(place: usize, text: CString) {
    /// The text that is in that place, unless it is the one with which the program was started.
    static OWN: Lock<Option<CString>> = Lock::new(None);
    let argv = ARGV.load(Ordering::Relaxed);
    let count = usize::try_from(ARGC.load(Ordering::Relaxed)).unwrap_or_default();
    if argv.is_null() || place >= count {
        return;
    }
    // SAFETY: `argv` has so many entries as long as the process lives (execve(2)), and nobody reads
    // them meanwhile. std keeps the address of the array, and reads the entries at each call
    // (library/std/src/sys/args/unix.rs).
    unsafe { *argv.add(place) = text.as_ptr().cast_mut() };
    // The earlier text is freed after nothing refers to it any more.
    *OWN.lock() = Some(text);
}

#[used]
// SAFETY: `.init_array` holds pointers to C functions, which the loader calls once, in order, on
// the only thread. std's own entry, which stores the program's arguments, has an earlier place in
// it. The number keeps the functions of `BEFORE_MAIN` ahead of most constructors: one that starts a
// thread would make a user namespace impossible.
#[unsafe(link_section = ".init_array.65000")]
static CONSTRUCTOR: Constructor = before_main;

unsafe extern "C" {
    /// End of `.init_array`, which the linker defines.
    static __init_array_end: Constructor;
}

/// Runs the constructors of the program that the loader has not called yet, in its order.
///
/// Does nothing where the functions of `BEFORE_MAIN` have returned: the loader has called all
/// constructors then.
pub fn run_remaining_constructors() {
    // A constructor may start a trial of its own accord, and no constructor runs twice.
    if !RUNNING.swap(false, Ordering::Relaxed) {
        return;
    }
    let argc = ARGC.load(Ordering::Relaxed);
    let argv = ARGV.load(Ordering::Relaxed);
    let environment = ENVIRONMENT.load(Ordering::Relaxed);
    // The compiler knows the size of our entry, and would take what lies beyond it for nothing.
    let end = black_box(&raw const __init_array_end);
    let mut entry = black_box(&raw const CONSTRUCTOR).wrapping_add(1);
    while entry < end {
        // SAFETY: the linker has put our entry and the end of the section into one array, which
        // is never written to after the program was loaded. Its entries are functions that the
        // loader would call with these same arguments.
        unsafe { (*entry)(argc, argv, environment) };
        entry = entry.wrapping_add(1);
    }
}
