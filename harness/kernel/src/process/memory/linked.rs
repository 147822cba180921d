//! Values that the linker collects, from all over a program, into one section.
//!
//! The crate linkme does this on nine systems. On Linux it comes to one attribute and two symbols,
//! and its macro, with syn below it, takes longer to compile than all of this crate's dependencies
//! but nix (debug, 2026-11-30).
#![allow(unsafe_code)]

use std::ops::Deref;
use std::slice;

/// All values of a section, in no order that lasts.
#[derive(Debug)]
pub struct LinkedSlice<T: 'static> {
    start: *const T,
    end: *const T,
}

// SAFETY: the pointers are those of a slice that is never written to.
unsafe impl<T: Sync> Sync for LinkedSlice<T> {}

impl<T> LinkedSlice<T> {
    #[doc(hidden)]
    /// Returns the values between two places.
    ///
    /// # Safety
    /// The places are the start and the end of an array of values that live as long as the program.
    pub const unsafe fn new(start: *const T, end: *const T) -> Self {
        Self { start, end }
    }
}

impl<T> Deref for LinkedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let bytes = self.end.addr() - self.start.addr();
        // SAFETY: whoever has made this value promises it.
        unsafe { slice::from_raw_parts(self.start, bytes / size_of::<T>()) }
    }
}

/// Declares a slice of the values of a section, whose name is part of the names of its start and
/// its end: `linked_slice!(pub static NUMBERS: [u8] in "a", "__start_a", "__stop_a");`.
///
/// A value is put into the section by `#[used]` and `#[unsafe(link_section = "a")]`. Nothing of
/// another type may be put there.
#[macro_export]
macro_rules! linked_slice {
    (
        $(#[$attribute:meta])*
        $visibility:vis static $name:ident: [$type:ty] in $section:literal, $start:literal, $stop:literal
    ) => {
        $(#[$attribute])*
        $visibility static $name: $crate::process::LinkedSlice<$type> = {
            // The linker defines these for a section whose name is an identifier (ld(1), "Input
            // Section Example").
            unsafe extern "Rust" {
                #[link_name = $start]
                static START: [$type; 0];
                #[link_name = $stop]
                static STOP: [$type; 0];
            }

            // The section is there, even if no value is. The values have addresses in them, which
            // the loader changes, so the section is one that can be written to.
            #[used]
            #[unsafe(link_section = $section)]
            static mut NOTHING: [$type; 0] = [];

            // SAFETY: the linker puts all values of the section side by side.
            unsafe { $crate::process::LinkedSlice::new((&raw const START).cast(), (&raw const STOP).cast()) }
        };
    };
}

/// Registers a function that runs before `main`, on the only thread of the process.
#[macro_export]
macro_rules! before_main {
    ($function:path) => {
        #[used]
        #[unsafe(link_section = "snowglobe_before_main")]
        static BEFORE_MAIN: fn() = $function;
    };
}
