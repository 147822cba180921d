//! Requests on their way out.

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkSerializable};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;

use super::encoding;

/// Requests in the order in which the kernel shall do them.
///
/// A request that fails does not stop those close behind it: what can be wrong is checked before anything is sent, and
/// a half-made network is thrown away as a whole.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) requests: Vec<Request>,
}

/// What an error about one request has to say.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) start: usize,
    pub(crate) operation: &'static str,
    pub(crate) subject: Subject,
    /// An answer that is as good as success.
    pub(crate) tolerated: Option<Errno>,
}

/// A name of at most fifteen bytes is an interface's: kept without an allocation.
#[derive(Debug)]
pub(crate) enum Subject {
    Short([u8; 16]),
    Long(String),
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        let mut short = [0; 16];
        match short.get_mut(..text.len()) {
            Some(space) if text.len() < 16 => {
                space.copy_from_slice(text.as_bytes());
                Self::Short(short)
            }
            _ => Self::Long(text.to_owned()),
        }
    }
}

impl Subject {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Short(bytes) => encoding::text(bytes),
            Self::Long(text) => text.clone(),
        }
    }
}

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many requests it holds.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.requests.clear();
    }

    /// Adds a request made of the packet crate's types.
    pub(crate) fn push(
        &mut self,
        operation: &'static str,
        subject: impl Into<Subject>,
        flags: u16,
        message: &RouteNetlinkMessage,
    ) {
        let start = self.bytes.len();
        let end = start + encoding::HEADER + message.buffer_len();
        self.bytes.resize(end, 0);
        message.serialize(&mut self.bytes[start + encoding::HEADER..]);
        self.finish(operation, subject, start, message.message_type(), flags);
    }

    /// Adds a request of any kind, written by hand: queueing disciplines, nftables, multicast memberships.
    pub fn push_raw(
        &mut self,
        operation: &'static str,
        subject: &str,
        kind: u16,
        flags: u16,
        payload: &[u8],
    ) {
        let start = self.bytes.len();
        self.bytes.resize(start + encoding::HEADER, 0);
        self.bytes.extend(payload);
        self.finish(operation, subject, start, kind, flags);
    }

    fn finish(
        &mut self,
        operation: &'static str,
        subject: impl Into<Subject>,
        start: usize,
        kind: u16,
        flags: u16,
    ) {
        encoding::header(&mut self.bytes[start..], kind, flags | NLM_F_REQUEST, 0);
        self.bytes.resize(encoding::align(self.bytes.len()), 0);
        self.requests.push(Request {
            start,
            operation,
            subject: subject.into(),
            tolerated: None,
        });
    }

    /// Takes this answer to the last request for success as well.
    pub(crate) fn tolerate(&mut self, errno: Errno) {
        if let Some(request) = self.requests.last_mut() {
            request.tolerated = Some(errno);
        }
    }

    /// Cuts the requests into pieces of about `bytes` and at most `count`, and numbers them; the last of each piece asks for an
    /// acknowledgement. The others need none: the kernel reports every failure, and does the work in order.
    pub(crate) fn seal(
        &mut self,
        bytes: usize,
        count: usize,
        first_sequence: u32,
    ) -> Vec<std::ops::Range<usize>> {
        let mut pieces = Vec::new();
        let mut from = 0;
        for at in 0..self.requests.len() {
            let start = self.requests[at].start;
            let end = self
                .requests
                .get(at + 1)
                .map_or(self.bytes.len(), |next| next.start);
            self.bytes[start + 8..start + 12]
                .copy_from_slice(&first_sequence.wrapping_add(at as u32).to_ne_bytes());
            let full = end - self.requests[from].start >= bytes || at + 1 - from >= count;
            if full || at + 1 == self.requests.len() {
                let flags = encoding::u16_at(&self.bytes, start + 6).unwrap_or(0) | NLM_F_ACK;
                self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
                pieces.push(from..at + 1);
                from = at + 1;
            }
        }
        pieces
    }

    /// The bytes of some of its requests.
    pub(crate) fn slice(&self, piece: &std::ops::Range<usize>) -> &[u8] {
        let end = self
            .requests
            .get(piece.end)
            .map_or(self.bytes.len(), |next| next.start);
        &self.bytes[self.requests[piece.start].start..end]
    }
}
