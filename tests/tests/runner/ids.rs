//! A run has an ordinary user's own ids, and those that `/etc/subuid` gives to the user, as far as
//! they can be mapped.
//!
//! The trial's root plays the programs that are setuid on a host, and one of its ids the user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use snowglobe::TestResult;
use snowglobe_tests::{Run, finished, program_at};

const USER: u32 = 1000;
/// A line of `/etc/subuid` that gives the user a range of ids.
const SOME: &str = "1000:20000:10000\n";

fn shell(line: &str) -> TestResult {
    let status = Command::new("sh").args(["-ec", line]).status()?;
    assert!(status.success(), "{line}");
    Ok(())
}

/// Writes a program that everybody may run.
fn program(name: &str, text: &str) -> TestResult {
    let path = Path::new("/tmp/bin").join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Writes a `newuidmap` or `newgidmap` that lets a thread of the test do its work, for that is
/// privileged.
fn maps(name: &str, file: &'static str) -> TestResult {
    let [asked, done] = ["asked", "done"].map(|what| format!("/tmp/{name}.{what}"));
    shell(&format!("mkfifo -m 666 {asked} {done}"))?;
    program(name, &format!("echo $* > {asked}\nread answer < {done}"))?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let words = fs::read_to_string(asked)?;
        let words: Vec<&str> = words.split_whitespace().collect();
        let extents: Vec<String> = words[1..].chunks(3).map(|three| three.join(" ")).collect();
        let map = format!("/proc/{}/{file}", words[0]);
        fs::write(map, extents.join("\n") + "\n")?;
        fs::write(done, "yes\n")
    });
    Ok(())
}

fn refuses(name: &str) -> TestResult {
    program(name, "echo \"not for $2\" >&2\nexit 1")
}

/// Runs a trial as the user, on a host with these files and these programs.
fn run(subuid: &str, subgid: &str, helpers: impl FnOnce() -> TestResult) -> TestResult<Run> {
    for dir in ["/tmp/bin", "/tmp/etc"] {
        fs::create_dir(dir)?;
    }
    fs::write("/tmp/etc/subuid", subuid)?;
    fs::write("/tmp/etc/subgid", subgid)?;
    shell(
        "for file in ld.so.cache localtime; do [ ! -e /etc/$file ] || cp -L /etc/$file /tmp/etc; done
         mount --bind /tmp/etc /etc",
    )?;
    helpers()?;
    // The user may not be let into the directory in which this program lies.
    fs::copy(std::env::current_exe()?, "/tmp/bin/run")?;
    let path = std::env::var("PATH")?;
    let output = program_at(Path::new("/tmp/bin/run"))
        .args(["--exact", "samples::passes", "--ignored"])
        .env("PATH", format!("/tmp/bin:{path}"))
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()?;
    Ok(finished(output))
}

#[snowglobe::test(nested, requires(id_range))]
fn what_belongs_to_an_ordinary_user_is_mapped() -> TestResult {
    let run = run(SOME, SOME, || {
        maps("newuidmap", "uid_map")?;
        maps("newgidmap", "gid_map")
    })?;
    run.passed_with(&["uid 1000 outside, and 10001 ids are mapped", "1 passed"]);
    Ok(())
}

const FEWER: &str = "its root is uid 1000 outside\nnote: one id is mapped instead of 10001: ";

/// A mapping can be written once: a user who got half of the ids can have no others.
#[snowglobe::test(nested, requires(id_range))]
fn where_users_are_mapped_and_groups_are_not_there_is_one_id() -> TestResult {
    let run = run(SOME, SOME, || {
        maps("newuidmap", "uid_map")?;
        refuses("newgidmap")
    })?;
    run.passed_with(&[FEWER, "newgidmap: not for 0", "1 passed"]);
    Ok(())
}

#[snowglobe::test(nested, requires(id_range))]
fn where_groups_are_mapped_and_users_are_not_there_is_one_id() -> TestResult {
    let run = run(SOME, SOME, || {
        refuses("newuidmap")?;
        maps("newgidmap", "gid_map")
    })?;
    run.passed_with(&[FEWER, "newuidmap: not for 0", "1 passed"]);
    Ok(())
}

#[snowglobe::test(nested, requires(id_range))]
fn where_only_users_belong_to_a_user_nobody_is_asked() -> TestResult {
    let run = run(SOME, "", || {
        refuses("newuidmap")?;
        refuses("newgidmap")
    })?;
    run.passed_with(&["its root is uid 1000 outside\n", "1 passed"]);
    assert!(!run.stdout.contains("note:"), "{}", run.stdout);
    Ok(())
}

#[snowglobe::test(nested, requires(id_range))]
fn where_only_groups_belong_to_a_user_nobody_is_asked() -> TestResult {
    // A range may be empty, too.
    let run = run("1000:20000:0\n", SOME, || {
        refuses("newuidmap")?;
        refuses("newgidmap")
    })?;
    run.passed_with(&["its root is uid 1000 outside\n", "1 passed"]);
    assert!(!run.stdout.contains("note:"), "{}", run.stdout);
    Ok(())
}
