//! The line that `/proc` has about each process: who it is, whose child, and whether it lives.

use std::{fs, io};

use super::text::{has_ended, text_of};

/// The fields of `/proc/PID/stat` that matter here (`proc_pid_stat(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) name: String,
    pub(super) state: char,
    pub(super) parent: i32,
    flags: u64,
}

impl Stat {
    pub(super) fn read(pid: i32) -> Option<Stat> {
        Stat::try_read(pid).ok().flatten()
    }

    /// Returns nothing for a process that has ended.
    pub(super) fn try_read(pid: i32) -> io::Result<Option<Stat>> {
        // One read of one file: its fields belong to one moment.
        match text_of(format!("/proc/{pid}/stat")) {
            Err(error) if has_ended(&error) => Ok(None),
            line => match Stat::parse(&line?) {
                Some(stat) => Ok(Some(stat)),
                None => Err(io::ErrorKind::InvalidData.into()),
            },
        }
    }

    pub(super) fn parse(line: &str) -> Option<Stat> {
        let (head, tail) = split_behind_name(line)?;
        let (pid, name) = head.split_once(" (")?;
        let mut fields = tail.split_whitespace();
        Some(Stat {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            flags: fields.nth(4)?.parse().ok()?,
        })
    }

    /// Returns whether the process has ended: a zombie is dead, though it is not reaped yet.
    pub(super) fn dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Returns whether the process is ending, or has a SIGKILL that it has not noticed yet.
    pub(super) fn dying(&self) -> bool {
        // PF_EXITING, include/linux/sched.h.
        const EXITING: u64 = 4;
        !self.dead() && (self.flags & EXITING != 0 || kill_pending(self.pid))
    }
}

/// Returns the line of `/proc/PID/stat` of a process, or of a thread by its own number.
pub(super) fn stat_line(pid: i32) -> Option<String> {
    text_of(format!("/proc/{pid}/stat")).ok()
}

/// Splits such a line behind the name. The name may hold blanks and brackets, so the last bracket
/// ends the name.
pub(super) fn split_behind_name(line: &str) -> Option<(&str, &str)> {
    line.rsplit_once(')')
}

fn kill_pending(pid: i32) -> bool {
    // Signal 9 is bit 8 (proc_pid_status(5), SigPnd and ShdPnd).
    const KILL: u64 = 1 << 8;
    text_of(format!("/proc/{pid}/status")).is_ok_and(|status| {
        status
            .lines()
            .filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"))
            .filter_map(|line| u64::from_str_radix(line[7..].trim(), 16).ok())
            .any(|pending| pending & KILL != 0)
    })
}

/// Returns the states of all processes that live or are zombies.
pub(super) fn all_stats() -> impl Iterator<Item = io::Result<Stat>> {
    all_pids().filter_map(|pid| pid.and_then(Stat::try_read).transpose())
}

/// Returns the ids of all processes, or the error with which the list ends.
pub(super) fn all_pids() -> impl Iterator<Item = io::Result<i32>> {
    let (entries, refused) = match fs::read_dir("/proc") {
        Ok(entries) => (Some(entries), None),
        Err(error) => (None, Some(Err(error))),
    };
    let pids = entries.into_iter().flatten().filter_map(|entry| {
        let entry = entry.map(|entry| entry.file_name().to_str()?.parse().ok());
        entry.transpose()
    });
    refused.into_iter().chain(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_is_read_whole() {
        let stat = Stat::parse("7 (a) b (c)) S 1 7 7 0 -1 4194560 0 0").unwrap();
        assert_eq!(
            (stat.pid, stat.name.as_str(), stat.parent),
            (7, "a) b (c)", 1)
        );
        assert_eq!(stat.flags, 4_194_560);
    }
}
