//! Valgrind, which runs a program on a processor of its own and answers system calls itself.
//!
//! It knows no namespaces: it answers `clone3(2)` with ENOSYS, and ends a program that calls
//! `clone(2)` with flags which are not those of a thread or of `fork`
//! (valgrind, coregrind/m_syswrap/syswrap-linux.c, `ML_(do_fork_clone)`).
#![allow(unsafe_code)]

/// Tells whether this process runs under Valgrind.
///
/// Valgrind takes a certain sequence of instructions, which does nothing on a processor, for a
/// request (valgrind.h, `VALGRIND_DO_CLIENT_REQUEST_EXPR`).
pub fn runs_this_process() -> bool {
    /// `VG_USERREQ__RUNNING_ON_VALGRIND`, and five arguments that it does not have.
    const REQUEST: [u64; 6] = [0x1001, 0, 0, 0, 0, 0];
    let mut answer = 0u64;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instructions turn a register by 128 bits in all and exchange another with itself.
    // Valgrind reads the six words, and writes its answer to the register that is named.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") REQUEST.as_ptr(),
            inout("rdx") answer,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") REQUEST.as_ptr(),
            inout("x3") answer,
        );
    }
    answer != 0
}
