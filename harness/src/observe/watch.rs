//! Looking on at an interface of the kernel, and telling of its frames as a wire tells of its own.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::events::clock;
use crate::impair::Direction;
use crate::kernel::clock::monotonic;
use crate::kernel::frames::PacketSocket;
use crate::kernel::frames::ReceiveTimestamps;
use crate::kernel::frames::{BATCH, Inbox};
use crate::kernel::frames::{PollEvents, Poller};
use crate::model::packet::{FrameEvent, FrameFate, Listener, Source};

/// What is looked at, and who is told.
pub(crate) struct Subject {
    /// What the frames are said to be seen on.
    pub(crate) link: Arc<str>,
    /// The direction of what leaves by the interface; what arrives goes in the other one.
    pub(crate) outgoing: Direction,
    /// An interface whose frames come back to itself shows each of them twice; one is enough.
    pub(crate) loopback: bool,
    pub(crate) listener: Arc<dyn Listener>,
}

/// A look at an interface, for as long as this lives. All frames of a process are read by one thread.
pub(crate) struct Watch {
    reader: Arc<Reader>,
    token: u64,
    source: Arc<Looked>,
}

struct Looked {
    subject: Subject,
    socket: PacketSocket,
    /// Whether nobody wants to be told any more; held while frames are read, so that they are told in order.
    over: Mutex<bool>,
}

impl Watch {
    /// Begins to look at the interface `index` of a network namespace.
    pub(crate) fn begin(netns: BorrowedFd<'_>, index: u32, subject: Subject) -> io::Result<Watch> {
        // It has to be there first, so that no frame has a wrong time.
        let reader = Reader::of_process()?;
        let source = Looked {
            subject,
            socket: PacketSocket::for_capture(netns, index)?,
            over: Mutex::new(false),
        };
        let (token, source) = reader.add(source)?;
        Ok(Watch {
            reader,
            token,
            source,
        })
    }
}

impl Source for Watch {
    fn drain(&self) {
        let mut inbox = Inbox::new(BATCH);
        while self.source.read(&mut inbox).is_ok_and(|count| count > 0) {}
        let missed = self.source.socket.take_lost().unwrap_or(0);
        self.source.subject.listener.missed(missed);
    }
}

/// Tells of all that has passed by now, and of nothing after that.
impl Drop for Watch {
    fn drop(&mut self) {
        self.reader.remove(self.token, &self.source);
        self.drain();
        *self.source.over() = true;
    }
}

impl Looked {
    fn over(&self) -> MutexGuard<'_, bool> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of some frames; says how many those were.
    fn read(&self, inbox: &mut Inbox) -> nix::Result<usize> {
        let over = self.over();
        if *over {
            return Ok(0);
        }
        let count = self.socket.receive(inbox)?;
        let offset = clock().offset();
        for slot in inbox.received() {
            if self.subject.loopback && slot.outgoing {
                continue;
            }
            let outgoing = self.subject.outgoing;
            self.subject.listener.frame(&FrameEvent {
                link: &self.subject.link,
                direction: match slot.outgoing {
                    true => outgoing,
                    false => outgoing.reverse(),
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

/// The thread that reads, and what it reads from.
struct Reader {
    poller: Poller,
    _stamps: ReceiveTimestamps,
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    next: u64,
    by_token: HashMap<u64, Arc<Looked>>,
}

impl Reader {
    /// The only one; it is there from the first watch on, and costs nothing where there is nothing to be read.
    fn of_process() -> io::Result<Arc<Reader>> {
        static READER: Mutex<Option<Arc<Reader>>> = Mutex::new(None);
        let mut reader = READER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = &*reader {
            return Ok(Arc::clone(reader));
        }
        let new = Arc::new(Reader {
            poller: Poller::new()?,
            _stamps: ReceiveTimestamps::begin()?,
            sources: Mutex::default(),
        });
        let reading = Arc::clone(&new);
        thread::Builder::new()
            .name("packet reader".to_owned())
            .spawn(move || reading.run())?;
        Ok(Arc::clone(reader.insert(new)))
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, source: Looked) -> nix::Result<(u64, Arc<Looked>)> {
        let source = Arc::new(source);
        let mut sources = self.sources();
        let token = sources.next;
        self.poller.add(source.socket.as_fd(), token)?;
        sources.next += 1;
        sources.by_token.insert(token, Arc::clone(&source));
        Ok((token, source))
    }

    fn remove(&self, token: u64, source: &Looked) {
        if self.sources().by_token.remove(&token).is_some() {
            let _ = self.poller.remove(source.socket.as_fd());
        }
    }

    fn run(&self) {
        let mut ready = PollEvents::new();
        let mut inbox = Inbox::new(BATCH);
        while self.poller.wait(None, &mut ready).is_ok() {
            for token in ready.tokens() {
                let source = self.sources().by_token.get(&token).cloned();
                if let Some(source) = source
                    && source.read(&mut inbox).is_err()
                {
                    // It would be readable for ever.
                    self.remove(token, &source);
                }
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch")
            .field(&self.source.subject.link)
            .finish()
    }
}
