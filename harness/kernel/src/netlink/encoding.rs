//! Framing: the headers around messages, and the attributes in them.
//!
//! A message is a fixed structure and a list of attributes, in the byte order of the machine
//! (netlink(7), rtnetlink(7)). The crate `netlink-packet-route` has a type for everything that the
//! kernel knows, of which a lab needs little, and took a fifth of the time in which a user's
//! project is built (measured 2026-11-29). So messages are written here, and a test compares them
//! with those of that crate (`tests/peer.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of `struct nlmsghdr` (netlink(7)): length, type, flags, sequence number, port.
pub(crate) const HEADER: usize = 16;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;

/// Flags of every message (`linux/netlink.h`).
pub(crate) const NLM_F_REQUEST: u16 = 0x01;
pub(crate) const NLM_F_ACK: u16 = 0x04;
pub(crate) const NLM_F_ECHO: u16 = 0x08;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
/// Flag of a request to list everything.
pub(crate) const NLM_F_DUMP: u16 = 0x300;
/// Flags of a request for something new.
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_APPEND: u16 = libc::NLM_F_APPEND as u16;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// Flags of an acknowledgement.
pub(crate) const NLM_F_CAPPED: u16 = 0x100;
pub(crate) const NLM_F_ACK_TLVS: u16 = 0x200;

/// Returns the offset at which the next message or attribute begins: a multiple of four
/// (`NLMSG_ALIGNTO`, `NLA_ALIGNTO`).
pub(crate) fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Writes the `struct nlmsghdr` of a finished message, since the header has the message's length.
pub(crate) fn header(bytes: &mut [u8], kind: u16, flags: u16, sequence: u32) {
    let length = bytes.len() as u32;
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[12..16].fill(0);
}

/// Appends an attribute: a `struct nlattr`, the value, and zeros up to the next multiple of four.
pub(crate) fn attribute(payload: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // The length counts the four bytes in front, and not the padding.
    payload.extend((4 + value.len() as u16).to_ne_bytes());
    payload.extend(kind.to_ne_bytes());
    payload.extend(value);
    payload.resize(align(payload.len()), 0);
}

/// A list of attributes to be sent, perhaps within another attribute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes(pub Vec<u8>);

impl Attributes {
    /// Returns an empty list.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends an attribute of this kind.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        attribute(&mut self.0, kind, value);
        self
    }

    /// Appends an attribute that is a string, with a final zero byte.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.with(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends an attribute that is a number.
    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute that is an address, in network byte order.
    pub(crate) fn address(self, kind: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.with(kind, &v4.octets()),
            IpAddr::V6(v6) => self.with(kind, &v6.octets()),
        }
    }

    /// Appends what `add` appends, if there is a value.
    pub(crate) fn maybe<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self,
        }
    }

    /// Appends an attribute that contains others.
    pub(crate) fn nest(self, kind: u16, inner: Self) -> Self {
        self.with(kind, &inner.0)
    }
}

/// One received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// Returns the messages of one datagram, up to the first that has a length beyond the datagram.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        // A length that is too small would make this loop for ever, and one that is too large reads
        // beyond the datagram.
        let whole = rest.get(..length).filter(|whole| whole.len() >= HEADER)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some(Message {
            kind: u16_at(whole, 4)?,
            flags: u16_at(whole, 6)?,
            sequence: u32_at(whole, 8)?,
            payload: &whole[HEADER..],
        })
    })
}

/// Returns the value of the first attribute of this kind.
pub(crate) fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    typed(attributes).find_map(|(it, value)| (it == kind).then_some(value))
}

/// Returns the value of the first attribute with this number, whatever flags stand beside it.
pub(crate) fn find_numbered(attributes: &[u8], number: u16) -> Option<&[u8]> {
    let mut all = numbered(attributes);
    all.find_map(|(kind, value)| (kind == number).then_some(value))
}

/// Returns all attributes with their numbers, without the flags `NLA_F_NESTED` and
/// `NLA_F_NET_BYTEORDER`.
pub(crate) fn numbered(attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const NUMBER: u16 = 0x3fff;
    typed(attributes).map(|(kind, value)| (kind & NUMBER, value))
}

/// Returns all attributes with their types, up to the first that has a length beyond the list.
fn typed(attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = attributes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(4..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Returns the values of all attributes, of all kinds.
pub(crate) fn each(attributes: &[u8]) -> impl Iterator<Item = &[u8]> {
    typed(attributes).map(|(_, value)| value)
}

/// Returns the bytes of numbers in native byte order, as the kernel's structures have them.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Reads a number in native byte order at this offset.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Reads a number in native byte order at this offset.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads a number in native byte order at this offset.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Reads an address of four or sixteen bytes, in network byte order.
pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into());
    v4.or(v6).ok()
}

/// Writes a number in native byte order at this offset, which is within the bytes.
pub(crate) fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

/// Returns whether there is an attribute with this number and this value.
pub(crate) fn has_number(attributes: &[u8], kind: u16, value: u32) -> bool {
    numbered(attributes).any(|(number, bytes)| number == kind && u32_at(bytes, 0) == Some(value))
}

/// Returns the text up to the first zero byte, with replacements for what is not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
