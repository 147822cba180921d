//! Short texts on the stack, for work that is done for every trial.
//!
//! A trial's first steps run in a process that shares or copies memory: each heap page that they
//! touch must be copied first.
#![allow(unsafe_code)]

use std::fmt;
use std::ops::Deref;

/// A text of at most `N` bytes.
#[derive(Clone, Copy)]
pub struct FixedStr<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> FixedStr<N> {
    /// Returns an empty text.
    pub const fn new() -> FixedStr<N> {
        FixedStr {
            bytes: [0; N],
            length: 0,
        }
    }

    /// Formats a text. Pieces that have no room are left out.
    pub fn of(what: fmt::Arguments<'_>) -> FixedStr<N> {
        let mut text = FixedStr::new();
        // The only error is a lack of room, at which the text ends.
        let _ = fmt::Write::write_fmt(&mut text, what);
        text
    }

    /// Shortens the text to `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        assert!(self.is_char_boundary(length));
        self.length = self.length.min(length);
    }
}

impl<const N: usize> fmt::Write for FixedStr<N> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let end = self.length + piece.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(piece.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl<const N: usize> Deref for FixedStr<N> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        // SAFETY: pieces are written whole, and cut between characters.
        unsafe { std::str::from_utf8_unchecked(&self.bytes[..self.length]) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn what_has_no_room_is_left_out_whole() {
        let mut text = FixedStr::<4>::of(format_args!("{}é", 7));
        assert_eq!(&*text, "7é");
        assert!(text.write_str("ü").is_err());
        assert!(text.write_str("x").is_ok());
        assert_eq!(&*text, "7éx");
        text.truncate(1);
        assert_eq!(&*text, "7");
    }
}
