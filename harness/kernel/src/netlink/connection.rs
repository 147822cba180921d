//! One conversation with the kernel about one network namespace.
//!
//! The kernel answers while it is in the sender's system call, so a conversation needs no thread,
//! no runtime and no poll: what was asked is in the socket's queue when `send` returns.

use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::batch::Batch;
use super::encoding::{
    self, Message, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR,
    NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
};
use super::error::NetlinkError;
use super::socket::{NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// A routing socket, bound to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Netlink {
    pub(crate) socket: NetlinkSocket,
    pub(crate) buffer: Vec<u8>,
    sequence: u32,
}

/// Bytes that go out with one system call.
const PIECE_BYTES: usize = 16 << 10;
/// Requests that go out with one system call. A socket's queue (`net.core.rmem_default`) has room
/// for some two hundred refusals; what does not fit is lost.
const PIECE_COUNT: usize = 128;
/// Attempts to read a dump that changes meanwhile; then the last one is taken as it is.
const DUMP_ATTEMPTS: usize = 8;

/// A request to which the kernel sends an answer and an acknowledgement.
pub(crate) struct Question<'a> {
    /// The operation, in the words of an error message.
    pub(crate) operation: &'static str,
    /// The object of the operation, in the words of an error message.
    pub(crate) subject: &'a str,
    /// Type and flags of the message (`netlink(7)`).
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) payload: &'a [u8],
}

impl Netlink {
    /// Opens a conversation about the current thread's network namespace.
    ///
    /// # Errors
    /// The kernel refused the socket.
    pub fn open() -> Result<Self, NetlinkError> {
        NetlinkSocket::open(NetlinkProtocol::Route)
            .map(Self::from_socket)
            .map_err(|errno| NetlinkError::refused("open", "a netlink socket", errno, None))
    }

    /// Opens a conversation about `netns`, which the current thread enters for a moment.
    ///
    /// # Errors
    /// The kernel refused the socket, or the thread may not enter the namespace.
    pub fn open_in(netns: BorrowedFd<'_>) -> Result<Self, NetlinkError> {
        Netns::visit(netns, Self::open)
            .map_err(|errno| NetlinkError::refused("enter", "a network namespace", errno, None))?
    }

    /// Makes a conversation over an open socket.
    pub(crate) fn from_socket(socket: NetlinkSocket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            sequence: 0,
        }
    }

    /// Makes the kernel carry out everything in the batch.
    ///
    /// # Errors
    /// The first refusal.
    pub fn execute(&mut self, mut batch: Batch) -> Result<(), NetlinkError> {
        self.execute_reusing(&mut batch)
    }

    /// Carries out a batch in a loop: the batch is empty afterwards and keeps its memory.
    ///
    /// # Errors
    /// The first refusal.
    pub fn execute_reusing(&mut self, batch: &mut Batch) -> Result<(), NetlinkError> {
        let first = self.reserve(batch.len() as u32);
        let mut result = Ok(());
        for piece in batch.seal(PIECE_BYTES, PIECE_COUNT, first) {
            result = result.and(self.execute_piece(batch, piece, first));
            // Later pieces build on this one, and would only add refusals.
            if result.is_err() {
                break;
            }
        }
        batch.clear();
        result
    }

    /// Reserves sequence numbers for so many requests, and returns the first number.
    pub(crate) fn reserve(&mut self, requests: u32) -> u32 {
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(requests);
        first
    }

    fn execute_piece(
        &mut self,
        batch: &Batch,
        piece: Range<usize>,
        first: u32,
    ) -> Result<(), NetlinkError> {
        let lost = |at: usize, errno: Errno| {
            let error = batch.refusal(at, errno, None);
            error.expect("a piece consists of requests of its batch")
        };
        self.socket
            .send(batch.slice(&piece))
            .map_err(|errno| lost(piece.start, errno))?;
        let last = piece.end - 1;
        let mut answers = Answers {
            batch,
            piece,
            first,
            refusal: None,
            complete: false,
        };
        while !answers.complete {
            match self.socket.receive(&mut self.buffer) {
                Ok(datagram) => answers.take(datagram),
                Err(errno) => {
                    // ENOBUFS: the queue overflowed, and the last answer may be among the lost
                    // ones. The kernel has done the work in `send`, so what is queued is all.
                    while let Ok(Some(datagram)) = self.socket.try_receive(&mut self.buffer) {
                        answers.take(datagram);
                    }
                    if !answers.complete {
                        return Err(answers.refusal.unwrap_or_else(|| lost(last, errno)));
                    }
                }
            }
        }
        answers.refusal.map_or(Ok(()), Err)
    }

    /// Asks for everything of a kind and hands each answer to `each`.
    ///
    /// A dump that a change interrupted is read again from the start.
    pub(crate) fn dump<T>(
        &mut self,
        operation: &'static str,
        kind: u16,
        payload: &[u8],
        mut each: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let refused =
            |errno, words| NetlinkError::refused(operation, "the network namespace", errno, words);
        let mut found = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            found.clear();
            let sequence = self
                .ask(kind, payload)
                .map_err(|errno| refused(errno, None))?;
            let mut interrupted = false;
            'answers: loop {
                let datagram = self
                    .socket
                    .receive(&mut self.buffer)
                    .map_err(|errno| refused(errno, None))?;
                for message in
                    encoding::messages(datagram).filter(|message| message.sequence == sequence)
                {
                    // The kernel dumps in pieces. The list may change in between, so that entries
                    // are missing (Documentation/userspace-api/netlink/intro.rst, "Dump
                    // consistency").
                    interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                    // A dump ends with NLMSG_DONE, or with one error in place of everything.
                    match message.kind {
                        NLMSG_DONE => break 'answers,
                        NLMSG_ERROR => {
                            return Err(refused(
                                error_of(&message).unwrap_or(Errno::EIO),
                                words_of(&message),
                            ));
                        }
                        _ => found.extend(each(&message)),
                    }
                }
            }
            if !interrupted {
                break;
            }
        }
        Ok(found)
    }

    /// Asks for one thing and hands each answer to `read`, until the kernel acknowledges the
    /// request.
    pub(crate) fn get<T>(
        &mut self,
        question: &Question<'_>,
        mut read: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> Result<Option<T>, NetlinkError> {
        let Question {
            operation,
            subject,
            kind,
            flags,
            payload,
        } = *question;
        let refused = |errno, words| NetlinkError::refused(operation, subject, errno, words);
        let sequence = self
            .send(kind, flags | NLM_F_ACK, payload)
            .map_err(|errno| refused(errno, None))?;
        let mut found = None;
        loop {
            let datagram = self
                .socket
                .receive(&mut self.buffer)
                .map_err(|errno| refused(errno, None))?;
            for message in
                encoding::messages(datagram).filter(|message| message.sequence == sequence)
            {
                // The answer comes before the acknowledgement, which NLM_F_ACK asks for
                // (netlink(7)).
                if message.kind != NLMSG_ERROR {
                    found = read(&message).or(found);
                    continue;
                }
                return match error_of(&message) {
                    Some(errno) => Err(refused(errno, words_of(&message))),
                    None => Ok(found),
                };
            }
        }
    }

    /// Sends one dump request, and returns the sequence number of its answers.
    pub(crate) fn ask(&mut self, kind: u16, payload: &[u8]) -> crate::Result<u32> {
        self.send(kind, NLM_F_DUMP, payload)
    }

    fn send(&mut self, kind: u16, flags: u16, payload: &[u8]) -> crate::Result<u32> {
        // Each request has a number of its own, so that answers to an earlier one that was given up
        // are told apart.
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = vec![0; encoding::HEADER];
        bytes.extend(payload);
        encoding::header(&mut bytes, kind, flags | NLM_F_REQUEST, self.sequence);
        self.socket.send(&bytes)?;
        Ok(self.sequence)
    }
}

/// The answers to a piece of a batch, as far as they have come.
struct Answers<'a> {
    batch: &'a Batch,
    piece: Range<usize>,
    /// Sequence number of the batch's first request.
    first: u32,
    /// The first refusal.
    refusal: Option<NetlinkError>,
    /// Whether the last request of the piece was answered.
    complete: bool,
}

impl Answers<'_> {
    fn take(&mut self, datagram: &[u8]) {
        for message in encoding::messages(datagram).filter(|it| it.kind == NLMSG_ERROR) {
            let at = message.sequence.wrapping_sub(self.first) as usize;
            // An answer to an earlier request that nobody waited for.
            if !self.piece.contains(&at) {
                continue;
            }
            self.complete |= at + 1 == self.piece.end;
            if self.refusal.is_none()
                && let Some(errno) = error_of(&message)
                && !self.batch.tolerates(at, errno)
            {
                self.refusal = self.batch.refusal(at, errno, words_of(&message));
            }
        }
    }
}

/// Returns the error in an `NLMSG_ERROR`, or nothing if the message is an acknowledgement.
pub(crate) fn error_of(message: &Message<'_>) -> Option<Errno> {
    match encoding::u32_at(message.payload, 0).map(u32::cast_signed) {
        Some(0) => None,
        // `struct nlmsgerr` begins with the negative errno, or with 0.
        Some(code) => Some(Errno::from_raw(code.wrapping_neg())),
        None => Some(Errno::EIO),
    }
}

/// Returns the sentence that the kernel added to its refusal (extended acknowledgement).
pub(crate) fn words_of(message: &Message<'_>) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    // Attributes follow the refused message only if the kernel says so (linux/netlink.h,
    // NLM_F_ACK_TLVS).
    if message.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    // The refused message follows the code: only its header where the kernel was told to cut it
    // (NETLINK_CAP_ACK).
    let whole = usize::try_from(encoding::u32_at(message.payload, 4)?).ok()?;
    let echoed = if message.flags & NLM_F_CAPPED != 0 {
        encoding::HEADER
    } else {
        encoding::align(whole)
    };
    encoding::find(message.payload.get(4 + echoed..)?, NLMSGERR_ATTR_MSG).map(encoding::text)
}
