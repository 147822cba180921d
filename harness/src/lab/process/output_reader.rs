//! The thread that hears of all programs of a lab: what they write, and when they end.
//!
//! Each program has two pipes and an end, and a lab may have hundreds of programs. One thread,
//! started with the first program, waits for all of them. It labels what programs write in the
//! trial's own output, and it alone tells the journal of their ends, so that the last line of a
//! program comes before its end there.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal, Stream};
use crate::kernel::errno::Errno;
use crate::kernel::poll::PollSet;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::sync::Lock;
use crate::kernel::thread;
use crate::lab::process::log::Log;
use crate::lab::process::readiness::Readiness;
use crate::lab::process::running::Running;
use crate::trial::running;
use crate::trial::time_scale::stretched;

/// Length at which a line is cut, in bytes. A program that never ends its line must not fill the
/// memory of the test.
const LONGEST: usize = 64 << 10;

/// Bytes of a pipe that one call writes as a whole (`PIPE_BUF`, pipe(7)). Lines of several programs
/// would mix in longer writes.
const WRITTEN_AS_A_WHOLE: usize = 4096;

/// Time for which a pipe may stay open after all processes of the lab are dead. A process outside
/// of the lab that was handed the pipe would keep the trial from ending.
const OPEN_AFTER_ALL: Duration = Duration::from_secs(1);

/// Time between the end of a program, as its pidfd tells it, and the report of that end by the
/// node's first process. It takes microseconds; a busy machine takes longer.
const REPORT: Duration = Duration::from_millis(100);

/// The reader of all outputs and ends of a lab.
#[derive(Debug)]
pub(crate) struct OutputReader {
    journal: Arc<Journal>,
    thread: Lock<Option<ReaderThread>>,
}

#[derive(Debug)]
struct ReaderThread {
    /// The channel to the thread. The thread ends after this end is closed.
    inbox: Sender<NewWork>,
    /// Wakes the thread, which waits for descriptors, after something was sent.
    wake: OwnedFd,
    thread: JoinHandle<()>,
}

/// Something new for the thread to wait for.
enum NewWork {
    Output(OutputPipe),
    Program(Arc<Running>),
}

impl OutputReader {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            thread: Lock::new(None),
        }
    }

    /// Reads `fd` to its end, into `log`.
    pub(crate) fn read(
        &self,
        fd: OwnedFd,
        label: &str,
        stream: Stream,
        log: Arc<Log>,
    ) -> std::io::Result<()> {
        // Counted before the thread has the stream: a wait for a line must not take the log for
        // complete.
        log.opened();
        self.send(NewWork::Output(OutputPipe {
            fd,
            label: format!("[{label} {stream}] "),
            stream,
            log,
            unended: Vec::new(),
            cut_off: String::new(),
        }))
    }

    /// Tells the journal when the program ends.
    pub(crate) fn watch(&self, program: Arc<Running>) -> std::io::Result<()> {
        self.send(NewWork::Program(program))
    }

    fn send(&self, arrival: NewWork) -> std::io::Result<()> {
        let mut thread = self.thread.lock();
        let thread = match &mut *thread {
            Some(thread) => thread,
            none => none.insert(start(Arc::clone(&self.journal))?),
        };
        // The thread receives until this end is closed, so a send cannot fail.
        let _ = thread.inbox.send(arrival);
        crate::kernel::fd::write(&thread.wake, b"!")?;
        Ok(())
    }

    /// Waits until all that dead programs have written was read.
    pub(crate) fn finish(&self) {
        let running = self.thread.lock().take();
        if let Some(ReaderThread {
            inbox,
            wake,
            thread,
        }) = running
        {
            // The thread ends when both are closed and all pipes are.
            drop((inbox, wake));
            // A panic of the thread was printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn start(journal: Arc<Journal>) -> std::io::Result<ReaderThread> {
    let (waker, wake) = crate::kernel::fd::pipe()?;
    let (inbox, arriving) = mpsc::channel();
    let reads = OutputReads {
        journal,
        waker,
        arriving,
        pipes: Vec::new(),
        programs: Vec::new(),
        notifying: Vec::new(),
        end: None,
        buffer: vec![0; 64 << 10],
    };
    let thread = thread::start("lab output", move || reads.run())?;
    Ok(ReaderThread {
        inbox,
        wake,
        thread,
    })
}

/// State of the thread that reads program output and reports program ends.
struct OutputReads {
    journal: Arc<Journal>,
    waker: OwnedFd,
    arriving: Receiver<NewWork>,
    pipes: Vec<OutputPipe>,
    /// Programs whose end is not yet reported to the journal.
    programs: Vec<Arc<Running>>,
    /// Sockets to which programs tell of their readiness.
    notifying: Vec<Arc<Readiness>>,
    /// The time until which pipes may stay open, once the lab is at its end.
    end: Option<Instant>,
    buffer: Vec<u8>,
}

impl OutputReads {
    fn run(mut self) {
        loop {
            let left = self
                .end
                .map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || (self.end.is_some() && self.pipes.is_empty()) {
                self.pipes.iter_mut().for_each(OutputPipe::close);
                self.tell_ends(&[]);
                return;
            }
            let Ok(ready) = self.wait(left) else {
                continue;
            };
            let (pipes, woken) = ready.split_at(self.pipes.len());
            let (notified, woken) = woken.split_at(self.notifying.len());
            for (readiness, _) in self.notifying.iter().zip(notified).filter(|(_, is)| **is) {
                readiness.read();
            }
            let busy = self.read(pipes);
            if woken.iter().any(|ready| *ready) {
                self.tell_ends(&busy);
                self.take_arrivals();
            }
        }
    }

    /// Waits for output, for news of readiness, for the end of a program, or to be woken. Answers
    /// for each pipe, then for each socket, then for each program, then for the waker.
    fn wait(&self, left: Option<Duration>) -> crate::kernel::Result<Vec<bool>> {
        let mut fds = PollSet::new();
        for pipe in &self.pipes {
            fds.add_readable(pipe.fd.as_fd());
        }
        for readiness in &self.notifying {
            fds.add_readable(readiness.socket());
        }
        // At the end of the lab only output is waited for: all programs are dead.
        if self.end.is_none() {
            for program in &self.programs {
                fds.add_readable(program.pidfd());
            }
            fds.add_readable(self.waker.as_fd());
        }
        fds.wait(left)
    }

    /// Reads what is there. Returns the logs of the programs that had written something, or closed
    /// a pipe.
    fn read(&mut self, ready: &[bool]) -> Vec<Arc<Log>> {
        let mut busy = Vec::new();
        let mut ready = ready.iter();
        let buffer = &mut self.buffer;
        self.pipes.retain_mut(|pipe| {
            if ready.next() != Some(&true) {
                return true;
            }
            busy.push(Arc::clone(&pipe.log));
            pipe.take(buffer)
        });
        busy
    }

    /// Tells the journal of the programs that have ended. A program that was `busy` just now may
    /// have written more than was read, so that its end is told in a later round.
    fn tell_ends(&mut self, busy: &[Arc<Log>]) {
        let Self {
            programs, journal, ..
        } = self;
        programs.retain(|program| {
            let is_its_log = |log: &Arc<Log>| Arc::ptr_eq(log, program.log());
            if busy.iter().any(is_its_log) || !program.has_exited() {
                return true;
            }
            let Some(status) = program.ended_by(Some(Instant::now() + REPORT)) else {
                return true;
            };
            // The trial is told first: a test that hangs, or whose process ends, says nothing
            // later.
            if let Some(sentence) = program.death(status) {
                running::tell_of_death(sentence);
            }
            journal.record(EventKind::ProcessDied {
                process: Arc::clone(program.process()),
                exit: ExitKind::from(status),
            });
            false
        });
    }

    /// Takes over new pipes and programs. Notes the end of the lab when the other end of the
    /// channel is closed.
    fn take_arrivals(&mut self) {
        if self.end.is_none()
            && crate::kernel::poll::is_readable(self.waker.as_fd())
            && let Ok(0) = crate::kernel::fd::read(&self.waker, &mut self.buffer)
        {
            self.end = Some(Instant::now() + stretched(OPEN_AFTER_ALL));
        }
        for arrival in self.arriving.try_iter() {
            match arrival {
                NewWork::Output(pipe) => self.pipes.push(pipe),
                NewWork::Program(program) => {
                    // A daemon may tell of its readiness after the end of the program that has
                    // started it, so that the socket is read until the end of the lab.
                    self.notifying.extend(program.readiness().cloned());
                    self.programs.push(program);
                }
            }
        }
    }
}

/// One of the two output streams of a program.
struct OutputPipe {
    fd: OwnedFd,
    /// Text in front of each line in the trial's output.
    label: String,
    stream: Stream,
    log: Arc<Log>,
    /// The beginning of a line whose end was not read yet.
    unended: Vec<u8>,
    /// The end of the piece before, of a line that was cut for its length.
    cut_off: String,
}

impl OutputPipe {
    /// Reads the available output once; returns false at the end of the stream.
    fn take(&mut self, buffer: &mut [u8]) -> bool {
        match crate::kernel::fd::read(&self.fd, buffer) {
            Ok(0) => {
                self.close();
                false
            }
            Ok(n) => {
                self.split(&buffer[..n]);
                true
            }
            // Nothing was read; poll(2) tells when there is something.
            Err(Errno::EINTR | Errno::EAGAIN) => true,
            Err(_) => {
                self.close();
                false
            }
        }
    }

    /// Takes lines out of what was read, which may end in the middle of a line or hold many.
    fn split(&mut self, mut rest: &[u8]) {
        let mut lines = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.unended.is_empty() {
                lines.push(text(&rest[..end]));
            } else {
                self.unended.extend(&rest[..end]);
                lines.push(text(&self.unended));
                self.unended.clear();
            }
            rest = &rest[end + 1..];
        }
        self.unended.extend(rest);
        let whole_lines = lines.len();
        // A program that writes no line ends must not take memory without bound.
        if self.unended.len() > LONGEST {
            lines.push(text(&self.unended));
            self.unended.clear();
        }
        let piece = lines.get(whole_lines).map(|piece| end_of(piece).to_owned());
        let ended = whole_lines > 0;
        let before = std::mem::take(&mut self.cut_off);
        self.cut_off = piece.unwrap_or(if ended { String::new() } else { before.clone() });
        self.tell(lines, &before);
    }

    /// Shows lines in the trial's output, and hands them to the log.
    fn tell(&mut self, lines: Vec<String>, cut_off: &str) {
        let mut labelled = String::new();
        for line in &lines {
            let length = self.label.len() + line.len() + 1;
            if labelled.len() + length > WRITTEN_AS_A_WHOLE {
                self.show(&labelled);
                labelled.clear();
            }
            for part in [&self.label, line, "\n"] {
                labelled.push_str(part);
            }
        }
        self.show(&labelled);
        self.log.push(self.stream, lines, &self.unended, cut_off);
    }

    fn show(&self, labelled: &str) {
        // Where the trial's own output is closed, the lines are in the log still.
        let _ = match self.stream {
            Stream::Stdout => std::io::stdout().write_all(labelled.as_bytes()),
            Stream::Stderr => std::io::stderr().write_all(labelled.as_bytes()),
        };
    }

    fn close(&mut self) {
        if !self.unended.is_empty() {
            let last = text(&self.unended);
            self.unended.clear();
            let before = std::mem::take(&mut self.cut_off);
            self.tell(vec![last], &before);
        }
        self.log.closed();
    }
}

/// Returns a line as text, without the first half of a line end of two bytes.
fn text(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end_matches('\r').to_owned()
}

/// Returns the end of a piece of a line, in which a text may begin that goes on in the next piece.
fn end_of(piece: &str) -> &str {
    /// Longer than texts that tests look for.
    const LONG: usize = 1024;
    &piece[piece.ceil_char_boundary(piece.len().saturating_sub(LONG))..]
}

/// Reads a pipe to its end.
pub(crate) fn read_all(fd: Option<OwnedFd>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(fd) = fd {
        std::fs::File::from(fd).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
