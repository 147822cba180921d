//! The checksum that a sender's kernel has left to the network card.

use super::vnet::Vnet;
use crate::packet::VNET_HEADER;
use crate::packet::checksum::{Sum, crc32c};

/// Completes the checksum of a frame that has its virtio-net header in front of it, where the
/// header says that this is left to do. The header stays as it is.
///
/// A frame with a partial checksum has never left its machine: a veth passes the frame on as it is,
/// and its receiver does not look at the checksum. A reader of a capture does.
pub fn complete_checksum(whole: &mut [u8]) {
    if let Some((header, frame)) = whole.split_first_chunk_mut::<VNET_HEADER>() {
        complete(&Vnet::of(header), frame);
    }
}

/// Completes the checksum of a frame without its header.
pub(super) fn complete(vnet: &Vnet, frame: &mut [u8]) {
    let Some(start) = vnet.checksum_start() else {
        return;
    };
    let at = vnet.checksum_at();
    if start > at {
        return;
    }
    if vnet.has_checksum(start, SCTP_CHECKSUM) {
        // SCTP has another checksum than the Internet's, over zeros in its own place (RFC 9260,
        // section 6.8 and appendix A). A virtio-net header does not say so; no other protocol has
        // the checksum at this place.
        let Some(field) = frame.get_mut(at..at + 4) else {
            return;
        };
        field.fill(0);
        let checksum = crc32c(&frame[start..]);
        frame[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
    } else if at + 2 <= frame.len() {
        // The sum of the pseudo-header stands in the place of the checksum already
        // (include/linux/skbuff.h, CHECKSUM_PARTIAL). Zero is avoided for every protocol: for those
        // other than UDP both forms of zero are the same.
        let checksum = Sum::default().add(&frame[start..]).udp_checksum();
        frame[at..at + 2].copy_from_slice(&checksum);
    }
}

/// Place of the checksum in an SCTP header (RFC 9260, section 3.1).
const SCTP_CHECKSUM: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a header in front of a frame that begins with its transport header.
    fn with_header(flags: u8, offset: u8, frame: &[u8]) -> Vec<u8> {
        [&[flags, 0, 0, 0, 0, 0, 0, 0, offset, 0][..], frame].concat()
    }

    #[test]
    fn a_checksum_is_completed_where_the_header_asks_for_it() {
        let frame = [0x12, 0x34, 0x56, 0x78, 0x00, 0x0c, 0x00, 0x00, 1, 2, 3];
        let mut whole = with_header(1, 6, &frame);
        complete_checksum(&mut whole);
        // The sum of all words, the checksum included, is 0xffff (RFC 1071).
        assert_eq!(Sum::default().add(&whole[VNET_HEADER..]).checksum(), [0, 0]);
        let mut whole = with_header(0, 6, &frame);
        complete_checksum(&mut whole);
        assert_eq!(whole[VNET_HEADER..], frame);
    }

    #[test]
    fn sctp_gets_its_own_checksum() {
        let mut whole = with_header(1, 8, b"\x00\x01\x00\x02tagg\xff\xff\xff\xffchunk");
        complete_checksum(&mut whole);
        let expected = crc32c(b"\x00\x01\x00\x02tagg\0\0\0\0chunk");
        assert_eq!(whole[VNET_HEADER + 8..][..4], expected.to_le_bytes());
    }

    #[test]
    fn a_header_that_points_beyond_its_frame_changes_nothing() {
        for offset in [4, 6, 8, 16] {
            let mut whole = with_header(1, offset, &[7; 5]);
            complete_checksum(&mut whole);
            assert_eq!(whole[VNET_HEADER..], [7; 5]);
        }
        complete_checksum(&mut [1; 4]);
    }
}
