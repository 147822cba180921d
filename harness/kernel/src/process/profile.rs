//! The runtimes that compilers link into instrumented programs, as far as they have to know of a
//! fork.
//!
//! Their symbols are there or not, which stable Rust can only ask the linker by way of a weak
//! reference in assembly.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

std::arch::global_asm!(
    ".pushsection .data.snowglobe_weak, \"aw\"",
    ".balign 8",
    ".weak __llvm_profile_set_filename",
    ".weak __asan_init",
    ".weak __lsan_do_leak_check",
    ".weak __tsan_init",
    ".hidden snowglobe_weak_symbols",
    ".globl snowglobe_weak_symbols",
    "snowglobe_weak_symbols:",
    ".quad __llvm_profile_set_filename",
    ".quad __asan_init",
    ".quad __lsan_do_leak_check",
    ".quad __tsan_init",
    ".popsection",
);

unsafe extern "C" {
    /// Their addresses; null for those that are not linked.
    static snowglobe_weak_symbols: [usize; 4];
}

fn symbols() -> [usize; 4] {
    // SAFETY: defined above, never written to after the program was loaded.
    unsafe { snowglobe_weak_symbols }
}

/// Tells whether this process should exit in order: exit handlers then write profiles and
/// look for leaks.
pub fn is_instrumented() -> bool {
    symbols() != [0; 4]
}

static FILE: OnceLock<CString> = OnceLock::new();

/// Makes LLVM's profile of this process go to `file`, if it makes one.
///
/// It has chosen a file when the program was loaded, before the fork: the same for every copy.
pub fn write_to(file: &str) {
    let address = symbols()[0];
    let Ok(file) = CString::new(file) else { return };
    if address == 0 {
        return;
    }
    // The runtime keeps the pointer, so the text has to live for ever.
    let file = FILE.get_or_init(|| file);
    // SAFETY: the address is that of `void __llvm_profile_set_filename(const char *)`, which
    // keeps the pointer; what it points to lives in a static.
    unsafe {
        let set: extern "C" fn(*const c_char) = std::mem::transmute(address);
        set(file.as_ptr());
    }
}
