//! Other programs also spend system time while something is measured: it is counted, to be
//! subtracted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Runs a command, and returns what it prints and how many ticks of system time others took between
/// its words `cost` and `after`.
pub(super) fn watch(command: &mut Command) -> Result<(String, f64), String> {
    let mut strangers = Strangers::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let (mut text, mut seen) = (String::new(), [0.0; 2]);
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.map_err(|error| format!("{command:?}: {error}"))?;
        for (at, word) in ["cost ", "after "].iter().enumerate() {
            if line.contains(word) {
                seen[at] = strangers.ticks();
            }
        }
        text += &line;
        text.push('\n');
    }
    match child.wait() {
        Ok(status) if status.success() => Ok((text, seen[1] - seen[0])),
        _ => Err(format!("{command:?} failed: {text}")),
    }
}

/// Programs that were there before, some of which look at all processes again and again, and the
/// threads of the kernel that watch and tidy the memory. All else that the kernel does may be on
/// behalf of what is measured.
struct Strangers(Vec<StrangerProcess>);

struct StrangerProcess {
    number: String,
    ticks: f64,
}

impl Strangers {
    fn now() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let all = numbers.filter_map(StrangerProcess::read);
        Self(all.collect())
    }

    /// Returns the system time that the strangers have taken so far. One that has ended counts as
    /// it was.
    fn ticks(&mut self) -> f64 {
        for process in &mut self.0 {
            if let Some(now) = StrangerProcess::read(process.number.clone()) {
                process.ticks = now.ticks;
            }
        }
        self.0.iter().map(|process| process.ticks).sum()
    }
}

impl StrangerProcess {
    /// Reads a process; returns `None` if it has ended, or is another thread of the kernel.
    fn read(number: String) -> Option<Self> {
        // Fields are counted from the end of the name, which may have spaces in it.
        const FLAGS: usize = 6;
        const STIME: usize = 12;
        const KERNEL_THREAD: u64 = 0x0020_0000;
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        let (start, rest) = stat.rsplit_once(')')?;
        let name = start.split_once('(')?.1;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let flags: u64 = fields.get(FLAGS)?.parse().ok()?;
        let is_tidy = name.starts_with("kdamond") || name.starts_with("kcompactd");
        let counts = is_tidy || flags & KERNEL_THREAD == 0;
        let ticks = fields.get(STIME)?.parse().ok()?;
        counts.then_some(Self { number, ticks })
    }
}
