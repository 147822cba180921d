//! Requests on their way out: a thousand of them cost little more than the kernel's own work.
//!
//! A system call for each request would cost as much as the request. So requests are appended to
//! one buffer, each with the words that an error about the request needs.

use nix::errno::Errno;

use super::encoding::{self, NLM_F_ACK, NLM_F_REQUEST};
use super::error::NetlinkError;

/// Requests in the order in which the kernel carries them out.
///
/// A request that fails does not stop the requests in the same datagram: callers check what can be
/// wrong before they send anything, and throw a half-made network away as a whole.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    requests: Vec<QueuedRequest>,
}

/// The place of a request in the batch, and the words of an error about the request.
#[derive(Debug)]
struct QueuedRequest {
    /// Offset of the request's header in the batch.
    start: usize,
    operation: &'static str,
    subject: RequestSubject,
    /// A refusal that is as good as success.
    tolerated: Option<Errno>,
    /// Room for its answer in the socket's queue, in refusals.
    room: usize,
}

/// The name of the request's object.
///
/// A name of at most fifteen bytes, as interfaces have (`IFNAMSIZ`), is kept without an allocation.
#[derive(Debug)]
pub(crate) enum RequestSubject {
    /// A short name, filled up with zeros.
    Short([u8; 16]),
    /// A longer name.
    Long(String),
}

impl From<&str> for RequestSubject {
    fn from(text: &str) -> Self {
        let mut short = [0; 16];
        match short.get_mut(..text.len()) {
            // The last byte stays zero, which ends the text.
            Some(space) if text.len() < 16 => {
                space.copy_from_slice(text.as_bytes());
                Self::Short(short)
            }
            _ => Self::Long(text.to_owned()),
        }
    }
}

impl RequestSubject {
    fn text(&self) -> String {
        match self {
            Self::Short(bytes) => encoding::text(bytes),
            Self::Long(text) => text.clone(),
        }
    }
}

impl Batch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whether the batch has no requests.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Returns the number of requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Removes all requests and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.requests.clear();
    }

    /// Adds a request: its type, its flags and what follows the header.
    pub(crate) fn push(
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
        // The length in the header is without the padding that follows.
        encoding::header(&mut self.bytes[start..], kind, flags | NLM_F_REQUEST, 0);
        self.bytes.resize(encoding::align(self.bytes.len()), 0);
        self.requests.push(QueuedRequest {
            start,
            operation,
            subject: subject.into(),
            tolerated: None,
            room: 1,
        });
    }

    /// Reserves room for the answer to the last request: that of so many refusals.
    pub(crate) fn reserve_room(&mut self, refusals: usize) {
        if let Some(request) = self.requests.last_mut() {
            request.room = refusals;
        }
    }

    /// Makes this refusal of the last request as good as success.
    pub(crate) fn tolerate(&mut self, errno: Errno) {
        if let Some(request) = self.requests.last_mut() {
            request.tolerated = Some(errno);
        }
    }

    /// Numbers the requests, and divides them into pieces of about `bytes` bytes, whose answers
    /// have room for about `count` refusals.
    pub(crate) fn seal(
        &mut self,
        bytes: usize,
        count: usize,
        first_sequence: u32,
    ) -> Vec<std::ops::Range<usize>> {
        let mut pieces = Vec::new();
        let (mut from, mut room) = (0, 0);
        for at in 0..self.requests.len() {
            let start = self.requests[at].start;
            let end = self
                .requests
                .get(at + 1)
                .map_or(self.bytes.len(), |next| next.start);
            // `nlmsg_seq`, by which an answer names its request.
            self.bytes[start + 8..start + 12]
                .copy_from_slice(&first_sequence.wrapping_add(at as u32).to_ne_bytes());
            // A request is never divided: a datagram holds whole messages.
            room += self.requests[at].room;
            let full = end - self.requests[from].start >= bytes || room >= count;
            if full || at + 1 == self.requests.len() {
                // Only the last request of a piece asks for an acknowledgement. The kernel works in
                // order and reports every failure unasked (af_netlink.c, netlink_rcv_skb).
                let flags = encoding::u16_at(&self.bytes, start + 6).unwrap_or(0) | NLM_F_ACK;
                self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
                pieces.push(from..at + 1);
                (from, room) = (at + 1, 0);
            }
        }
        pieces
    }

    /// Returns the error for a refusal of the request with this number, or nothing if there is no
    /// such request.
    pub(crate) fn refusal(
        &self,
        at: usize,
        errno: Errno,
        words: Option<String>,
    ) -> Option<NetlinkError> {
        let request = self.requests.get(at)?;
        let subject = request.subject.text();
        Some(NetlinkError::refused(
            request.operation,
            subject,
            errno,
            words,
        ))
    }

    /// Tells whether this refusal of the request with this number is as good as success.
    pub(crate) fn tolerates(&self, at: usize, errno: Errno) -> bool {
        let request = self.requests.get(at);
        request.is_some_and(|request| request.tolerated == Some(errno))
    }

    /// Returns the bytes of consecutive requests.
    pub(crate) fn slice(&self, piece: &std::ops::Range<usize>) -> &[u8] {
        let end = self
            .requests
            .get(piece.end)
            .map_or(self.bytes.len(), |next| next.start);
        &self.bytes[self.requests[piece.start].start..end]
    }
}
