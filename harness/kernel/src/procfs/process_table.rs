//! The processes of a PID namespace: who descends from whom, who lives, and what each is doing.
//!
//! A program that hangs says nothing, and its debugger may not be installed. But `/proc` shows in
//! which system call each thread waits, and the descriptor in its first argument is often a socket
//! with an address: enough to see who waits for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::{fs, io};

use super::stat::{Stat, all_pids, all_stats, split_behind_name, stat_line};
use super::text::text_of;
use crate::process::exit_kind::ExitKind;

/// Returns the processor on which a thread has run last.
pub fn processor_of(thread: i32) -> Option<usize> {
    /// Place of the field `processor` among those behind the name (proc_pid_stat(5), field 39).
    const PROCESSOR: usize = 36;
    let line = stat_line(thread)?;
    let (_, fields) = split_behind_name(&line)?;
    fields.split_whitespace().nth(PROCESSOR)?.parse().ok()
}

/// Returns whether a process is stopped, as by SIGSTOP, or has ended.
pub fn is_stopped_or_dead(pid: i32) -> bool {
    Stat::read(pid).is_none_or(|stat| stat.dead() || matches!(stat.state, 'T' | 't'))
}

/// Returns the process that traces a process, if both are in the PID namespace of `/proc`.
pub fn tracer_of(pid: i32) -> Option<i32> {
    let status = text_of(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|tracer| *tracer > 0)
}

/// Returns the parent of a process, if both are in the PID namespace of `/proc`.
pub fn parent_of(pid: i32) -> Option<i32> {
    Stat::read(pid)
        .map(|stat| stat.parent)
        .filter(|parent| *parent > 0)
}

/// Returns whether a process was started with this variable in its environment, as `KEY=value`, or
/// `None` where this process may not know.
pub fn has_variable(pid: i32, variable: &str) -> Option<bool> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    Some(
        environment
            .split(|byte| *byte == 0)
            .any(|it| it == variable.as_bytes()),
    )
}

/// Returns every process that descends from `ancestor`, as far as `/proc` can be read.
pub fn descendants(ancestor: i32) -> Vec<i32> {
    let stats = all_pids().filter_map(|pid| Stat::read(pid.ok()?));
    let parents = stats.map(|stat| (stat.pid, stat.parent)).collect();
    below(ancestor, &parents)
}

/// Returns every process that descends from `ancestor`, for those who must not miss any.
///
/// # Errors
/// `/proc` or the state of a living process cannot be read, as with too many open files (`EMFILE`).
pub fn all_descendants(ancestor: i32) -> io::Result<Vec<i32>> {
    let parents: BTreeMap<i32, i32> = all_stats()
        .map(|stat| stat.map(|stat| (stat.pid, stat.parent)))
        .collect::<io::Result<_>>()?;
    Ok(below(ancestor, &parents))
}

/// Returns the children of `parent` that have ended and for which nobody has waited yet: their ids,
/// their short names, and how they ended.
pub fn unreaped_children(parent: i32) -> Vec<(i32, String, ExitKind)> {
    // The last field but none, as wait(2) gives it (proc_pid_stat(5), `exit_code`).
    let end = |pid: i32| {
        let line = stat_line(pid)?;
        let status = line.split_whitespace().next_back()?.parse().ok()?;
        Some(ExitKind::from_wait_status(status))
    };
    let stats = all_pids().filter_map(|pid| Stat::read(pid.ok()?));
    stats
        .filter(|stat| stat.parent == parent && stat.dead())
        .filter_map(|stat| Some((stat.pid, stat.name, end(stat.pid)?)))
        .collect()
}

/// Returns the children of `parent` that live.
///
/// # Errors
/// `/proc` or the state of a living process cannot be read, as with too many open files (`EMFILE`).
pub fn children(parent: i32) -> io::Result<Vec<i32>> {
    let is_child = |stat: &Stat| stat.parent == parent && !stat.dead();
    all_stats()
        .filter(|stat| stat.as_ref().is_ok_and(is_child) || stat.is_err())
        .map(|stat| stat.map(|stat| stat.pid))
        .collect()
}

fn below(ancestor: i32, parents: &BTreeMap<i32, i32>) -> Vec<i32> {
    let descends = |pid: i32| {
        let mut at = pid;
        for _ in 0..=parents.len() {
            match parents.get(&at) {
                Some(parent) if *parent == ancestor => return true,
                // Entered from outside: its parent has no number in here.
                Some(0) | None => return ancestor == 1 && pid != 1,
                Some(parent) => at = *parent,
            }
        }
        false
    };
    parents
        .keys()
        .copied()
        .filter(|pid| descends(*pid))
        .collect()
}

/// Returns the ids and short names of the processes among `members` that are alive.
pub fn alive(members: &[i32]) -> impl Iterator<Item = (i32, String)> {
    members
        .iter()
        .filter_map(|pid| Stat::read(*pid))
        .filter(|stat| !stat.dead())
        .map(|stat| (stat.pid, stat.name))
}

/// Returns whether one of `members` has been killed and is not gone yet.
pub fn any_dying(members: &[i32]) -> bool {
    members
        .iter()
        .filter_map(|pid| Stat::read(*pid))
        .any(|stat| stat.dying())
}

/// Describes what each process and thread is doing, and the sockets of the network namespace.
pub fn describe(members: &[i32]) -> String {
    // The sockets are read once for all: the tables list every socket of the namespace.
    let sockets = sockets();
    let mut text = String::from("processes:\n");
    let mut seen = BTreeSet::new();
    for stat in members.iter().filter_map(|pid| Stat::read(*pid)) {
        let _ = writeln!(
            text,
            "  {:>5} {} ({})",
            stat.pid,
            command_line(&stat),
            state(stat.state)
        );
        // A program with more threads has them for the same work.
        for thread in threads(stat.pid).take(64) {
            let _ = writeln!(text, "        {}", doing(stat.pid, thread, &sockets));
        }
        seen.extend(socket_inodes(stat.pid));
    }
    let listening: Vec<&String> = sockets.values().collect();
    if !listening.is_empty() {
        text.push_str("sockets:\n");
        for (inode, socket) in &sockets {
            let holder = if seen.contains(inode) {
                ""
            } else {
                " (no process holds it)"
            };
            let _ = writeln!(text, "  {socket}{holder}");
        }
    }
    text
}

fn command_line(stat: &Stat) -> String {
    let line = fs::read(format!("/proc/{}/cmdline", stat.pid)).unwrap_or_default();
    let line = String::from_utf8_lossy(&line)
        // A process may overwrite its arguments with a title that ends in many zero bytes
        // (setproctitle).
        .trim_end_matches('\0')
        .replace('\0', " ");
    match line.is_empty() || line.len() > 200 {
        true => format!("[{}]", stat.name),
        false => line,
    }
}

fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' => "sleeping",
        'D' => "in an uninterruptible wait",
        'T' | 't' => "stopped",
        'Z' => "zombie",
        _ => "other",
    }
}

/// Returns the threads of a process.
pub fn threads(pid: i32) -> impl Iterator<Item = i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok())
}

/// Describes a thread: `thread 'name': read(socket tcp 127.0.0.1:80 listening) at inet_csk_accept`.
fn doing(pid: i32, thread: i32, sockets: &BTreeMap<u64, String>) -> String {
    let read =
        |file: &str| text_of(format!("/proc/{pid}/task/{thread}/{file}")).unwrap_or_default();
    let name = read("comm");
    let call = system_call(pid, &read("syscall"), sockets);
    // The function of the kernel in which the thread sleeps; 0 without the right to see it.
    let channel = read("wchan");
    let at = match channel.as_str() {
        "" | "0" => String::new(),
        symbol => format!(" at {symbol}"),
    };
    format!("thread {thread} '{}': {call}{at}", name.trim())
}

/// Describes the system call in the text of `/proc/PID/syscall`, which has the number and then the
/// arguments in hexadecimal (`proc_pid_syscall(5)`).
fn system_call(pid: i32, text: &str, sockets: &BTreeMap<u64, String>) -> String {
    let mut fields = text.split_whitespace();
    let Some(Ok(number)) = fields.next().map(str::parse::<i64>) else {
        return match text.trim() {
            "running" => "running".to_owned(),
            _ => "in the kernel".to_owned(),
        };
    };
    let first = fields
        .next()
        .and_then(|hex| i64::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
    let Some((name, on_descriptor)) = call_name(number) else {
        return format!("system call {number}");
    };
    match (on_descriptor, first) {
        (true, Some(fd)) => format!("{name}({})", descriptor(pid, fd, sockets)),
        _ => name.to_owned(),
    }
}

/// Returns the name of a call that may block, and whether its first argument is a descriptor.
fn call_name(number: i64) -> Option<(&'static str, bool)> {
    const NAMES: &[(i64, &str, bool)] = &[
        (libc::SYS_read, "read", true),
        (libc::SYS_readv, "readv", true),
        (libc::SYS_write, "write", true),
        (libc::SYS_writev, "writev", true),
        (libc::SYS_accept, "accept", true),
        (libc::SYS_accept4, "accept4", true),
        (libc::SYS_connect, "connect", true),
        (libc::SYS_recvfrom, "recvfrom", true),
        (libc::SYS_recvmsg, "recvmsg", true),
        (libc::SYS_sendto, "sendto", true),
        (libc::SYS_sendmsg, "sendmsg", true),
        (libc::SYS_flock, "flock", true),
        (libc::SYS_fcntl, "fcntl", true),
        (libc::SYS_ppoll, "ppoll", false),
        (libc::SYS_pselect6, "pselect", false),
        (libc::SYS_epoll_pwait, "epoll_wait", false),
        (
            libc::SYS_futex,
            "futex (a lock, a channel or a join)",
            false,
        ),
        (libc::SYS_wait4, "wait4", false),
        (libc::SYS_waitid, "waitid", false),
        (libc::SYS_nanosleep, "nanosleep", false),
        (libc::SYS_clock_nanosleep, "clock_nanosleep", false),
        (libc::SYS_rt_sigsuspend, "sigsuspend", false),
        (libc::SYS_rt_sigtimedwait, "sigtimedwait", false),
    ];
    #[cfg(target_arch = "x86_64")]
    const OLD: &[(i64, &str, bool)] = &[
        (libc::SYS_poll, "poll", false),
        (libc::SYS_select, "select", false),
        (libc::SYS_epoll_wait, "epoll_wait", false),
        (libc::SYS_pause, "pause", false),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const OLD: &[(i64, &str, bool)] = &[];
    NAMES
        .iter()
        .chain(OLD)
        .find(|(n, _, _)| *n == number)
        .map(|(_, name, on_descriptor)| (*name, *on_descriptor))
}

fn descriptor(pid: i32, fd: i64, sockets: &BTreeMap<u64, String>) -> String {
    let Ok(target) = fs::read_link(format!("/proc/{pid}/fd/{fd}")) else {
        return format!("fd {fd}");
    };
    let target = target.to_string_lossy().into_owned();
    match inode(&target).and_then(|inode| sockets.get(&inode)) {
        Some(socket) => format!("fd {fd}, {socket}"),
        None => format!("fd {fd}, {target}"),
    }
}

fn inode(target: &str) -> Option<u64> {
    target
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

fn socket_inodes(pid: i32) -> Vec<u64> {
    let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    fds.flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|target| inode(&target.to_string_lossy()))
        .collect()
}

/// Returns the internet sockets of this network namespace, by inode.
fn sockets() -> BTreeMap<u64, String> {
    ["tcp", "tcp6", "udp", "udp6"]
        .into_iter()
        .flat_map(|table| {
            let text = fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
            text.lines()
                .skip(1)
                .filter_map(|line| socket(table, line))
                // Nobody would read more lines.
                .take(200)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn socket(table: &str, line: &str) -> Option<(u64, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, remote) = (address(fields.get(1)?)?, address(fields.get(2)?)?);
    let inode: u64 = fields.get(9)?.parse().ok()?;
    let text = match (table.starts_with("tcp"), *fields.get(3)?) {
        (true, "0A") => format!("{table} {local} listening"),
        (true, state) => format!("{table} {local} -> {remote} {}", tcp_state(state)),
        (false, _) => format!("{table} {local}"),
    };
    (inode != 0).then_some((inode, text))
}

fn tcp_state(code: &str) -> &'static str {
    match code {
        "01" => "established",
        "02" => "syn sent",
        "03" => "syn received",
        "04" => "fin wait 1",
        "05" => "fin wait 2",
        "06" => "time wait",
        "08" => "close wait",
        "09" => "last ack",
        "0B" => "closing",
        _ => "closed",
    }
}

/// Parses an address as in `0100007F:0050`: words in the machine's byte order, then the port
/// (`proc(5)`).
fn address(text: &str) -> Option<std::net::SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u8> = (0..address.len() / 8)
        .map(|i| u32::from_str_radix(&address[i * 8..i * 8 + 8], 16))
        .collect::<Result<Vec<u32>, _>>()
        .ok()?
        .into_iter()
        .flat_map(u32::to_ne_bytes)
        .collect();
    let ip: std::net::IpAddr = match words.len() {
        4 => <[u8; 4]>::try_from(words).ok()?.into(),
        16 => <[u8; 16]>::try_from(words).ok()?.into(),
        _ => return None,
    };
    Some((ip, port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descent_is_followed_to_the_end() {
        let parents = BTreeMap::from([(1, 0), (2, 1), (3, 2), (9, 0), (10, 9)]);
        assert_eq!(below(2, &parents), [3]);
        // In a PID namespace every process is below the init, those that entered from outside too.
        assert_eq!(below(1, &parents), [2, 3, 9, 10]);
    }

    #[test]
    fn socket_tables_are_read() {
        let line =
            "0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1";
        assert_eq!(
            socket("tcp", line),
            Some((77, "tcp 127.0.0.1:80 listening".to_owned()))
        );
        let six = "00000000000000000000000001000000:0050";
        assert_eq!(address(six).unwrap().to_string(), "[::1]:80");
    }

    #[test]
    fn what_this_thread_waits_for_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sockets = sockets();
        let ours: Vec<&String> = sockets
            .values()
            .filter(|s| s.contains(&format!(":{port} ")))
            .collect();
        assert_eq!(ours, [&format!("tcp 127.0.0.1:{port} listening")]);
    }
}
