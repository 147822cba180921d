//! The write in which a thread waits.
//!
//! A filesystem of ours that has the kernel cache its writes hears of a write long after the
//! program has gone on. A disk that is full has to refuse the write itself. The kernel asks for the
//! attributes of a file before it takes a write (fs/fuse/file.c, `fuse_cache_write_iter`), as it
//! does for other calls, and does not say for which one. procfs does: `/proc/PID/syscall`, see
//! `proc_pid_syscall(5)`.

use std::fs;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

/// The range that a thread is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// Offset of the first byte; nothing for the end of the file.
    pub offset: Option<u64>,
    /// Number of bytes: 1 where the call has its lengths in memory (`writev(2)`).
    pub length: u64,
}

/// The flag `O_APPEND` in `/proc/PID/fdinfo` (`proc_pid_fdinfo(5)`).
const APPEND: u64 = libc::O_APPEND as u64;

/// Time that a thread may take to fall asleep after its question: a busy machine may leave the
/// thread without a processor for that long.
const SETTLED: Duration = Duration::from_secs(10);

/// Returns the write in which a thread waits, if it waits in one.
///
/// The thread has asked a filesystem of ours, and waits for the answer of the caller. It may not
/// have fallen asleep yet: the kernel wakes the filesystem first (fs/fuse/dev.c,
/// `request_wait_answer`). procfs says `running` until then, so this function asks again.
pub fn pending_write(thread: u32) -> Option<PendingWrite> {
    let (number, arguments) = parse(&settled_call(thread)?)?;
    let [descriptor, _, length, offset] = arguments;
    let offset = match number {
        libc::SYS_pwrite64 | libc::SYS_pwritev | libc::SYS_pwritev2 => Some(offset),
        libc::SYS_write | libc::SYS_writev => position(thread, descriptor),
        _ => return None,
    };
    let length = match number {
        libc::SYS_write | libc::SYS_pwrite64 => length,
        _ => 1,
    };
    Some(PendingWrite { offset, length })
}

/// Returns the number and the first four arguments of the system call in which a thread waits.
pub(crate) fn call_of(thread: u32) -> Option<(i64, [u64; 4])> {
    parse(&call_line(thread)?)
}

fn call_line(thread: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{thread}/syscall")).ok()
}

/// Returns what procfs says of the system call in which a thread sleeps.
fn settled_call(thread: u32) -> Option<String> {
    let begin = Instant::now();
    let mut rounds = 0;
    loop {
        let text = call_line(thread)?;
        if text.trim_end() != "running" || begin.elapsed() > SETTLED {
            return Some(text);
        }
        // A thread on another processor needs some microseconds, and one on ours needs ours.
        if rounds < 16 {
            yield_now();
        } else {
            sleep(Duration::from_micros(100));
        }
        rounds += 1;
    }
}

/// Reads the number of a system call and its first four arguments.
fn parse(text: &str) -> Option<(i64, [u64; 4])> {
    let mut words = text.split_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut arguments = [0; 4];
    for argument in &mut arguments {
        let word = words.next()?.strip_prefix("0x")?;
        *argument = u64::from_str_radix(word, 16).ok()?;
    }
    Some((number, arguments))
}

/// Returns where a file stands; nothing if it is open for appending.
fn position(thread: u32, descriptor: u64) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).ok()?;
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key));
    let flags = u64::from_str_radix(value("flags:")?.trim(), 8).ok()?;
    if flags & APPEND != 0 {
        return None;
    }
    value("pos:")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::hint::spin_loop;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_has_not_fallen_asleep_yet_is_waited_for() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (id, is_asked) = (AtomicU32::new(0), AtomicBool::new(false));
        let seen = thread::scope(|scope| {
            scope.spawn(|| {
                id.store(
                    nix::unistd::gettid().as_raw().cast_unsigned(),
                    Ordering::SeqCst,
                );
                while !is_asked.load(Ordering::SeqCst) {
                    spin_loop();
                }
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(20) {
                    spin_loop();
                }
                // More than a pipe takes (pipe(7)).
                let _ = writer.write(&[0; 1 << 20]);
            });
            let asks = scope.spawn(|| {
                while id.load(Ordering::SeqCst) == 0 {
                    spin_loop();
                }
                is_asked.store(true, Ordering::SeqCst);
                pending_write(id.load(Ordering::SeqCst))
            });
            let seen = asks.join().unwrap();
            drop(reader);
            seen
        });
        assert_eq!(seen.map(|it| it.length), Some(1 << 20));
    }

    #[test]
    fn a_line_of_procfs_has_a_number_and_arguments() {
        let line = "1 0x3 0x7ffd 0x1000 0x0 0x0 0x0 0x7ffd 0x7f00\n";
        assert_eq!(parse(line), Some((1, [3, 0x7ffd, 0x1000, 0])));
        assert_eq!(parse("running\n"), None);
    }

    #[test]
    fn a_thread_that_waits_elsewhere_writes_nothing() {
        assert_eq!(pending_write(std::process::id()), None);
    }
}
