//! Incremental checksums (RFC 1624): a NAT changes some words of a packet, and a checksum by the
//! same words.
//!
//! A checksum that is computed anew would hide that a packet had been corrupted before.

/// The change of a checksum: the sum of what was taken out and put in, by words.
#[derive(Clone, Copy, Default)]
pub(in crate::nat) struct ChecksumChange(u32);

impl ChecksumChange {
    /// Adds the exchange of some bytes, of even number and at an even place, for others.
    pub(in crate::nat) fn exchange(mut self, old: &[u8], new: &[u8]) -> ChecksumChange {
        let words = |bytes: &[u8]| {
            let (words, _) = bytes.as_chunks::<2>();
            words
                .iter()
                .fold(0u32, |sum, word| sum + u32::from(u16::from_be_bytes(*word)))
        };
        let count = (old.len() / 2) as u32;
        // The complement of each old word (RFC 1624, equation 3).
        self.0 += (count * 0xffff - words(old)) + words(new);
        self
    }

    /// Adds another change.
    pub(in crate::nat) fn and(mut self, other: ChecksumChange) -> ChecksumChange {
        self.0 = u32::from(fold(self.0)) + u32::from(fold(other.0));
        self
    }

    /// Changes a checksum that stands at an index, if the frame reaches so far.
    pub(in crate::nat) fn apply(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |sum| {
            !fold(u32::from(!sum) + u32::from(fold(self.0)))
        });
    }

    /// Changes the checksum of a UDP datagram, where 0 says that there is none (RFC 768).
    pub(in crate::nat) fn apply_udp(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |sum| match sum {
            0 => 0,
            sum => match !fold(u32::from(!sum) + u32::from(fold(self.0))) {
                0 => 0xffff,
                changed => changed,
            },
        });
    }

    /// Changes the sum of a pseudo-header that stands in the place of a checksum which a later
    /// device is to complete (include/linux/skbuff.h, CHECKSUM_PARTIAL).
    pub(in crate::nat) fn apply_partial(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |sum| {
            fold(u32::from(sum) + u32::from(fold(self.0)))
        });
    }

    fn edit(self, frame: &mut [u8], at: usize, change: impl FnOnce(u16) -> u16) {
        if let Some(field) = frame.get_mut(at..at + 2) {
            let sum = change(u16::from_be_bytes([field[0], field[1]]));
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

/// Adds the carries of a sum back to it.
fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1624_comes_out() {
        // Section 4: a word changes from 5555 to 3285, and the checksum from DD2F to 0000.
        let mut header = [0xdd, 0x2f];
        ChecksumChange::default()
            .exchange(&[0x55, 0x55], &[0x32, 0x85])
            .apply(&mut header, 0);
        assert_eq!(header, [0, 0]);
    }

    #[test]
    fn a_datagram_without_a_checksum_keeps_none() {
        let mut header = [0, 0];
        let change = ChecksumChange::default().exchange(&[1, 2], &[3, 4]);
        change.apply_udp(&mut header, 0);
        assert_eq!(header, [0, 0]);
    }
}
