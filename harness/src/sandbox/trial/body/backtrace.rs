//! The backtrace of a test that hangs, for people: the frames of the test, and a count of the rest.
//!
//! A reader looks for the line at which the test waits. Of forty frames that std, an async runtime
//! and this crate have between that line and the kernel, the reader needs none.
//!
//! std prints a backtrace and does not hand its frames out (`std::backtrace::Backtrace` has no
//! stable way to them), so frames are taken from the text. Nothing depends on that but what is
//! shown: a text of another shape is shown whole.

use std::fmt::Write;
use std::path::Path;

use snowglobe_text::counted;

/// Crates of this repository that are linked into a test.
const OURS: [&str; 4] = [
    "snowglobe",
    "snowglobe_kernel",
    "snowglobe_model",
    "snowglobe_fixtures",
];

/// Directories of the sources of those that run in the process of a test.
const OUR_SOURCES: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/src"),
    crate::kernel::SOURCES,
];

/// Crates of Rust's runtime and of the async runtime.
const RUNTIME: [&str; 5] = ["std", "core", "alloc", "tokio", "mio"];

/// The owner of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Test,
    Snowglobe,
    Runtime,
    OtherCrate,
}

/// Returns the frames of the test in a backtrace that std has printed, and how many others there
/// are. `is_file` tells whether there is a file of this name.
pub(super) fn of_test(trace: &str, is_file: impl Fn(&Path) -> bool) -> String {
    let frames = frames(trace);
    if frames.is_empty() {
        return trace.to_owned();
    }
    let owners: Vec<Owner> = frames.iter().map(|frame| owner(frame, &is_file)).collect();
    let count = |owner| owners.iter().filter(|it| **it == owner).count();
    let mut text = String::new();
    for (frame, _) in frames
        .iter()
        .zip(&owners)
        .filter(|(_, owner)| **owner == Owner::Test)
    {
        frame.iter().for_each(|line| text.extend([line, "\n"]));
    }
    // To write to a string does not fail.
    let _ = writeln!(
        text,
        "left out: {} of snowglobe, {} of the runtime, {} of other crates; RUST_BACKTRACE=full shows them",
        counted(count(Owner::Snowglobe), "frame"),
        count(Owner::Runtime),
        count(Owner::OtherCrate),
    );
    text
}

/// Returns the lines of each frame: its number and function, then its place.
fn frames(trace: &str) -> Vec<Vec<&str>> {
    let mut frames: Vec<Vec<&str>> = Vec::new();
    for line in trace.lines() {
        match frames.last_mut() {
            _ if function(line).is_some() => frames.push(vec![line]),
            Some(frame) => frame.push(line),
            // The line stands in front of the first frame.
            None => {}
        }
    }
    frames
}

/// Returns the function in the first line of a frame, as in `  12: net::waits`.
fn function(line: &str) -> Option<&str> {
    let (number, function) = line.trim_start().split_once(": ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(function)
}

fn owner(frame: &[&str], is_file: impl Fn(&Path) -> bool) -> Owner {
    let (first, places) = frame.split_first().unwrap_or((&"", &[]));
    let place = places.first().and_then(|place| file(place));
    match (crate_of(function(first).unwrap_or_default()), place) {
        (Some(name), _) if OURS.contains(&name) => Owner::Snowglobe,
        (Some(name), _) if RUNTIME.contains(&name) => Owner::Runtime,
        (_, Some(file)) => owner_of_file(file, is_file),
        // An inlined function goes by its bare name, but it has a place.
        (Some(_), None) => Owner::Test,
        (None, None) => Owner::Runtime,
    }
}

fn owner_of_file(file: &str, is_file: impl Fn(&Path) -> bool) -> Owner {
    let path = Path::new(file);
    if is_ours(path) {
        return Owner::Snowglobe;
    }
    // rustc replaces the directory of its own sources by this one (`remap-debuginfo`).
    if path.starts_with("/rustc") {
        return Owner::Runtime;
    }
    // Where cargo unpacks what it downloads: "The Cargo Book", "Cargo Home".
    if let Some((_, unpacked)) = file.split_once("/registry/src/") {
        let package = unpacked.split('/').nth(1).unwrap_or_default();
        let is_runtime = RUNTIME.iter().any(|name| {
            let version = package
                .strip_prefix(name)
                .and_then(|it| it.strip_prefix('-'));
            version.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        });
        return if is_runtime {
            Owner::Runtime
        } else {
            Owner::OtherCrate
        };
    }
    // The C library was built elsewhere, below a directory without a name.
    if path.extension().is_some_and(|kind| kind != "rs") && !is_file(path) {
        return Owner::Runtime;
    }
    Owner::Test
}

/// Returns whether a file is a source of this repository that runs in a test. std shows a file
/// below the working directory by its path from there.
fn is_ours(file: &Path) -> bool {
    let here = std::env::current_dir().unwrap_or_default();
    let file = here.join(file.strip_prefix(".").unwrap_or(file));
    OUR_SOURCES.iter().any(|dir| file.starts_with(dir))
}

/// Returns the crate of a function: that of the type for a method of a trait, which is named
/// `<net::Server as core::fmt::Display>::fmt`; nothing for a bare name.
fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let (first, _) = path.split_once("::")?;
    let is_name = first.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(first)
}

/// Returns the file in a place, as in `             at ./tests/net.rs:12:5`.
fn file(place: &str) -> Option<&str> {
    let place = place.trim_start().strip_prefix("at ")?;
    place.split(':').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "   0: snowglobe::sandbox::trial::body::run::write_down_where
             at ./harness/src/sandbox/trial/body/run.rs:90:17
   1: <signal trampoline>
   2: accept4
             at ./socket/../sysdeps/unix/sysv/linux/accept4.c:31:10
   3: <std::net::TcpListener as net::Accepts>::accept
             at /rustc/59807616e/library/std/src/net/tcp.rs:9:9
   4: waits
             at ./tests/net.rs:12:5
   5: <net::Server as core::ops::FnOnce<()>>::call_once
             at ./tests/net.rs:20:5
   6: serve
             at ./tests/serve.c:3
   7: {closure#0}<net::waits::{async_fn_env#0}>
             at /home/me/.cargo/registry/src/index/tokio-1.0.0/src/runtime/park.rs:1:1
   8: poll
             at /home/me/.cargo/registry/src/index/tokio-postgres-0.7.0/src/client.rs:1:1
   9: main
  10: test::unwraps
             at ./tests/test.rs:1:1
  11: test::run_test
             at /rustc/59807616e/library/test/src/lib.rs:1:1
  12: clone
             at ./misc/../sysdeps/unix/sysv/linux/x86_64/clone.S:100:0
";

    #[test]
    fn the_frames_of_the_test_are_left() {
        let expected = "   4: waits
             at ./tests/net.rs:12:5
   5: <net::Server as core::ops::FnOnce<()>>::call_once
             at ./tests/net.rs:20:5
   6: serve
             at ./tests/serve.c:3
  10: test::unwraps
             at ./tests/test.rs:1:1
left out: 1 frame of snowglobe, 7 of the runtime, 1 of other crates; RUST_BACKTRACE=full shows them
";
        assert_eq!(of_test(TRACE, |path| path.ends_with("serve.c")), expected);
    }

    #[test]
    fn a_bare_name_in_a_source_of_ours_is_ours() {
        let place = format!(
            "             at {}/src/x.rs:1:1",
            env!("CARGO_MANIFEST_DIR")
        );
        let frame = ["  1: enter<net::waits>", &place];
        assert_eq!(owner(&frame, |_| true), Owner::Snowglobe);
    }

    #[test]
    fn a_text_of_another_shape_is_shown_whole() {
        assert_eq!(of_test("no symbols here", |_| true), "no symbols here");
    }
}
