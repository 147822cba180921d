//! What the tests share.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A run of this same test program, with other arguments.
#[derive(Debug)]
pub struct Run {
    /// The exit code, if it was not ended by a signal.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// This test program, to be run once more; nothing of how it was started itself is passed on.
pub fn this_program() -> Command {
    program_at(&std::env::current_exe().expect("this program has a path"))
}

/// The same of a copy that lies elsewhere.
pub fn program_at(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (key, _) in std::env::vars() {
        if ["RUST_TEST", "SNOWGLOBE_", "NEXTEST"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
        {
            command.env_remove(key);
        }
    }
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// Runs this test program with these arguments, to its end.
pub fn run(args: &[&str]) -> Run {
    finished(
        this_program()
            .args(args)
            .output()
            .expect("this program starts"),
    )
}

/// Runs one ignored sample by its exact name.
pub fn sample(name: &str) -> Run {
    run(&["--exact", name, "--include-ignored", "--color", "never"])
}

/// What a finished program said.
pub fn finished(output: Output) -> Run {
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// Fails the test unless the run failed as tests fail, and says all of `parts` on stdout.
    #[track_caller]
    pub fn failed_with(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(101), "{self:#?}");
        self.says(parts);
    }

    /// Fails the test unless the run passed, and says all of `parts` on stdout.
    #[track_caller]
    pub fn passed_with(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.says(parts);
    }

    #[track_caller]
    fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.stdout.contains(part),
                "no {part:?} in\n{}\n{}",
                self.stdout,
                self.stderr
            );
        }
    }
}

/// A directory that this trial shares with the runs that it starts, in which `/tmp` is another.
pub fn shared_dir() -> TempDir {
    let program = std::env::current_exe().expect("this program has a path");
    // Beside the programs, found at run time: an archive of tests is built somewhere else.
    let dir = program
        .parent()
        .expect("a program lies in a directory")
        .join("shared");
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    tempfile::tempdir_in(dir).expect("the target directory is writable")
}

/// A configuration for nginx that has one server, which does this; logs go to stderr.
///
/// Temporary files go to the node's own `/tmp`: in a fixture that another user provisioned, a trial that has a single id can write to no directory
/// that is not open to everybody.
pub fn nginx_conf(access_log: &str, server: &str) -> String {
    format!(
        "
user root;
worker_processes 1;
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log {access_log};
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {{ {server} }}
}}
"
    )
}

/// How many ids a mapping of `/proc` has: it may be in several pieces.
pub fn ids_in(map: &str) -> u32 {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u32>().ok();
    map.lines().filter_map(count).sum()
}

/// Waits until `condition` holds, looking often; false if it does not within `limit`.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Waits until a file exists.
pub fn wait_for_file(path: &Path) -> bool {
    wait_until(Duration::from_secs(20), || path.exists())
}
