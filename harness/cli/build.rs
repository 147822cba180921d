//! Links the released program so that it starts fast: `snowglobe exec` is started for each test.
//!
//! A program that can lie anywhere is relocated at each start: thousands of pointers are written,
//! to pages that each fork copies. So the program lies at a fixed address.
//!
//! cargo and nextest set LD_LIBRARY_PATH, where the loader looks for the libraries of each program
//! in some eighty places before it comes to the system's: 0.14 of 1.00 ms of processor time
//! (measured for this project, 2026-11). An old DT_RPATH comes before that variable (`ld.so(8)`).
//!
//! A program with a static libc has no loader, and starts faster still. The README says how to
//! build such a program, for which this script adds no linker options.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name, value| std::env::var(name).is_ok_and(|found| found == value);
    // Only glibc's objects come for both: the standard library of musl is linked statically, and
    // with its own start files.
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_ENV", "gnu") || has_static_libc() {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-no-pie");
    let is_native = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    if let Some(directory) = is_native.then(directory_of_libc).flatten() {
        println!("cargo:rustc-link-arg-bins=-Wl,--disable-new-dtags");
        println!(
            "cargo:rustc-link-arg-bins=-Wl,-rpath,{}",
            directory.display()
        );
    }
}

/// Returns whether libc becomes a part of the program.
fn has_static_libc() -> bool {
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    features.split(',').any(|feature| feature == "crt-static")
}

/// Returns the directory in which the system has its libraries.
fn directory_of_libc() -> Option<PathBuf> {
    let linker = std::env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let mut ask = Command::new(linker);
    let output = ask.arg("-print-file-name=libc.so.6").output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // The name alone stands for a library that is not there (gcc(1), -print-file-name).
    let directory = path.parent().filter(|_| path.is_absolute())?;
    // gcc goes there from its own directory, step by step.
    directory.canonicalize().ok()
}
