//! The Internet checksum (RFC 1071).

/// A sum of 16-bit words, in the machine's own byte order: the checksum does not mind which, as long as all words have it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds bytes that begin at an even place.
    pub(crate) fn add(mut self, bytes: &[u8]) -> Sum {
        let (words, rest) = bytes.as_chunks::<4>();
        // Four independent lanes, so that a compiler can add them at once; no packet is long enough for one of them to overflow.
        let (blocks, tail) = words.as_chunks::<4>();
        let mut lanes = [0u64; 4];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block) {
                *lane += u64::from(u32::from_ne_bytes(*word));
            }
        }
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        for word in tail.iter().chain([&last]) {
            lanes[0] += u64::from(u32::from_ne_bytes(*word));
        }
        for lane in lanes {
            self.0 = self.0.wrapping_add(fold(lane));
        }
        self
    }

    /// Adds one number of the header.
    pub(crate) fn add_u16(self, number: u16) -> Sum {
        self.add(&number.to_be_bytes())
    }

    /// What stands in a header, if the sum is of everything else.
    pub(crate) fn checksum(self) -> [u8; 2] {
        (!(fold(self.0) as u16)).to_ne_bytes()
    }
}

/// To 16 bits.
fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_comes_out() {
        // RFC 1071, section 3: the sum is ddf2.
        let sum = Sum::default().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.checksum(), [!0xdd, !0xf2]);
    }

    #[test]
    fn any_length_gives_what_word_by_word_gives() {
        let bytes: Vec<u8> = (0..200u32).map(|at| (at * 37 + 11) as u8).collect();
        for length in 0..bytes.len() {
            let mut slow = 0u32;
            for pair in bytes[..length].chunks(2) {
                let low = pair.get(1).copied().unwrap_or(0);
                slow += u32::from(u16::from_be_bytes([pair[0], low]));
                slow = (slow & 0xffff) + (slow >> 16);
            }
            let fast = Sum::default().add(&bytes[..length]).checksum();
            assert_eq!(u16::from_be_bytes(fast), !(slow as u16), "{length} bytes");
        }
    }
}
