//! The runtimes that compilers link into instrumented programs, as far as they have to know of a
//! fork.
//!
//! A program contains the symbols of such a runtime, or does not. Stable Rust can find out only by
//! weak references in assembly, which the linker resolves.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

std::arch::global_asm!(
    ".pushsection .data.snowglobe_weak, \"aw\"",
    ".balign 8",
    ".weak __llvm_profile_set_filename",
    ".weak __lsan_disable",
    ".weak __lsan_enable",
    ".weak __lsan_register_root_region",
    ".weak __asan_get_current_fake_stack",
    ".weak __sanitizer_set_death_callback",
    ".hidden snowglobe_weak_symbols",
    ".globl snowglobe_weak_symbols",
    "snowglobe_weak_symbols:",
    ".quad __llvm_profile_set_filename",
    ".quad __lsan_disable",
    ".quad __lsan_enable",
    ".quad __lsan_register_root_region",
    ".quad __asan_get_current_fake_stack",
    ".quad __sanitizer_set_death_callback",
    ".popsection",
);

/// Addresses of functions of these runtimes; 0 for those that are not linked.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct RuntimeFunctions {
    llvm_profile_set_filename: usize,
    pub(super) lsan_disable: usize,
    pub(super) lsan_enable: usize,
    pub(super) lsan_register_root_region: usize,
    pub(super) asan_get_current_fake_stack: usize,
    sanitizer_set_death_callback: usize,
}

unsafe extern "C" {
    static snowglobe_weak_symbols: RuntimeFunctions;
}

/// Returns the functions that are linked into this program.
pub(super) fn runtime() -> RuntimeFunctions {
    // SAFETY: defined above, never written to after the program was loaded.
    unsafe { snowglobe_weak_symbols }
}

/// Tells whether this program writes a profile of LLVM's coverage when it exits.
pub fn is_instrumented() -> bool {
    runtime().llvm_profile_set_filename != 0
}

/// Tells whether the runtime of a sanitizer is linked into this program.
pub fn has_sanitizer() -> bool {
    runtime().sanitizer_set_death_callback != 0
}

static FILE: OnceLock<CString> = OnceLock::new();

/// Makes LLVM's profile of this process go to `file`, if it makes one.
///
/// The runtime chooses a file when the program is loaded, which is before the fork: without this
/// call all copies of the process would have the same file.
pub fn write_to(file: &str) {
    let address = runtime().llvm_profile_set_filename;
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
