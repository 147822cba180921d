//! The functions that the kernel maps into each program (`vdso(7)`), and what is to be changed of
//! them.
//!
//! libc, Go and musl look the functions up by name when a program starts. So the table of names is
//! changed before the first instruction of the program: the names lead to code of ours, which lies
//! in the unused end of the last page. The kernel gives the program copies of the two pages
//! (arch/x86/entry/vdso/vma.c maps them with `VM_MAYWRITE`, for breakpoints).
#![allow(unsafe_code)]

use nix::errno::Errno;

use super::linear::LinearClock;
use super::stub;

/// The changes to the vDSO that let our code tell the time of day.
pub(super) struct Patch {
    /// The vDSO as this process has it.
    pub(super) image: Vec<u8>,
    /// Offset of our code in the vDSO.
    pub(super) code_at: usize,
    /// Our code.
    code: Vec<u8>,
    /// Values of symbols: offset in the vDSO, and the value.
    symbols: Vec<(usize, u64)>,
}

impl Patch {
    /// Works out the changes for the running kernel.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the vDSO is missing, has another form, or has no room.
    pub(super) fn for_this_kernel() -> crate::Result<Self> {
        let image = own_image().ok_or(Errno::EOPNOTSUPP)?;
        Self::of(image, vdso_reads_clock()).ok_or(Errno::EOPNOTSUPP)
    }

    fn of(image: Vec<u8>, reads_clock: bool) -> Option<Self> {
        let (code, functions) = stub::code();
        // The kernel pads the image with zeros to whole pages (arch/x86/tools/vdso2c.c).
        let used = image.iter().rposition(|byte| *byte != 0)? + 1;
        // The numbers have a cache line of their own: they are written while programs run the
        // vDSO's code.
        let code_at = used.next_multiple_of(64);
        if code_at + code.len() > image.len() {
            return None;
        }
        let mut patch = Self {
            code_at,
            code: code.to_vec(),
            symbols: Vec::new(),
            image,
        };
        let mut original = None;
        for symbol in Symbols::of(&patch.image)? {
            let (name, value_at, value) = symbol?;
            // Each function has two names, and libcs differ in the one that they look up.
            let function = match name {
                b"__vdso_clock_gettime" | b"clock_gettime" => functions.gettime,
                b"__vdso_gettimeofday" | b"gettimeofday" => functions.timeofday,
                b"__vdso_time" | b"time" => functions.time,
                _ => continue,
            };
            if function == functions.gettime {
                original = Some(value);
            }
            patch.symbols.push((value_at, (code_at + function) as u64));
        }
        let original = i64::try_from(original?).ok()? - code_at as i64;
        // Where the kernel has no clock that programs can read, the vDSO's own function makes a
        // system call that does not bear our mark. Then our code makes the call.
        stub::set_original(&mut patch.code, if reads_clock { original } else { 0 });
        Some(patch)
    }

    /// Returns what is to be written into a new program, by offset in the vDSO.
    pub(super) fn of_new(&self, clock: &LinearClock) -> Vec<(usize, Vec<u8>)> {
        // The code is written first: no name may lead to code that is not there.
        let mut writes = vec![(self.code_at, self.code_with(clock))];
        let values = self.symbols.iter();
        writes.extend(values.map(|(at, value)| (*at, value.to_le_bytes().to_vec())));
        writes
    }

    fn code_with(&self, clock: &LinearClock) -> Vec<u8> {
        let mut code = self.code.clone();
        let numbers = stub::numbers(clock);
        code[stub::numbers_at(0)..][..numbers.len()].copy_from_slice(&numbers);
        code
    }
}

/// Returns a copy of the vDSO of this process.
fn own_image() -> Option<Vec<u8>> {
    // SAFETY: the call has no precondition.
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    if base == 0 {
        return None;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let length = mapped_from(&maps, base)?;
    let at: *const u8 = std::ptr::with_exposed_provenance(base);
    // SAFETY: the kernel has mapped this many bytes there, to be read, for as long as the process
    // lives.
    Some(unsafe { std::slice::from_raw_parts(at, length) }.to_vec())
}

/// Returns the length of the mapping that begins at an address, by a table of mappings
/// (`proc_pid_maps(5)`).
fn mapped_from(maps: &str, address: usize) -> Option<usize> {
    // The only segment to load does not tell the length: Linux 6.1 maps two pages, of which the
    // segment has 3,421 bytes. The section headers follow, and the room for our code behind them.
    maps.lines().find_map(|line| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        (number(from)? == address).then_some(number(to)?.checked_sub(address)?)
    })
}

// Offsets and constants of ELF files of 64 bits: elf(5).
const CLASS_64: &[u8] = b"\x7fELF\x02\x01";
const DYNAMIC: u64 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const SYMBOL: usize = 24;

/// Returns offset and length of a segment of this type.
fn segment(image: &[u8], wanted: u64) -> Option<(usize, usize)> {
    if !image.starts_with(CLASS_64) {
        return None;
    }
    let (table, count) = (number(image, 32, 8)?, number(image, 56, 2)?);
    (0..count as usize).find_map(|index| {
        let header = table as usize + index * 56;
        let is_it = number(image, header, 4)? == wanted;
        let (at, size) = (
            number(image, header + 16, 8)?,
            number(image, header + 40, 8)?,
        );
        is_it.then_some((at as usize, size as usize))
    })
}

/// Returns a little-endian number of so many bytes.
fn number(image: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let mut whole = [0; 8];
    whole[..bytes].copy_from_slice(image.get(at..at.checked_add(bytes)?)?);
    Some(u64::from_le_bytes(whole))
}

/// The dynamic symbols of a vDSO.
struct Symbols<'a> {
    image: &'a [u8],
    table: usize,
    names: usize,
    left: std::ops::Range<usize>,
}

impl<'a> Symbols<'a> {
    fn of(image: &'a [u8]) -> Option<Self> {
        let (at, size) = segment(image, DYNAMIC)?;
        let entry = |tag: u64| {
            (at..at + size).step_by(16).find_map(|at| {
                let value = number(image, at + 8, 8)? as usize;
                (number(image, at, 8)? == tag).then_some(value)
            })
        };
        // ELF has no field with the number of symbols. The second word of the hash table is their
        // number. A vDSO with a GNU hash table alone has its symbols in front of their names.
        let (table, names) = (entry(DT_SYMTAB)?, entry(DT_STRTAB)?);
        let count = match entry(DT_HASH) {
            Some(hash) => number(image, hash + 4, 4)? as usize,
            None => names.checked_sub(table)? / SYMBOL,
        };
        Some(Self {
            image,
            table,
            names,
            left: 0..count,
        })
    }

    fn read(&self, index: usize) -> Option<(&'a [u8], usize, u64)> {
        let at = self.table + index * SYMBOL;
        let name = self.names + number(self.image, at, 4)? as usize;
        let name = self.image.get(name..)?.split(|byte| *byte == 0).next()?;
        Some((name, at + 8, number(self.image, at + 8, 8)?))
    }
}

impl<'a> Iterator for Symbols<'a> {
    /// The name of a symbol, the offset of its value, and the value.
    type Item = Option<(&'a [u8], usize, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.left.next()?;
        Some(self.read(index))
    }
}

/// Returns whether programs read the clock without the kernel: the vDSO knows a few clock sources
/// (`VDSO_CLOCKMODES` of arch/x86/include/asm/vdso/clocksource.h).
fn vdso_reads_clock() -> bool {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(path).is_ok_and(|name| {
        matches!(
            name.trim(),
            "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vdso_is_as_long_as_the_kernel_has_mapped_it() {
        // Of Debian's 6.1 kernel: the mapping is longer than the segment that is loaded.
        let maps = "7ffd3c1f1000-7ffd3c1f5000 r--p 00000000 00:00 0                          [vvar]\n\
                    7ffd3c1f5000-7ffd3c1f7000 r-xp 00000000 00:00 0                          [vdso]\n";
        assert_eq!(mapped_from(maps, 0x7ffd_3c1f_5000), Some(8192));
        assert_eq!(mapped_from(maps, 0x7ffd_3c1f_6000), None);
    }

    #[test]
    fn our_code_lies_in_the_mapping_behind_all_that_the_vdso_uses() {
        let image = own_image().expect("a vDSO");
        assert_eq!(image.len() % 4096, 0);
        let Some(patch) = Patch::of(image, true) else {
            // A kernel whose vDSO has no room refuses the fault by name.
            return;
        };
        let (used, _) = patch.image.split_at(patch.code_at);
        assert!(used.iter().any(|byte| *byte != 0));
        assert!(patch.code_at + patch.code.len() <= patch.image.len());
        let behind = &patch.image[patch.code_at..][..patch.code.len()];
        assert!(behind.iter().all(|byte| *byte == 0));
    }
}
