//! A program that reads its clocks whenever it is asked: this test program, started with a
//! variable.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use snowglobe::lab::{Node, Process, Stdio};
use snowglobe::prelude::*;

/// Variable that makes the program read its clocks on request.
pub(crate) const VARIABLE: &str = "SNOWGLOBE_TEST_CLOCK_READER";

/// Tells `CLOCK_REALTIME` and the time since the start for each line that comes.
pub(crate) fn read_on_request() -> ExitCode {
    let start = Instant::now();
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { break };
        if line == "thread" {
            // A new thread sees what its process sees.
            std::thread::spawn(move || tell(start)).join().unwrap();
        } else {
            tell(start);
        }
    }
    ExitCode::SUCCESS
}

fn tell(start: Instant) {
    println!("{:.9} {:.9}", seconds(), start.elapsed().as_secs_f64());
}

/// Returns the time of the calling process, in seconds since 1970.
pub(crate) fn seconds() -> f64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// A reader that runs in a node.
pub(crate) struct Reader {
    pub(crate) process: Process,
    answers: BufReader<Box<dyn Read + Send>>,
}

/// Times of the clocks that a reader read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Seconds since 1970.
    pub(crate) time: f64,
    /// Seconds by the monotonic clock since the reader started.
    pub(crate) monotonic: f64,
    /// Difference from the time of the test's own process.
    pub(crate) ahead: f64,
}

impl Reader {
    pub(crate) fn start(node: &Node) -> TestResult<Self> {
        let program = std::env::current_exe()?;
        let mut process = node
            .command(program)
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no pipe")?;
        Ok(Self {
            process,
            answers: BufReader::new(Box::new(stdout)),
        })
    }

    pub(crate) fn ask(&mut self, how: &str) -> TestResult<Reading> {
        let stdin = self.process.stdin.as_mut().ok_or("no pipe")?;
        writeln!(stdin, "{how}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let own = seconds();
        let (time, monotonic) = line.trim().split_once(' ').ok_or("no answer")?;
        let (time, monotonic) = (time.parse()?, monotonic.parse()?);
        Ok(Reading {
            time,
            monotonic,
            ahead: time - own,
        })
    }

    pub(crate) fn read(&mut self) -> TestResult<Reading> {
        self.ask("process")
    }
}
