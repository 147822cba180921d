//! Links the released program for a fixed address.
//!
//! A program that can lie anywhere is relocated at each start: thousands of pointers are written,
//! to pages that each fork copies. `snowglobe exec` is started for each test, and forks twice.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name, value| std::env::var(name).is_ok_and(|found| found == value);
    // Only glibc's objects come for both: the standard library of musl is linked statically, and
    // with its own start files.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
