//! Sniffs an interface of the kernel, and tells a listener of its frames as a wire would.
//!
//! Links that the kernel carries, and interfaces of nodes, have no thread of ours that sees their
//! packets. A packet socket (packet(7)) sees them; one thread of the process reads all of these
//! sockets.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::events::clock;
use crate::kernel::clock::monotonic;
use crate::kernel::frames::{BATCH, Inbox, PacketSocket, PollEvents, Poller, ReceiveTimestamps};
use crate::kernel::sync::{Guard, Lock};
use crate::kernel::thread;
use crate::model::direction::Direction;
use crate::model::packet::segment::complete_checksum;
use crate::model::packet::{FrameEvent, FrameFate, FrameSource, Listener};

/// An interface to sniff, and the listener who is told of its frames.
pub(crate) struct SniffedInterface {
    /// Name of the link or interface that listeners are told.
    pub(crate) link: Arc<str>,
    /// Direction of frames that leave by the interface. Frames that arrive go in the other one.
    pub(crate) outgoing: Direction,
    /// Whether the interface is a loopback. A packet socket sees each frame of a loopback twice,
    /// as it leaves and as it arrives; the listener is told of the second.
    pub(crate) loopback: bool,
    pub(crate) listener: Arc<dyn Listener>,
}

/// Sniffs one interface until dropped.
///
/// When the drop returns, the listener has been told of everything that had passed before, and is
/// told of nothing any more.
pub(crate) struct Sniffer {
    thread: Arc<SnifferThread>,
    token: u64,
    source: Arc<SniffedSocket>,
}

/// A socket that the sniffer thread reads.
struct SniffedSocket {
    interface: SniffedInterface,
    socket: PacketSocket,
    /// Whether the sniffer was dropped. The lock is held while frames are read and told of, since
    /// two threads may do so, and the listener is to be told in order.
    over: Lock<bool>,
}

impl Sniffer {
    /// Begins to sniff the interface `index` of a network namespace.
    ///
    /// # Errors
    /// The socket, the thread or the time stamps of packets cannot be had.
    pub(crate) fn begin(
        netns: BorrowedFd<'_>,
        index: u32,
        interface: SniffedInterface,
    ) -> io::Result<Self> {
        // The thread goes first, for it waits until the kernel stamps packets: a frame that came
        // to the socket before would get the time at which it is read.
        let thread = SnifferThread::of_process()?;
        let source = SniffedSocket {
            interface,
            socket: PacketSocket::for_capture(netns, index)?,
            over: Lock::new(false),
        };
        let (token, source) = thread.add(source)?;
        Ok(Self {
            thread,
            token,
            source,
        })
    }
}

impl FrameSource for Sniffer {
    fn drain(&self) {
        let mut inbox = Inbox::new(BATCH);
        while self.source.read(&mut inbox).is_ok_and(|count| count > 0) {}
        let missed = self.source.socket.take_lost().unwrap_or(0);
        self.source.interface.listener.missed(missed);
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.thread.remove(self.token, &self.source);
        self.drain();
        *self.source.over.lock() = true;
    }
}

impl SniffedSocket {
    /// Reads some frames and tells the listener of them. Returns how many frames were read.
    fn read(&self, inbox: &mut Inbox) -> crate::kernel::Result<usize> {
        let over = self.over.lock();
        if *over {
            return Ok(0);
        }
        let count = self.socket.receive(inbox)?;
        let SniffedInterface {
            link,
            outgoing,
            loopback,
            listener,
        } = &self.interface;
        // The kernel stamps packets with CLOCK_REALTIME (SO_TIMESTAMPNS, socket(7)), and events
        // have CLOCK_MONOTONIC.
        let offset = clock().offset();
        for slot in inbox.received() {
            if *loopback && slot.outgoing {
                continue;
            }
            // A wire tells its listeners of frames with whole checksums, and so does this.
            complete_checksum(slot.buffer.whole_mut());
            listener.frame(&FrameEvent {
                link,
                direction: if slot.outgoing {
                    *outgoing
                } else {
                    outgoing.reverse()
                },
                time: slot.time.map_or_else(monotonic, |time| {
                    time.saturating_add_signed(offset.wrapping_neg())
                }),
                frame: slot.buffer.frame(),
                fate: FrameFate::Entered,
                remark: None,
            });
        }
        Ok(count)
    }
}

/// The thread that reads the sockets of all sniffers, and these sockets.
struct SnifferThread {
    poller: Poller,
    _stamps: ReceiveTimestamps,
    sockets: Lock<SnifferSockets>,
}

#[derive(Default)]
struct SnifferSockets {
    next: u64,
    by_token: HashMap<u64, Arc<SniffedSocket>>,
}

impl SnifferThread {
    /// Returns the one thread of this process, which is started with the first sniffer and stays.
    /// The thread sleeps while nothing is to be read.
    fn of_process() -> io::Result<Arc<Self>> {
        static THREAD: Lock<Option<Arc<SnifferThread>>> = Lock::new(None);
        let mut thread = THREAD.lock();
        if let Some(thread) = &*thread {
            return Ok(Arc::clone(thread));
        }
        let new = Arc::new(Self {
            poller: Poller::new()?,
            _stamps: ReceiveTimestamps::begin()?,
            sockets: Lock::default(),
        });
        let reading = Arc::clone(&new);
        thread::start("packet reader", move || reading.run())?;
        Ok(Arc::clone(thread.insert(new)))
    }

    fn sockets(&self) -> Guard<'_, SnifferSockets> {
        self.sockets.lock()
    }

    fn add(&self, source: SniffedSocket) -> crate::kernel::Result<(u64, Arc<SniffedSocket>)> {
        let source = Arc::new(source);
        // The lock is held until the socket is known by its token: the thread may be told of the
        // socket at once.
        let mut sockets = self.sockets();
        let token = sockets.next;
        self.poller.add(source.socket.as_fd(), token)?;
        sockets.next += 1;
        sockets.by_token.insert(token, Arc::clone(&source));
        Ok((token, source))
    }

    fn remove(&self, token: u64, source: &SniffedSocket) {
        if self.sockets().by_token.remove(&token).is_some() {
            // epoll forgets a descriptor that is closed in any case (epoll(7)).
            let _ = self.poller.remove(source.socket.as_fd());
        }
    }

    fn run(&self) {
        let mut ready = PollEvents::new();
        let mut inbox = Inbox::new(BATCH);
        while self.poller.wait(None, &mut ready).is_ok() {
            for token in ready.tokens() {
                let source = self.sockets().by_token.get(&token).cloned();
                if let Some(source) = source
                    && source.read(&mut inbox).is_err()
                {
                    // epoll would report the error for ever (EPOLLERR, epoll_ctl(2)).
                    self.remove(token, &source);
                }
            }
        }
    }
}

impl fmt::Debug for Sniffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sniffer")
            .field(&self.source.interface.link)
            .finish()
    }
}
