//! The tests run programs, read what they print and wait for things: each does so in the same way.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod behind_router;
mod connection;
pub mod cubic;
pub mod daemons;
mod ethtool;
pub mod http;
mod opened;
pub mod traffic;

pub use behind_router::BehindRouter;
pub use ethtool::{offloads, set_offloads};
pub use opened::OpenWatch;

/// Result of another run of this test program, with arguments of its own.
#[derive(Debug)]
pub struct Run {
    /// Exit code of the run; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Text that the run wrote to stdout.
    pub stdout: String,
    /// Text that the run wrote to stderr.
    pub stderr: String,
}

/// Returns this test program, to be run once more without the settings of its own start.
pub fn this_program() -> Command {
    program_at(&std::env::current_exe().expect("this program has a path"))
}

/// Returns a copy of this test program that lies elsewhere, to be run likewise.
pub fn program_at(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        if ["RUST_TEST", "SNOWGLOBE_", "NEXTEST"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
        {
            command.env_remove(&*key);
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

/// Returns what a finished program wrote, as text.
pub fn finished(output: Output) -> Run {
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// Fails the test unless the run failed as tests fail, with all of `parts` on stdout.
    #[track_caller]
    pub fn failed_with(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(101), "{self:#?}");
        self.says(parts);
    }

    /// Fails the test unless the run passed, with all of `parts` on stdout.
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

/// Makes a directory that this trial shares with the runs that it starts, whose `/tmp` is another.
pub fn shared_dir() -> TempDir {
    let program = std::env::current_exe().expect("this program has a path");
    // The directory lies beside the program, found at run time: an archive of tests is built
    // elsewhere.
    let dir = program
        .parent()
        .expect("a program lies in a directory")
        .join("shared");
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    tempfile::tempdir_in(dir).expect("the target directory is writable")
}

/// Returns a configuration for nginx that has one server with these lines; logs go to stderr.
///
/// Temporary files go to the node's own `/tmp`. Another user may have provisioned the fixture: then
/// a trial with a single id can write only to directories that are open to everybody.
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

/// Returns whether this user can have disks with faults, and notes it otherwise.
pub fn has_fuse() -> bool {
    let device = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    if device.is_err() {
        snowglobe::note("this host has no /dev/fuse for this user");
    }
    device.is_ok()
}

/// Returns how many ids a mapping of `/proc` has, which may be in several pieces.
pub fn ids_in(map: &str) -> u32 {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u32>().ok();
    map.lines().filter_map(count).sum()
}

/// Waits until `condition` holds, looking often; returns `false` if that takes longer than `limit`.
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
