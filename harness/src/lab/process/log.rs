//! What the programs in nodes write: labelled in the trial's own output, and kept for those who wait for a line.
//!
//! One thread for a whole lab, started with its first program, reads all of it.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::poll::PollSet;
use crate::kernel::sync::{Lock, Notifier};

/// Which of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where to.
    pub stream: Stream,
    /// Without the end of the line; what is not UTF-8 is replaced.
    pub text: String,
}

/// So many lines are kept of each program; the oldest go first.
const KEPT: usize = 10_000;
/// A line is cut here.
const LONGEST: usize = 64 << 10;

/// What one program has written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Lock<LogState>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct LogState {
    lines: VecDeque<Line>,
    /// How many were let go.
    gone: usize,
    /// Streams that are still open.
    open: usize,
}

impl Log {
    pub(crate) fn opened(&self) {
        self.state.lock().open += 1;
    }

    fn closed(&self) {
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        self.changed.notify_all();
    }

    fn push(&self, line: Line) {
        let mut state = self.state.lock();
        if state.lines.len() == KEPT {
            state.lines.pop_front();
            state.gone += 1;
        }
        state.lines.push_back(line);
        self.changed.notify_all();
    }

    /// All lines that are kept.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.state.lock().lines.iter().cloned().collect()
    }

    /// The line of this number, counted from the beginning, once it is there: `Ok(None)` if it never will be, and an error
    /// with the number of lines at the deadline.
    pub(crate) fn line(
        &self,
        number: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<Line>, usize> {
        let mut state = self.state.lock();
        loop {
            let at = number.max(state.gone) - state.gone;
            if let Some(line) = state.lines.get(at) {
                return Ok(Some(line.clone()));
            }
            if state.open == 0 {
                return Ok(None);
            }
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return Err(state.gone + state.lines.len());
            }
            state = self.changed.wait_timeout(state, left);
        }
    }

    /// Waits until all that was written has been read; somebody else may hold the outputs open.
    pub(crate) fn wait_for_end(&self, deadline: Instant) {
        let mut state = self.state.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.open == 0 || left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left);
        }
    }

    /// The last lines, for an error.
    pub(crate) fn tail(&self) -> String {
        let state = self.state.lock();
        let last: Vec<&str> = state
            .lines
            .iter()
            .rev()
            .take(10)
            .map(|line| line.text.as_str())
            .collect();
        match last.is_empty() {
            true => "it wrote nothing".to_owned(),
            false => format!(
                "its last lines:\n{}",
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            ),
        }
    }
}

/// A stream that the pump reads.
struct Source {
    fd: OwnedFd,
    label: String,
    stream: Stream,
    log: Arc<Log>,
    /// The beginning of a line.
    partial: Vec<u8>,
}

/// The reader of everything.
#[derive(Debug, Default)]
pub(crate) struct OutputReader {
    thread: Lock<Option<ReaderThread>>,
}

#[derive(Debug)]
struct ReaderThread {
    /// Where new sources come in; closed at the end.
    inbox: std::sync::mpsc::Sender<Source>,
    wake: OwnedFd,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label)
    }
}

impl OutputReader {
    /// Reads `fd` to its end, into `log`.
    pub(crate) fn read(
        &self,
        fd: OwnedFd,
        label: String,
        stream: Stream,
        log: Arc<Log>,
    ) -> std::io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            *thread = Some(start()?);
        }
        log.opened();
        let source = Source {
            fd,
            label,
            stream,
            log,
            partial: Vec::new(),
        };
        if let Some(thread) = &*thread {
            // The thread receives until this end is closed, so a send cannot fail.
            let _ = thread.inbox.send(source);
            crate::kernel::fd::write(&thread.wake, b"!")?;
        }
        Ok(())
    }

    /// Waits until all has been read; those who wrote it are dead.
    pub(crate) fn finish(&self) {
        let running = self.thread.lock().take();
        if let Some(ReaderThread {
            inbox,
            wake,
            thread,
        }) = running
        {
            drop((inbox, wake));
            // A panic of the thread was printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn start() -> std::io::Result<ReaderThread> {
    let (waker, wake) = crate::kernel::fd::pipe()?;
    let (inbox, arriving) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("lab output".to_owned())
        .spawn(move || pump(&waker, &arriving))?;
    Ok(ReaderThread {
        inbox,
        wake,
        thread,
    })
}

/// How long somebody may keep a pipe open after everybody in the lab is dead.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn pump(waker: &OwnedFd, arriving: &std::sync::mpsc::Receiver<Source>) {
    let mut sources: Vec<Source> = Vec::new();
    let mut end: Option<Instant> = None;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) || (end.is_some() && sources.is_empty()) {
            sources.iter_mut().for_each(Source::close);
            return;
        }
        let mut fds = PollSet::new();
        for source in &sources {
            fds.add_readable(source.fd.as_fd());
        }
        if end.is_none() {
            fds.add_readable(waker.as_fd());
        }
        let Ok(ready) = fds.wait(left) else {
            continue;
        };
        if end.is_none()
            && ready.last() == Some(&true)
            && let Ok(0) = crate::kernel::fd::read(waker, &mut buffer)
        {
            end = Some(Instant::now() + LAST_WORDS);
        }
        let mut at = 0;
        sources.retain_mut(|source| {
            at += 1;
            !ready[at - 1] || source.take(&mut buffer)
        });
        sources.extend(arriving.try_iter());
    }
}

impl Source {
    /// Reads what is there; false at the end.
    fn take(&mut self, buffer: &mut [u8]) -> bool {
        match crate::kernel::fd::read(&self.fd, buffer) {
            Ok(0) => {
                self.close();
                false
            }
            Ok(n) => {
                let mut rest = &buffer[..n];
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    self.partial.extend(&rest[..end]);
                    self.flush();
                    rest = &rest[end + 1..];
                }
                self.partial.extend(rest);
                if self.partial.len() > LONGEST {
                    self.flush();
                }
                true
            }
            Err(Errno::EINTR | Errno::EAGAIN) => true,
            Err(_) => {
                self.close();
                false
            }
        }
    }

    fn flush(&mut self) {
        let text = String::from_utf8_lossy(&self.partial)
            .trim_end_matches('\r')
            .to_owned();
        self.partial.clear();
        // One call each, so that lines of several programs do not mix.
        let _ =
            match self.stream {
                Stream::Stdout => std::io::stdout()
                    .write_all(format!("[{} stdout] {text}\n", self.label).as_bytes()),
                Stream::Stderr => std::io::stderr()
                    .write_all(format!("[{} stderr] {text}\n", self.label).as_bytes()),
            };
        self.log.push(Line {
            stream: self.stream,
            text,
        });
    }

    fn close(&mut self) {
        if !self.partial.is_empty() {
            self.flush();
        }
        self.log.closed();
    }
}

/// Reads a pipe to its end.
pub(crate) fn read_all(fd: Option<OwnedFd>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(fd) = fd {
        std::fs::File::from(fd).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
