//! Processes as plain values, from `status` and `cmdline` (`proc_pid_status(5)`).

use std::io;

use snowglobe_derive::Serialize;

use super::Procfs;
use super::text::has_ended;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessEntry {
    /// Process id in the PID namespace of the procfs.
    pub pid: i32,
    /// Process id of the parent; 0 if the parent is outside of the PID namespace.
    pub ppid: i32,
    /// Name of the program, of which the kernel keeps fifteen bytes.
    pub comm: String,
    /// Arguments; none for a zombie.
    pub cmdline: Vec<String>,
    /// `running`, `sleeping`, `stopped`, `zombie`, …
    pub state: String,
    /// Effective user id, as the reader's user namespace shows it.
    pub uid: u32,
}

impl Procfs {
    /// Lists all processes by their ids, without those that end meanwhile.
    ///
    /// # Errors
    /// A file of a living process cannot be read.
    pub fn processes(&self) -> io::Result<Vec<ProcessEntry>> {
        let mut found = Vec::new();
        for pid in self.pids()? {
            match self.process(pid) {
                Ok(process) => found.push(process),
                // Between the list and the look a process may end, which is no error.
                Err(error) if has_ended(&error) => {}
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("failed to read process {pid}: {error}"),
                    ));
                }
            }
        }
        Ok(found)
    }

    fn process(&self, pid: i32) -> io::Result<ProcessEntry> {
        let status = self.read(&format!("{pid}/status"))?;
        let cmdline = self.read(&format!("{pid}/cmdline"))?;
        parse(pid, &String::from_utf8_lossy(&status), &cmdline).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("failed to parse procfs file `{pid}/status`"),
            )
        })
    }
}

/// Reads the texts of `status` and `cmdline`.
pub(super) fn parse(pid: i32, status: &str, cmdline: &[u8]) -> Option<ProcessEntry> {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    // Each argument ends with a zero byte, also the last one (proc_pid_cmdline(5)).
    let arguments = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    Some(ProcessEntry {
        pid,
        ppid: field("PPid")?.parse().ok()?,
        comm: field("Name")?.to_owned(),
        cmdline: match arguments {
            [] => Vec::new(),
            _ => arguments
                .split(|byte| *byte == 0)
                .map(|argument| String::from_utf8_lossy(argument).into_owned())
                .collect(),
        },
        state: state(field("State")?).to_owned(),
        // The real, effective, saved and filesystem ids (proc_pid_status(5)). Most checks of
        // permissions use the second.
        uid: field("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
    })
}

fn state(field: &str) -> &str {
    match field.as_bytes().first() {
        Some(b'R') => "running",
        Some(b'S') => "sleeping",
        Some(b'D') => "waiting",
        Some(b'T') => "stopped",
        // A lower-case `t` means stopped by a debugger (proc_pid_status(5)).
        Some(b't') => "traced",
        Some(b'Z') => "zombie",
        Some(b'X') => "dead",
        Some(b'I') => "idle",
        _ => "unknown",
    }
}
