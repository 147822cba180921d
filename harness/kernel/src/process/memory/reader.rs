//! A symbol that makes the linker fail if no code of a program reads its tests.
//!
//! A program with a `main` of its own that never asks for its tests would run none of them, and
//! succeed. No run can tell such a program from one that is its own helper, whose `main` looks at
//! an argument and returns. The linker can: it sees whether the program contains the code that
//! reads tests, on whichever path through `main`.
//!
//! Each test refers to the symbol, and the code that reads tests defines it. Both functions are
//! inlined into the crate that calls them: in this library the definition would always exist. The
//! name of the symbol is the sentence that the linker prints.
#![allow(unsafe_code)]

macro_rules! symbol {
    () => {
        "snowglobe: the tests of this program would never run, for its `main` asks for none of them: write `snowglobe::main!();` in the place of `fn main`"
    };
}

/// Tells the linker that the calling code reads the tests of the program.
#[inline(always)]
pub fn reads_tests() {
    // SAFETY: only a byte is defined, in a section of constants. An object file may get the code
    // several times, a program several of such object files.
    unsafe {
        std::arch::asm!(
            // The compiler may inline this twice into one object file, where a second definition
            // would be an error, even of a weak symbol.
            concat!(".ifndef \"", symbol!(), "\""),
            ".pushsection .rodata.snowglobe_reads_tests, \"a\"",
            // Object files that both have the code would otherwise be refused by the linker.
            concat!(".weak \"", symbol!(), "\""),
            concat!("\"", symbol!(), "\":"),
            ".byte 0",
            ".popsection",
            ".endif",
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Makes the linker refuse a program without code that reads its tests.
#[inline(always)]
pub fn wants_reader() {
    unsafe extern "C" {
        #[link_name = symbol!()]
        static READER: u8;
    }
    // The address is used, so that the optimizer leaves the reference to the linker.
    std::hint::black_box(&raw const READER);
}
