//! The Internet checksum (RFC 1071), changes of one (RFC 1624), and the checksum of SCTP.

use super::ip::{IpVersion, TCP, UDP, addresses};
use super::transport::{TCP_CHECKSUM_AT, UDP_CHECKSUM_AT};

/// A sum of 16-bit words, in the machine's own byte order.
///
/// The checksum comes out right in either byte order, as long as all words have the same one
/// (RFC 1071, section 2).
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Returns the sum of the pseudo-header of TCP and UDP (RFC 9293, section 3.1; RFC 8200,
    /// section 8.1). `header` is the IP header, and `length` that of the transport header and
    /// payload.
    pub(crate) fn pseudo_header(
        version: IpVersion,
        header: &[u8],
        protocol: u8,
        length: usize,
    ) -> Sum {
        let [high, low] = (length as u16).to_be_bytes();
        Sum::default()
            .add(addresses(version, header))
            .add(&[0, protocol, high, low])
    }

    /// Adds bytes that begin at an even place.
    pub(crate) fn add(mut self, bytes: &[u8]) -> Sum {
        let (words, rest) = bytes.as_chunks::<4>();
        // Four independent lanes, so that a compiler can add them at once. No packet is long enough
        // for one of the lanes to overflow.
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

    /// Returns the checksum of everything that was added, as it stands in a header.
    pub(crate) fn checksum(self) -> [u8; 2] {
        (!(fold(self.0) as u16)).to_ne_bytes()
    }

    /// Returns the same with 0 written as 0xffff, which means the same sum.
    ///
    /// In UDP a checksum of 0 says that there is none (RFC 768).
    pub(crate) fn udp_checksum(self) -> [u8; 2] {
        match self.checksum() {
            [0, 0] => [0xff, 0xff],
            checksum => checksum,
        }
    }
}

/// The change of a checksum by bytes that were exchanged for others (RFC 1624).
///
/// A checksum that is computed anew would hide that a packet had been corrupted before.
#[derive(Clone, Copy, Default)]
pub(crate) struct ChecksumChange(Sum);

impl ChecksumChange {
    /// Adds the exchange of some bytes, of even number and at an even place, for others.
    pub(crate) fn exchange(self, old: &[u8], new: &[u8]) -> ChecksumChange {
        // The complement of the old words (RFC 1624, equation 3).
        let taken_out = Sum::default().add(old).checksum();
        ChecksumChange(self.0.add(&taken_out).add(new))
    }

    /// Adds another change.
    pub(crate) fn and(self, other: ChecksumChange) -> ChecksumChange {
        ChecksumChange(Sum(self.0.0.wrapping_add(other.0.0)))
    }

    /// Changes a checksum that stands at an index, if the frame reaches so far.
    pub(crate) fn apply(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |[a, b]| self.0.add(&[!a, !b]).checksum());
    }

    /// Changes the checksum of a UDP datagram, where 0 says that there is none (RFC 768).
    pub(crate) fn apply_udp(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |field| match field {
            [0, 0] => [0, 0],
            [a, b] => self.0.add(&[!a, !b]).udp_checksum(),
        });
    }

    /// Changes the sum of a pseudo-header that stands in the place of a checksum which a later
    /// device is to complete (include/linux/skbuff.h, CHECKSUM_PARTIAL).
    pub(crate) fn apply_partial(self, frame: &mut [u8], at: usize) {
        self.edit(frame, at, |field| {
            self.0.add(&field).checksum().map(|byte| !byte)
        });
    }

    /// Changes the checksum of a TCP segment or UDP datagram that begins at an index: by this
    /// change of the addresses, and by one of the ports, which are in no pseudo-header.
    pub(crate) fn apply_transport(
        self,
        ports: ChecksumChange,
        protocol: u8,
        partial: bool,
        frame: &mut [u8],
        transport_at: usize,
    ) {
        let [tcp, udp] = [TCP_CHECKSUM_AT, UDP_CHECKSUM_AT].map(|at| transport_at + at);
        match (protocol, partial) {
            (TCP, false) => self.and(ports).apply(frame, tcp),
            (UDP, false) => self.and(ports).apply_udp(frame, udp),
            (TCP, true) => self.apply_partial(frame, tcp),
            (UDP, true) => self.apply_partial(frame, udp),
            _ => {}
        }
    }

    fn edit(self, frame: &mut [u8], at: usize, change: impl FnOnce([u8; 2]) -> [u8; 2]) {
        let field = frame.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(field) = field {
            *field = change(*field);
        }
    }
}

/// Returns the CRC32c of some bytes (RFC 9260, appendix A).
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    /// The polynomial 0x1edc6f41, with its bits in the opposite order.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                let carry = if value & 1 == 1 { POLYNOMIAL } else { 0 };
                value = (value >> 1) ^ carry;
                bit += 1;
            }
            table[byte] = value;
            byte += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(u32::MAX, step)
}

/// Adds the carries of a sum back to it, until it fits into 16 bits.
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
    fn the_example_of_a_change_comes_out() {
        // RFC 1624, section 4: a word changes from 5555 to 3285, and the checksum from DD2F to
        // 0000.
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

    #[test]
    fn a_change_gives_what_the_changed_bytes_give() {
        let old: Vec<u8> = (0..40u32).map(|at| (at * 91 + 5) as u8).collect();
        for begin in (0..40).step_by(2) {
            for end in (begin..=40).step_by(2) {
                let mut new = old.clone();
                new[begin..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
                let change = ChecksumChange::default().exchange(&old[begin..end], &new[begin..end]);
                let [before, after] = [&old, &new].map(|bytes| Sum::default().add(bytes));
                let mut checksum = before.checksum();
                change.apply(&mut checksum, 0);
                assert_eq!(checksum, after.checksum(), "{begin} to {end}");
                let mut partial = before.checksum().map(|byte| !byte);
                change.apply_partial(&mut partial, 0);
                assert_eq!(partial, after.checksum().map(|byte| !byte));
            }
        }
    }

    #[test]
    fn the_checksum_of_sctp_is_the_one_of_its_check_value() {
        // The check value of CRC-32/ISCSI in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
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
