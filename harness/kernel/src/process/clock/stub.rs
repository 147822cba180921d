//! The machine code that programs get in the place of the vDSO's, and the numbers in front of it.
#![allow(unsafe_code)]

use super::linear::LinearClock;

std::arch::global_asm!(include_str!("stub.s"));

// Labels of `stub.s`.
unsafe extern "C" {
    static snowglobe_clock_stub: u8;
    static snowglobe_clock_stub_gettime: u8;
    static snowglobe_clock_stub_timeofday: u8;
    static snowglobe_clock_stub_time: u8;
    static snowglobe_clock_stub_end: u8;
}

/// The word by which the code is known.
pub(super) const MARK: u64 = 0x6b63_6f6c_635f_6773;
/// Sixth argument by which a system call of the code is known. The kernel does not look at it.
pub(in crate::process) const OURS: u32 = 0x5e0_c10c;
/// Offset of the turn, whose lowest bit says which numbers hold.
pub(super) const TURN_AT: usize = 8;
/// Length of the numbers of one clock.
const NUMBERS: usize = 24;
/// Offset of the offset of the vDSO's own `clock_gettime`.
const ORIGINAL_AT: usize = 64;

/// Returns the offset of the numbers that hold in a turn.
pub(super) fn numbers_at(turn: u8) -> usize {
    16 + NUMBERS * usize::from(turn & 1)
}

/// Offsets of the functions in the code.
pub(super) struct Entries {
    pub(super) gettime: usize,
    pub(super) timeofday: usize,
    pub(super) time: usize,
}

/// Returns the code, and where its functions begin.
pub(super) fn code() -> (&'static [u8], Entries) {
    let start = &raw const snowglobe_clock_stub;
    // Labels are addresses within one piece of the program, so their differences are fixed.
    let offset = |label: *const u8| label.addr() - start.addr();
    let length = offset(&raw const snowglobe_clock_stub_end);
    // SAFETY: the labels enclose bytes of this program that nothing changes.
    let code = unsafe { std::slice::from_raw_parts(start, length) };
    let entries = Entries {
        gettime: offset(&raw const snowglobe_clock_stub_gettime),
        timeofday: offset(&raw const snowglobe_clock_stub_timeofday),
        time: offset(&raw const snowglobe_clock_stub_time),
    };
    (code, entries)
}

/// Writes into a copy of the code where the vDSO's own `clock_gettime` is, as seen from the code.
pub(super) fn set_original(code: &mut [u8], offset: i64) {
    code[ORIGINAL_AT..ORIGINAL_AT + 8].copy_from_slice(&offset.to_le_bytes());
}

/// Returns the numbers of a clock as the code reads them.
pub(super) fn numbers(clock: &LinearClock) -> [u8; NUMBERS] {
    let mut bytes = [0; NUMBERS];
    for (to, number) in bytes
        .chunks_exact_mut(8)
        .zip([clock.reference, clock.shown, clock.rate])
    {
        to.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}
