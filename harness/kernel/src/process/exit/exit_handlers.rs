//! Whether the end of this program has anything to run, and an end without it.
//!
//! `exit(3)` runs what was registered by `atexit(3)`, destructors of C++ and of libraries, and
//! flushes streams of C. In a fork that has touched little of its memory, the walk through all that
//! costs 35 µs of processor time for 17 pages, mostly to find nothing (measured for this project,
//! 2026-11). What a program can register shows in the functions that it imports.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::io::Write;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::process::clone::has_one_thread_by_links;
use crate::process::exit_now;

/// Functions by which a program registers work for its end, or loads a library that may register
/// such work.
const REGISTER: [&CStr; 5] = [
    c"atexit",
    c"__cxa_atexit",
    c"on_exit",
    c"dlopen",
    c"dlmopen",
];

/// Libraries of the compiler and of libc. They have no work of their own for the end but the flush
/// of C's streams.
const WITHOUT_WORK: [&str; 8] = [
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// Nothing can be registered for the end, as far as is known.
static NOTHING: AtomicBool = AtomicBool::new(false);

/// Finds out, once for all copies of this process, whether anything can be registered for the end.
pub fn prepare() {
    let mut nothing = true;
    let argument = (&raw mut nothing).cast::<c_void>();
    // SAFETY: the callback gets the address of `nothing`, which lives across the call.
    unsafe { libc::dl_iterate_phdr(Some(look_at), argument) };
    NOTHING.store(nothing, Ordering::Relaxed);
}

/// Ends this process with an exit code, as the end of `main` does: handlers run, streams are
/// flushed.
pub fn exit(code: i32) -> ! {
    if NOTHING.load(Ordering::Relaxed) && has_one_thread_by_links() {
        // Where another thread holds the lock of stdout, `std::process::exit` knows not to wait.
        let _ = std::io::stdout().flush();
        // SAFETY: a null pointer stands for all streams (fflush(3)).
        unsafe { libc::fflush(ptr::null_mut()) };
        exit_now(code)
    }
    std::process::exit(code)
}

/// Looks at one object of the program, the program itself first. Clears the flag that `nothing`
/// points to, and stops, if the object can have work for the end.
unsafe extern "C" fn look_at(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    nothing: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid structure, whose name is a C string or null.
    let (info, name) = unsafe {
        let info = &*info;
        let name = (!info.dlpi_name.is_null()).then(|| CStr::from_ptr(info.dlpi_name));
        (info, name.unwrap_or_default())
    };
    let name = name.to_str().unwrap_or("?");
    let without_work = match name.rsplit('/').next().unwrap_or_default() {
        "" => Dynamic::of(info).is_some_and(|dynamic| dynamic.has_no_work()),
        // What the kernel maps into every process (vdso(7)).
        "linux-vdso.so.1" => true,
        file => WITHOUT_WORK.contains(&file),
    };
    if without_work {
        return 0;
    }
    // SAFETY: `prepare` has passed the address of a flag.
    unsafe { *nothing.cast::<bool>() = false };
    1
}

/// An entry of the dynamic section, `Elf64_Dyn` (elf(5)).
#[repr(C)]
struct DynamicEntry {
    tag: i64,
    value: usize,
}

/// A relocation with an addend, `Elf64_Rela` (elf(5)).
#[repr(C)]
struct Relocation {
    offset: u64,
    /// Symbol in the upper half, type in the lower.
    info: u64,
    addend: i64,
}

/// The dynamic section of the program, with what it says of symbols and of the end.
#[derive(Default)]
struct Dynamic {
    symbols: usize,
    names: usize,
    /// Address, size in bytes, and number of the first ones, which name no symbol.
    relocations: (usize, usize, usize),
    /// Address and size in bytes of those for calls.
    calls: (usize, usize),
    /// Size in bytes of the array of functions for the end.
    functions_for_end: usize,
    needs_libraries: bool,
}

impl Dynamic {
    /// Reads the section of an object of 64 bits; nothing if the object is linked statically.
    fn of(info: &libc::dl_phdr_info) -> Option<Self> {
        let base = info.dlpi_addr as usize;
        // SAFETY: the loader passes the table of the object with its length.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let section = headers.iter().find(|it| it.p_type == libc::PT_DYNAMIC)?;
        let mut entry =
            ptr::with_exposed_provenance::<DynamicEntry>(base + section.p_vaddr as usize);
        // The loader of glibc makes addresses of these offsets, that of other libcs does not.
        let address = |value| if value < base { base + value } else { value };
        let mut found = Self::default();
        loop {
            // SAFETY: the section is mapped as long as the program is, and ends with a tag of 0.
            let DynamicEntry { tag, value } = *unsafe { &*entry };
            match tag {
                0 => return found.needs_libraries.then_some(found),
                1 => found.needs_libraries = true,
                5 => found.names = address(value),
                6 => found.symbols = address(value),
                7 => found.relocations.0 = address(value),
                8 => found.relocations.1 = value,
                0x6fff_fff9 => found.relocations.2 = value,
                23 => found.calls.0 = address(value),
                2 => found.calls.1 = value,
                28 => found.functions_for_end = value,
                _ => {}
            }
            // SAFETY: not the last entry.
            entry = unsafe { entry.add(1) };
        }
    }

    /// Returns whether the program has nothing for the end, and imports nothing to register it by.
    fn has_no_work(&self) -> bool {
        // One function is the compiler's, which undoes what its start has done (crtstuff.c).
        let own_functions = self.functions_for_end > size_of::<usize>();
        !own_functions && self.symbols != 0 && self.names != 0 && !self.imports_any(&REGISTER)
    }

    fn imports_any(&self, names: &[&CStr]) -> bool {
        let (at, size, without_symbol) = self.relocations;
        let count = size / size_of::<Relocation>();
        let first = at + without_symbol.min(count) * size_of::<Relocation>();
        let tables = [
            (first, count.saturating_sub(without_symbol)),
            (self.calls.0, self.calls.1 / size_of::<Relocation>()),
        ];
        let tables = tables.iter().filter(|(at, _)| *at != 0);
        tables.into_iter().any(|(at, count)| {
            // SAFETY: the dynamic section says that so many relocations are there.
            let table =
                unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(*at), *count) };
            table.iter().any(|relocation: &Relocation| {
                let name = self.name_of((relocation.info >> 32) as usize);
                names.contains(&name)
            })
        })
    }

    /// Returns the name of a symbol, which is empty for the symbol 0.
    fn name_of(&self, symbol: usize) -> &CStr {
        let at = self.symbols + symbol * size_of::<libc::Elf64_Sym>();
        // SAFETY: relocations name symbols that are there, whose names are C strings in the table.
        unsafe {
            let symbol = &*ptr::with_exposed_provenance::<libc::Elf64_Sym>(at);
            CStr::from_ptr(ptr::with_exposed_provenance(
                self.names + symbol.st_name as usize,
            ))
        }
    }
}
