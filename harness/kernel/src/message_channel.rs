//! Private channels between our own processes, and descriptors passed over them.
//!
//! A pipe has no message boundaries, carries no descriptors, and does not tell the writer that the
//! reader is gone without a signal. A pair of `SOCK_SEQPACKET` sockets does all three (`unix(7)`).
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType,
    recv, recvmsg, send, sendmsg, setsockopt, shutdown, socketpair, sockopt,
};

use crate::poll::wait_readable;

/// One end of a connected pair of sockets that keeps message boundaries.
///
/// Both ends are close-on-exec. The other end's death is seen as end of file.
#[derive(Debug)]
pub struct MessageChannel(OwnedFd);

/// Bytes of the largest message that goes through the socket itself. Senders cut longer texts.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// Bytes of the largest message that goes by a file. No program can have more: the kernel gives
/// arguments and environment at most 6 MiB (`fs/exec.c`, `bprm_stack_limits`).
const FILE_MAX: usize = 64 << 20;

/// The message that says that the real one is in the file that comes along.
const IN_A_FILE: &[u8] = b"the message is in the file";

/// Descriptors that came with a message, at most three.
pub type Passed = Vec<OwnedFd>;

impl MessageChannel {
    /// Makes two connected ends.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn pair() -> crate::Result<(MessageChannel, MessageChannel)> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            // Programs of a test must not inherit a channel: the other end would never see an end
            // of file.
            SockFlag::SOCK_CLOEXEC,
        )?;
        Ok((MessageChannel(a), MessageChannel(b)))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `EPIPE` if the other end is gone.
    pub fn send(&self, message: &[u8]) -> crate::Result<()> {
        // MSG_NOSIGNAL: a peer that is gone is an error here, and no SIGPIPE for the whole process.
        retry(|| send(self.0.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)).map(drop)
    }

    /// Sends one message with descriptors, at most [`MAX_PASSED`].
    ///
    /// # Errors
    /// `EPIPE` if the other end is gone.
    pub fn send_with(&self, message: &[u8], fds: &[RawFd]) -> crate::Result<()> {
        if fds.is_empty() {
            return self.send(message);
        }
        let rights = [ControlMessage::ScmRights(fds)];
        let iov = [IoSlice::new(message)];
        retry(|| {
            sendmsg::<()>(
                self.0.as_raw_fd(),
                &iov,
                &rights,
                MsgFlags::MSG_NOSIGNAL,
                None,
            )
        })
        .map(drop)
    }

    /// Sends one message of any length with descriptors, for an end that receives by
    /// [`receive_whole_with`](Self::receive_whole_with) or
    /// [`try_receive_whole_with`](Self::try_receive_whole_with).
    ///
    /// A socket takes no message that is longer than its buffer (`net.core.wmem_default`, usually
    /// 208 KiB). A long message goes by a file in memory.
    ///
    /// # Errors
    /// `EPIPE` if the other end is gone, `E2BIG` if the message is longer than 64 MiB.
    pub fn send_whole_with(&self, message: &[u8], fds: &[RawFd]) -> crate::Result<()> {
        if message.len() <= MESSAGE_MAX {
            return self.send_with(message, fds);
        }
        if message.len() > FILE_MAX {
            return Err(Errno::E2BIG);
        }
        let file = File::from(memory_file()?);
        file.write_all_at(message, 0)
            .map_err(|e| crate::errno::errno(&e))?;
        let with_file: Vec<RawFd> = [file.as_raw_fd()].iter().chain(fds).copied().collect();
        self.send_with(IN_A_FILE, &with_file)
    }

    /// Waits for a message and returns it. An empty slice means that the other end is gone.
    ///
    /// # Errors
    /// The kernel refused to receive.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> crate::Result<&'a [u8]> {
        let n = retry(|| recv(self.0.as_raw_fd(), buffer, MsgFlags::empty()))?;
        Ok(&buffer[..n])
    }

    /// Returns the next message if one has come.
    ///
    /// # Errors
    /// The kernel refused to receive.
    pub fn try_receive<'a>(&self, buffer: &'a mut [u8]) -> crate::Result<Option<&'a [u8]>> {
        match retry(|| recv(self.0.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)) {
            Ok(n) => Ok(Some(&buffer[..n])),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Returns the length of the next message if one has come, and copies its beginning into the
    /// buffer. The message stays in the queue.
    ///
    /// # Errors
    /// The kernel refused to look.
    pub fn peek(&self, buffer: &mut [u8]) -> crate::Result<Option<usize>> {
        let look = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
        match retry(|| recv(self.0.as_raw_fd(), buffer, look)) {
            Ok(length) => Ok(Some(length)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Waits for a message of any length, and returns it with its descriptors.
    ///
    /// # Errors
    /// The kernel refused to receive; `EMFILE` if this process has no room for the descriptors. The
    /// message is lost then.
    pub fn receive_whole_with(&self) -> crate::Result<(Vec<u8>, Passed)> {
        let look = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
        // With MSG_TRUNC and no buffer the kernel tells the length only (recv(2)).
        let length = retry(|| recv(self.0.as_raw_fd(), &mut [], look))?;
        let mut message = vec![0; length];
        let (_, passed) = self.receive_message(&mut message, MsgFlags::empty())?;
        whole(message, passed)
    }

    /// Returns the next message, of any length, and its descriptors if one has come. An empty
    /// message means that the other end is gone.
    ///
    /// # Errors
    /// The kernel refused to receive; `EMFILE` if this process has no room for the descriptors. The
    /// message is lost then.
    pub fn try_receive_whole_with(&self) -> crate::Result<Option<(Vec<u8>, Passed)>> {
        match self.peek(&mut [])? {
            // A message that has come stays until somebody receives it, and nobody else does.
            Some(_) => self.receive_whole_with().map(Some),
            None => Ok(None),
        }
    }

    /// Waits for a message, and returns it with its descriptors.
    ///
    /// # Errors
    /// The kernel refused to receive; `EMFILE` if this process has no room for the descriptors. The
    /// message is lost then.
    pub fn receive_with<'a>(&self, buffer: &'a mut [u8]) -> crate::Result<(&'a [u8], Passed)> {
        let (n, passed) = self.receive_message(buffer, MsgFlags::empty())?;
        Ok((&buffer[..n], passed))
    }

    /// Makes the other end read an end of file, whoever else has this end.
    pub fn send_no_more(&self) {
        // An end that is gone already needs no word.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Write);
    }

    /// Returns whether the other end is gone. Messages that have come are dropped.
    pub fn has_ended(&self) -> bool {
        loop {
            match self.try_receive(&mut [0; 64]) {
                Ok(Some([])) | Err(_) => return true,
                Ok(Some(_)) => {}
                Ok(None) => return false,
            }
        }
    }

    /// Waits until the other end is gone, and returns whether it is. Messages that come meanwhile
    /// are dropped.
    pub fn await_end(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            if self.has_ended() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // A signal that ends the wait early does no harm.
            let _ = wait_readable([self.0.as_fd()], Some(left));
        }
    }

    /// Makes the kernel add the process id of the sender to each message that this end receives
    /// from now on ([`Received::sender`]).
    ///
    /// # Errors
    /// The kernel refused the setting.
    pub fn learn_senders(&self) -> crate::Result<()> {
        setsockopt(&self.0, sockopt::PassCred, &true)
    }

    /// Waits for a message, and returns it with at most two descriptors, without the heap.
    ///
    /// # Errors
    /// The kernel refused to receive.
    pub fn receive_few_with<'a>(&self, buffer: &'a mut [u8]) -> crate::Result<Received<'a>> {
        /// Room for the control messages, aligned as the kernel's structures are.
        #[repr(align(8))]
        struct Space([u8; 64]);
        // `CMSG_SPACE` of two descriptors is 24 bytes on 64-bit machines, and that of a sender 32.
        let mut space = Space([0; 64]);
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let (mut passed, mut sender) = ([const { None }; FEW], None);
        // SAFETY: an all-zero `msghdr` is a valid value; the buffers live across the call, and are
        // as long as it is told. The control messages are read by libc's own macros, within what
        // the kernel has written; descriptors in them have just been installed for us.
        let length = unsafe {
            let room = libc::CMSG_SPACE((FEW * size_of::<RawFd>()) as u32)
                + libc::CMSG_SPACE(size_of::<libc::ucred>() as u32);
            debug_assert!(room as usize <= size_of::<Space>());
            let mut header: libc::msghdr = std::mem::zeroed();
            header.msg_iov = &raw mut part;
            header.msg_iovlen = 1;
            header.msg_control = space.0.as_mut_ptr().cast();
            header.msg_controllen = room as _;
            let length = retry(|| {
                Errno::result(libc::recvmsg(
                    self.0.as_raw_fd(),
                    &raw mut header,
                    libc::MSG_CMSG_CLOEXEC,
                ))
            })?;
            let mut control = libc::CMSG_FIRSTHDR(&raw const header);
            while !control.is_null() {
                let data = libc::CMSG_DATA(control);
                match (*control).cmsg_type {
                    libc::SCM_CREDENTIALS => {
                        sender = Some(data.cast::<libc::ucred>().read_unaligned().pid);
                    }
                    libc::SCM_RIGHTS => {
                        let bytes = (*control).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                        let fds: *const RawFd = data.cast();
                        // Without senders there is room for more descriptors than are wanted. The
                        // ones too many are closed here.
                        for i in 0..bytes / size_of::<RawFd>() {
                            let fd = OwnedFd::from_raw_fd(fds.add(i).read_unaligned());
                            if let Some(place) = passed.get_mut(i) {
                                *place = Some(fd);
                            }
                        }
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(&raw const header, control);
            }
            length
        };
        Ok(Received {
            message: &buffer[..length as usize],
            passed,
            sender,
        })
    }

    fn receive_message(
        &self,
        buffer: &mut [u8],
        flags: MsgFlags,
    ) -> crate::Result<(usize, Passed)> {
        let mut space = cmsg_space!([RawFd; MAX_PASSED]);
        let mut iov = [IoSliceMut::new(buffer)];
        retry(|| {
            recvmsg::<()>(
                self.0.as_raw_fd(),
                &mut iov,
                Some(&mut space),
                // Otherwise a fork between this call and a later fcntl would leak the descriptors
                // to a program.
                flags | MsgFlags::MSG_CMSG_CLOEXEC,
            )
            .and_then(|m| {
                let passed = owned(m.cmsgs());
                // There is room for as many as a message can have, so that what was cut off is a
                // descriptor which this process may not open: unix(7), MSG_CTRUNC, and
                // scm_detach_fds in the kernel's net/core/scm.c. Those that came are closed here.
                if m.flags.contains(MsgFlags::MSG_CTRUNC) {
                    return Err(Errno::EMFILE);
                }
                Ok((m.bytes, passed))
            })
        })
    }
}

/// Number of descriptors for which no memory is allocated.
const FEW: usize = 2;

/// A message, and what came with the message.
#[derive(Debug)]
pub struct Received<'a> {
    /// Bytes of the message; none if the other end is gone.
    pub message: &'a [u8],
    /// Descriptors, in the order in which they were sent.
    pub passed: [Option<OwnedFd>; FEW],
    /// Id of the process that sent the message, as the PID namespace of the receiver has it. Known
    /// after [`MessageChannel::learn_senders`] only.
    pub sender: Option<i32>,
}

/// Most descriptors of one message (`SCM_MAX_FD` of the kernel's `net/scm.h`).
pub const MAX_PASSED: usize = 253;

/// Returns the message, which may be in a file, and the descriptors that are not that file.
fn whole(message: Vec<u8>, mut passed: Passed) -> crate::Result<(Vec<u8>, Passed)> {
    if message != IN_A_FILE || passed.is_empty() {
        return Ok((message, passed));
    }
    let read = |file: File| {
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        // The length is the peer's word.
        let mut message = vec![0; length.min(FILE_MAX)];
        file.read_exact_at(&mut message, 0)?;
        Ok(message)
    };
    let message = read(File::from(passed.remove(0)))
        .map_err(|error: std::io::Error| crate::errno::errno(&error))?;
    Ok((message, passed))
}

/// Makes a file that exists in memory only.
///
/// # Errors
/// The kernel refuses to make one.
pub fn memory_file() -> crate::Result<OwnedFd> {
    let make = |flags: libc::c_uint| {
        // SAFETY: the name is a C string that lives across the call.
        let fd = Errno::result(unsafe { libc::memfd_create(c"message".as_ptr(), flags) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    // A machine may refuse files that could be executed (the sysctl `vm.memfd_noexec`), and a
    // kernel before Linux 6.3 does not know the flag: memfd_create(2).
    match make(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL) {
        Err(Errno::EINVAL) => make(libc::MFD_CLOEXEC),
        made => made,
    }
}

fn owned(messages: crate::Result<nix::sys::socket::CmsgIterator<'_>>) -> Passed {
    let mut passed = Passed::new();
    for message in messages.into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(fds) = message {
            // SAFETY: the kernel has just installed these descriptors for us, and nobody
            // else knows them.
            passed.extend(
                fds.into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
            );
        }
    }
    passed
}

fn retry<T>(mut call: impl FnMut() -> crate::Result<T>) -> crate::Result<T> {
    loop {
        match call() {
            // A peer that closes its end with unread messages leaves one ECONNRESET behind
            // (net/unix/af_unix.c, unix_release_sock). What the peer had sent before can still be
            // received, and then comes the end of file.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            other => return other,
        }
    }
}

impl AsFd for MessageChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for MessageChannel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for MessageChannel {
    fn from(fd: OwnedFd) -> MessageChannel {
        MessageChannel(fd)
    }
}

impl From<MessageChannel> for OwnedFd {
    fn from(channel: MessageChannel) -> OwnedFd {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_channel_is_awaited_past_its_messages() {
        let (ours, theirs) = MessageChannel::pair().unwrap();
        theirs.send(&[7; 100]).unwrap();
        assert!(!ours.await_end(Duration::from_millis(1)));
        ours.send_no_more();
        assert_eq!(theirs.receive(&mut [0; 8]).unwrap(), b"");
        theirs.send(b"last").unwrap();
        drop(theirs);
        assert!(ours.await_end(Duration::from_secs(10)));
    }

    #[test]
    fn a_message_of_any_length_arrives_with_its_descriptors() {
        let (ours, theirs) = MessageChannel::pair().unwrap();
        let (read, _write) = crate::fd::pipe().unwrap();
        for length in [1, MESSAGE_MAX, MESSAGE_MAX + 1, 3 << 20] {
            let message: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(theirs.try_receive_whole_with().unwrap().map(drop), None);
            ours.send_whole_with(&message, &[read.as_raw_fd()]).unwrap();
            let (received, passed) = theirs.try_receive_whole_with().unwrap().unwrap();
            assert!(received == message, "{length} bytes");
            assert_eq!(passed.len(), 1);
        }
        drop(ours);
        assert!(theirs.receive_whole_with().unwrap().0.is_empty());
    }

    #[test]
    fn a_message_without_bounds_is_refused() {
        let (ours, _theirs) = MessageChannel::pair().unwrap();
        let sent = ours.send_whole_with(&vec![0; FILE_MAX + 1], &[]);
        assert_eq!(sent, Err(Errno::E2BIG));
    }
}
