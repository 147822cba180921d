//! The `deb` source must work on machines of two distributions: nodes have the `os-release` and the
//! package sources of each. Their mirrors are made here, and trusted without a signature because
//! their `sources.list` says so.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use snowglobe::Lab;
use snowglobe::lab::Output;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// A release of a distribution: its `ID`, its `VERSION_ID`, its code name.
type Release = (&'static str, &'static str, &'static str);

const DEBIAN: Release = ("debian", "12", "bookworm");
const UBUNTU: Release = ("ubuntu", "24.04", "noble");

/// Makes a Debian archive with the given content.
fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let (length, padding) = (content.len(), content.len() % 2);
        let header = format!(
            "{name:<16}{0:<12}{0:<6}{0:<6}{mode:<8}{length:<10}`\n",
            0,
            mode = "100644"
        );
        archive.extend(header.as_bytes());
        archive.extend(*content);
        archive.extend(&b"\n"[..padding]);
    }
    archive
}

fn tar(name: &str, text: &str) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, name, text.as_bytes())?;
    tar.into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a mirror offer this version of `hello`, and no other.
fn publish(mirror: &Path, (_, _, suite): Release, version: &str) -> TestResult {
    let _ = fs::remove_dir_all(mirror);
    let about = format!(
        "Package: hello\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@test>\nDescription: t\n"
    );
    let script = format!("#!/bin/sh\necho {version}\n");
    let (control, data) = (tar("./control", &about)?, tar("./usr/bin/hello", &script)?);
    let package = ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &control),
        ("data.tar", &data),
    ]);
    let pool = format!("pool/main/h/hello/hello_{version}_all.deb");
    let size = package.len();
    let index = format!(
        "{about}Filename: {pool}\nSize: {size}\nSHA256: {}\n\n",
        sha256(&package)
    );
    let mut release = format!(
        "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: all amd64 arm64\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
    );
    let write = |name: &str, content: &[u8]| {
        let path = mirror.join(name);
        fs::create_dir_all(path.parent().unwrap_or(mirror))?;
        fs::write(path, content)
    };
    write(&pool, &package)?;
    for architecture in ["amd64", "arm64"] {
        let name = format!("main/binary-{architecture}/Packages");
        write(&format!("dists/{suite}/{name}"), index.as_bytes())?;
        release += &format!(" {} {} {name}\n", sha256(index.as_bytes()), index.len());
    }
    write(&format!("dists/{suite}/Release"), release.as_bytes())?;
    Ok(())
}

/// A checkout on two machines, each with a mirror of its own distribution.
struct Checkout {
    lab: Lab,
    debian: NodeId,
    ubuntu: NodeId,
    dir: tempfile::TempDir,
}

impl Checkout {
    fn new(options: &str) -> TestResult<Self> {
        let dir = snowglobe_tests::shared_dir();
        fs::write(
            dir.path().join("fixtures.toml"),
            "[hello.deb]\npackages = [\"hello\"]\n",
        )?;
        let mut topology = Topology::new();
        let mut machine = |release: Release| -> TestResult<NodeId> {
            let (id, number, suite) = release;
            let (mirror, etc) = (dir.path().join(id), dir.path().join(format!("etc-{id}")));
            fs::create_dir_all(etc.join("apt"))?;
            publish(&mirror, release, "1.0")?;
            let (sources, about) = (etc.join("apt/sources.list"), etc.join("os-release"));
            fs::write(
                sources,
                format!("deb {options} file:{} {suite} main\n", mirror.display()),
            )?;
            fs::write(
                &about,
                format!("ID={id}\nVERSION_ID=\"{number}\"\nVERSION_CODENAME={suite}\n"),
            )?;
            Ok(topology.node(
                NodeSpec::new(id)
                    .bind_read_only("/etc/apt", etc.join("apt"))
                    .bind_read_only("/usr/lib/os-release", about),
            ))
        };
        let (debian, ubuntu) = (machine(DEBIAN)?, machine(UBUNTU)?);
        topology.link(debian, ubuntu);
        let lab = topology.start()?;
        Ok(Self {
            lab,
            debian,
            ubuntu,
            dir,
        })
    }

    /// Runs `cargo xtask provision` with these words, on a machine, with a store of this name.
    fn provision(&self, on: NodeId, store: &str, words: &str) -> TestResult<Output> {
        let mut command = self.lab[on].command_like(&snowglobe_tests::this_program());
        command.env(crate::PROVISION, words);
        command.env("SNOWGLOBE_FIXTURES", self.dir.path().join("fixtures.toml"));
        command.env("SNOWGLOBE_STORE", self.dir.path().join(store));
        Ok(command.output()?)
    }

    fn lock(&self) -> std::io::Result<String> {
        fs::read_to_string(self.dir.path().join("fixtures.lock"))
    }

    /// Makes a machine's mirror offer another version in place of the first.
    fn publish(&self, release: Release, version: &str) -> TestResult {
        publish(&self.dir.path().join(release.0), release, version)
    }
}

/// Returns the parts of a lock that are about a platform.
fn about<'a>(lock: &'a str, platform: &str) -> Vec<&'a str> {
    let named = format!("platform = \"{platform}\"");
    let sections = lock.split("\n[[");
    sections
        .filter(|section| section.contains(&named))
        .collect()
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", output.stderr_str());
}

#[track_caller]
pub(crate) fn failed_with(output: &Output, parts: &[&str]) {
    let said = output.stderr_str();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[snowglobe::test]
fn a_release_that_the_lock_does_not_know_is_named_and_added_beside_the_others() -> TestResult {
    let checkout = Checkout::new("[trusted=yes]")?;
    succeeded(&checkout.provision(checkout.debian, "store", "")?);
    let before = checkout.lock()?;
    let ubuntu = |words| checkout.provision(checkout.ubuntu, "store", words);
    let command = "run `cargo xtask provision` without --locked and commit the lock";
    failed_with(&ubuntu("--locked")?, &["hello", "ubuntu-24.04-", command]);
    failed_with(&ubuntu("--check")?, &["run `cargo xtask provision hello`"]);
    let new = format!(
        "has no entry for ubuntu-24.04-{} yet",
        std::env::consts::ARCH
    );
    failed_with(&ubuntu("--offline")?, &[&new, "--offline forbids"]);
    assert_eq!(checkout.lock()?, before);

    let done = ubuntu("--update")?;
    succeeded(&done);
    assert!(
        done.stderr_str().contains("hello on ubuntu-24.04-"),
        "{done:?}"
    );
    let after = checkout.lock()?;
    let [debian, ubuntu_now] = ["debian-12", "ubuntu-24.04"]
        .map(|release| about(&after, &format!("{release}-{}", std::env::consts::ARCH)));
    // These are the fixture and its package.
    assert_eq!((debian.len(), ubuntu_now.len()), (2, 2), "{after}");
    assert!(
        debian
            .iter()
            .all(|section| before.contains(section.trim_end())),
        "{after}"
    );
    for on in [checkout.debian, checkout.ubuntu] {
        succeeded(&checkout.provision(on, "store", "--locked --offline")?);
    }
    Ok(())
}

#[snowglobe::test]
fn a_version_that_has_left_the_mirror_is_refreshed_by_one_command_which_says_so() -> TestResult {
    let checkout = Checkout::new("[trusted=yes]")?;
    for on in [checkout.debian, checkout.ubuntu] {
        succeeded(&checkout.provision(on, "store", "")?);
    }
    checkout.publish(UBUNTU, "1.1")?;
    // A store that has the old version keeps it.
    succeeded(&checkout.provision(checkout.ubuntu, "store", "--locked")?);
    let before = checkout.lock()?;
    let fresh = |on, words| checkout.provision(on, "fresh", words);
    let gone = "a pinned version has left the package sources";
    let command = "run `cargo xtask provision --update hello` and commit the lock";
    failed_with(
        &fresh(checkout.ubuntu, "--locked")?,
        &[gone, "'1.0' for 'hello'", command],
    );
    assert_eq!(checkout.lock()?, before);

    let done = fresh(checkout.ubuntu, "")?;
    succeeded(&done);
    let said = done.stderr_str();
    assert!(
        said.contains(gone) && said.contains("hello on ubuntu-24.04-"),
        "{said}"
    );
    let after = checkout.lock()?;
    let debian = format!("debian-12-{}", std::env::consts::ARCH);
    assert_eq!(
        about(&after, &debian).concat().trim_end(),
        about(&before, &debian).concat().trim_end()
    );
    let ubuntu = about(&after, &format!("ubuntu-24.04-{}", std::env::consts::ARCH)).concat();
    assert!(
        ubuntu.contains("\"1.1\"") && !ubuntu.contains("\"1.0\""),
        "{ubuntu}"
    );
    // Debian's mirror still has the pinned version.
    succeeded(&fresh(checkout.debian, "--locked")?);
    Ok(())
}

#[snowglobe::test]
fn another_package_under_a_pinned_version_is_refused() -> TestResult {
    let checkout = Checkout::new("[trusted=yes]")?;
    succeeded(&checkout.provision(checkout.debian, "store", "")?);
    let lock = checkout.dir.path().join("fixtures.lock");
    let text = checkout.lock()?;
    let at = text.find("sha256 = \"").ok_or("a hash")? + "sha256 = \"".len();
    let forged = format!("{}{}{}", &text[..at], "ab".repeat(32), &text[at + 64..]);
    fs::write(lock, &forged)?;
    let words = ["", "--locked"];
    for words in words {
        let refused = checkout.provision(checkout.debian, "fresh", words)?;
        failed_with(
            &refused,
            &["another `hello` 1.0 than the lock pins", "--update hello"],
        );
    }
    assert_eq!(checkout.lock()?, forged);
    Ok(())
}

#[snowglobe::test]
fn an_index_that_nobody_signed_is_no_index() -> TestResult {
    let checkout = Checkout::new("")?;
    let own = checkout.provision(checkout.ubuntu, "store", "")?;
    failed_with(&own, &["cannot fetch the package index", "is not signed"]);
    let mirror = format!(
        "--mirror file://{}",
        checkout.dir.path().join("ubuntu").display()
    );
    let given = checkout.provision(checkout.ubuntu, "store", &mirror)?;
    failed_with(&given, &["cannot fetch the package index", "is not signed"]);
    assert!(!checkout.dir.path().join("fixtures.lock").exists());
    Ok(())
}
