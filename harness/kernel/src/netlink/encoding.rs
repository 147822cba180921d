//! Framing: the headers around messages, and attributes where no packet crate knows them.

use netlink_packet_core::{NlaBuffer, NlasIterator};

/// The length of `struct nlmsghdr`.
pub(crate) const HEADER: usize = 16;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;

/// Messages begin at multiples of four.
pub(crate) fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Writes `struct nlmsghdr`; the length is known when the message is finished.
pub(crate) fn header(bytes: &mut [u8], kind: u16, flags: u16, sequence: u32) {
    let length = bytes.len() as u32;
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[12..16].fill(0);
}

/// One attribute in front of `payload`'s end.
pub(crate) fn attribute(payload: &mut Vec<u8>, kind: u16, value: &[u8]) {
    payload.extend((4 + value.len() as u16).to_ne_bytes());
    payload.extend(kind.to_ne_bytes());
    payload.extend(value);
    payload.resize(align(payload.len()), 0);
}

/// Attributes to be sent, perhaps within another attribute.
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

    /// A string, with the zero that ends it.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.with(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends an attribute that contains others.
    pub(crate) fn nest(self, kind: u16, inner: Self) -> Self {
        self.with(kind, &inner.0)
    }
}

/// One message of a datagram, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The messages of one datagram; ends early where a length makes no sense.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
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

/// The value of the first attribute of that kind.
pub(crate) fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    NlasIterator::new(attributes)
        .map_while(Result::ok)
        .find(|nla: &NlaBuffer<&[u8]>| nla.kind() == kind)
        .map(value)
}

/// The values of all attributes, whatever their kinds.
pub(crate) fn each(attributes: &[u8]) -> impl Iterator<Item = &[u8]> {
    NlasIterator::new(attributes)
        .map_while(Result::ok)
        .map(value)
}

fn value(nla: NlaBuffer<&[u8]>) -> &[u8] {
    let start = 4;
    let bytes = nla.into_inner();
    &bytes[start..u16_at(bytes, 0).map_or(start, |length| usize::from(length).max(start))]
}

/// Numbers in native byte order, as the kernel's structures have them.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A number in native byte order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A number in native byte order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A number in native byte order.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A C string, or what was meant to be one.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
