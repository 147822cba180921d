//! The Ethernet header of a frame, and the VLAN tags in it.
//!
//! Every reader of a frame first has to find out what the frame carries, and where that begins.
//! VLAN tags (IEEE 802.1Q) make the header longer. This is the one place that looks through them.

/// Length of an Ethernet header without VLAN tags, in bytes.
pub const HEADER_LENGTH: usize = 14;

/// Ethertype of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// Ethertype of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// Ethertype of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Ethertype of a VLAN tag (IEEE 802.1Q).
const ETHERTYPE_VLAN: u16 = 0x8100;
/// Ethertype of the outer one of two VLAN tags (IEEE 802.1ad).
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;

/// Length of a VLAN tag, in bytes.
const TAG_LENGTH: usize = 4;
/// Bits of a VLAN tag that hold the number of the VLAN.
const VLAN_NUMBER: u16 = 0x0fff;

/// Facts of an Ethernet header that those need who read on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthernetHeader {
    /// Ethertype of the payload, below VLAN tags.
    pub ethertype: u16,
    /// Number of the outermost VLAN.
    pub vlan: Option<u16>,
    /// Length of the header, VLAN tags included, in bytes.
    pub length: usize,
}

impl EthernetHeader {
    /// Reads the header of a frame, or returns nothing if the frame is shorter than one.
    ///
    /// A VLAN tag that is cut off is not looked through, so the payload has the ethertype of the
    /// tag.
    #[inline]
    pub fn read(frame: &[u8]) -> Option<EthernetHeader> {
        let mut header = EthernetHeader {
            ethertype: word(frame, HEADER_LENGTH - 2)?,
            vlan: None,
            length: HEADER_LENGTH,
        };
        // The kernel knows the same two kinds of tags (include/linux/if_vlan.h, eth_type_vlan).
        while let ETHERTYPE_VLAN | ETHERTYPE_SERVICE_VLAN = header.ethertype {
            let Some(ethertype) = word(frame, header.length + 2) else {
                break;
            };
            let tag = word(frame, header.length).unwrap_or_default();
            header.vlan.get_or_insert(tag & VLAN_NUMBER);
            header.ethertype = ethertype;
            header.length += TAG_LENGTH;
        }
        Some(header)
    }
}

/// Returns the addresses of a frame: the sender's and the receiver's.
pub fn macs(frame: &[u8]) -> Option<[[u8; 6]; 2]> {
    let [to @ .., _, _, _, _, _, _, _, _] = frame.first_chunk::<HEADER_LENGTH>()?;
    let from = frame[6..].first_chunk::<6>()?;
    Some([*from, *to])
}

/// Exchanges the MAC addresses of a frame, which then goes back.
pub(crate) fn exchange_macs(frame: &mut [u8]) {
    if let Some(addresses) = frame.first_chunk_mut::<12>() {
        addresses.rotate_left(6);
    }
}

/// Returns the big-endian number that begins at a byte.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([word[0], word[1]]))
}
