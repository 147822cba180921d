//! The output of a trial, bounded.
//!
//! A test that writes without end must not take the memory of the runner. Of much output the
//! beginning and the end are kept, for a cause stands at the beginning and a consequence at the
//! end.

use std::collections::VecDeque;

use snowglobe_text::counted;

/// Size of the beginning that is kept, in bytes.
const HEAD: usize = 256 * 1024;
/// Size of the end that is kept, in bytes.
const TAIL: usize = 768 * 1024;

/// The output of one trial.
#[derive(Debug, Default)]
pub(crate) struct CapturedOutput {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Number of bytes between the beginning and the end that were dropped.
    omitted: u64,
}

impl CapturedOutput {
    /// Appends bytes that were read.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        let room = HEAD - self.head.len();
        if room > 0 {
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.head.extend_from_slice(now);
            bytes = later;
        }
        if bytes.len() > TAIL {
            self.omitted += (bytes.len() - TAIL) as u64;
            bytes = &bytes[bytes.len() - TAIL..];
        }
        let over = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
        self.tail.drain(..over);
        self.omitted += over as u64;
        self.tail.extend(bytes);
    }

    /// Returns the output as text, with a line that says how much is missing.
    pub(crate) fn into_text(self) -> String {
        let mut text = self.head;
        if self.omitted > 0 {
            let note = format!("\n[… {} left out …]\n", counted(self.omitted, "byte"));
            text.extend(note.into_bytes());
        }
        text.extend(self.tail);
        // Nearly all output is UTF-8, and `String::from_utf8` takes such output without a copy.
        String::from_utf8(text)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_kept_whole() {
        let mut capture = CapturedOutput::default();
        capture.push(b"one ");
        capture.push(b"two");
        assert_eq!(capture.into_text(), "one two");
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept() {
        let mut capture = CapturedOutput::default();
        capture.push(b"first");
        let chunk = vec![b'x'; 100_000];
        for _ in 0..100 {
            capture.push(&chunk);
        }
        capture.push(b"last");
        let text = capture.into_text();
        assert!(text.starts_with("firstx") && text.ends_with("xlast"));
        let missing = 10_000_009 - HEAD - TAIL;
        assert!(text.contains(&format!("[… {missing} bytes left out …]")));
        assert!(text.len() < HEAD + TAIL + 100);
    }

    #[test]
    fn one_piece_larger_than_all_room_is_cut_too() {
        let mut capture = CapturedOutput::default();
        capture.push(&vec![b'y'; 3_000_000]);
        assert!(capture.into_text().len() < HEAD + TAIL + 100);
    }

    #[test]
    fn one_byte_left_out_is_told_as_one() {
        let mut capture = CapturedOutput::default();
        capture.push(&vec![b'z'; HEAD + TAIL + 1]);
        assert!(capture.into_text().contains("\n[… 1 byte left out …]\n"));
    }
}
