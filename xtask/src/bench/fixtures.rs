//! Fixtures against the tools that people would use otherwise.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use snowglobe_fixtures::unpack::{Kind, remove, unpack};
use snowglobe_fixtures::{Fixture, Workspace, provision};

/// One figure: ours, the other's, their ratio and what it may be at most.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: Duration,
    pub(crate) other: Duration,
    pub(crate) ratio: f64,
    pub(crate) target: f64,
}

/// Odd, so that there is one in the middle.
const ROUNDS: usize = 5;

/// A fixture of thirty packages and some hundred files; provisioned if it is not there.
const SAMPLE: &str = "nginx";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// All figures of the fixtures.
pub(crate) fn rows() -> Result<Vec<Row>> {
    let options = provision::Options {
        names: vec![SAMPLE.to_owned()],
        ..Default::default()
    };
    provision::provision(&Workspace::locate()?, &options)?;
    let mut rows = vec![find()?];
    for (packer, suffix) in [("--gzip", "gz"), ("--xz", "xz"), ("--zstd", "zst")] {
        rows.push(unpacking(packer, suffix)?);
    }
    rows.push(verifying()?);
    Ok(rows)
}

/// `Fixture::find` against the millisecond that it may take.
fn find() -> Result<Row> {
    const FINDS: u32 = 200;
    const MILLISECOND: Duration = Duration::from_millis(1);
    let once = || -> Result<Duration> {
        let started = Instant::now();
        for _ in 0..FINDS {
            Fixture::find(SAMPLE)?;
        }
        Ok(started.elapsed() / FINDS)
    };
    let (ours, other) = interleaved(once, || Ok(MILLISECOND))?;
    Ok(row("Fixture::find, against 1 ms", ours, other, 1.0))
}

/// Unpacking, with all its checks and hashes, against `tar` on the same disk.
fn unpacking(packer: &str, suffix: &str) -> Result<Row> {
    let fixture = Fixture::find(SAMPLE)?;
    let scratch = Scratch::new(fixture.store())?;
    let archive = scratch.0.join(format!("archive.tar.{suffix}"));
    let mut tar = Command::new("tar");
    tar.arg(packer)
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(fixture.path())
        .arg(".");
    run(&mut tar)?;
    let tree = scratch.0.join("tree");
    let ours = || -> Result<Duration> {
        let started = Instant::now();
        unpack(&archive, &tree, Kind::Layer)?;
        let took = started.elapsed();
        remove(&tree)?;
        Ok(took)
    };
    let theirs = || -> Result<Duration> {
        let started = Instant::now();
        fs::create_dir(&tree)?;
        run(Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(&tree))?;
        let took = started.elapsed();
        remove(&tree)?;
        Ok(took)
    };
    let (ours, other) = interleaved(ours, theirs)?;
    Ok(row(
        &format!("unpack .tar.{suffix}, against tar"),
        ours,
        other,
        1.2,
    ))
}

/// Verifying a store against `sha256sum` on the same files, with as many threads.
fn verifying() -> Result<Row> {
    let workspace = Workspace::locate()?;
    let stores = workspace.stores();
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for store in stores
        .iter()
        .map(|store| store.join("v1/trees"))
        .filter(|trees| trees.is_dir())
    {
        regular_files(&store, &mut files, &mut seen)?;
    }
    let list = files
        .iter()
        .flat_map(|f| [f.as_os_str().as_encoded_bytes(), b"\0"].concat());
    let scratch = Scratch::new(Fixture::find(SAMPLE)?.store())?;
    let names = scratch.0.join("names");
    fs::write(&names, list.collect::<Vec<u8>>())?;
    let threads = std::thread::available_parallelism()?.to_string();
    let ours = || -> Result<Duration> {
        let started = Instant::now();
        let report = provision::verify(&workspace)?;
        let took = started.elapsed();
        match report.quarantined.first() {
            Some(wrong) => Err(wrong.clone().into()),
            None => Ok(took),
        }
    };
    let theirs = || -> Result<Duration> {
        let started = Instant::now();
        let mut xargs = Command::new("xargs");
        xargs
            .args(["-0", "-n", "64", "-P", &threads, "-a"])
            .arg(&names)
            .arg("sha256sum");
        run(xargs.stdout(Stdio::null()))?;
        Ok(started.elapsed())
    };
    let (ours, other) = interleaved(ours, theirs)?;
    Ok(row("verify the store, against sha256sum", ours, other, 1.3))
}

/// Every regular file once, whatever its number of names.
fn regular_files(
    top: &Path,
    files: &mut Vec<PathBuf>,
    seen: &mut BTreeSet<(u64, u64)>,
) -> Result<()> {
    let mut pending = vec![top.to_owned()];
    while let Some(directory) = pending.pop() {
        for found in fs::read_dir(directory)? {
            let (found, path) = match found {
                Ok(found) => (found.metadata()?, found.path()),
                Err(error) => return Err(error.into()),
            };
            if found.is_dir() {
                pending.push(path);
            } else if found.is_file() && seen.insert((found.dev(), found.ino())) {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The medians of rounds that alternate, so that a busy moment meets both.
fn interleaved(
    mut ours: impl FnMut() -> Result<Duration>,
    mut theirs: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    ours()?; // the first of each finds a cold cache
    theirs()?;
    for _ in 0..ROUNDS {
        first.push(ours()?);
        second.push(theirs()?);
    }
    first.sort();
    second.sort();
    Ok((first[ROUNDS / 2], second[ROUNDS / 2]))
}

fn row(name: &str, ours: Duration, other: Duration, target: f64) -> Row {
    let ratio = ours.as_secs_f64() / other.as_secs_f64();
    Row {
        name: name.to_owned(),
        ours,
        other,
        ratio,
        target,
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

/// A directory on the store's own disk, gone with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(store: &Path) -> Result<Scratch> {
        let scratch = Scratch(store.join(format!("bench.{}", std::process::id())));
        fs::create_dir(&scratch.0)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to be done about a failure, and the next run uses another name.
        let _ = remove(&self.0);
    }
}
