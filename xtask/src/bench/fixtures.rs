//! Fixtures against the tools that people would use otherwise.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use snowglobe_fixtures::unpack::{ArchiveKind, remove, unpack};
use snowglobe_fixtures::{Fixture, Workspace, provision};

use super::measure::{in_turns, time};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;

/// Fixture of thirty packages and some hundred files, which is provisioned if it is missing.
const SAMPLE: &str = "nginx";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Measures all rows of the fixtures.
pub(super) fn fixtures(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let text = |error: Box<dyn Error>| error.to_string();
    provision().map_err(text)?;
    rows.add("Fixture::find", find(rounds).map_err(text));
    for (packer, suffix) in [("--gzip", "gz"), ("--xz", "xz"), ("--zstd", "zst")] {
        let row = unpacking(rounds, packer, suffix).map_err(text);
        rows.add(&format!("unpacking a .tar.{suffix}"), row);
    }
    rows.add("verifying a store", verifying(rounds).map_err(text));
    Ok(())
}

fn provision() -> Result<()> {
    let options = provision::ProvisionOptions {
        names: vec![SAMPLE.to_owned()],
        ..Default::default()
    };
    provision::provision(&Workspace::locate()?, &options)?;
    Ok(())
}

/// Measures `Fixture::find` against the millisecond that it may take.
fn find(rounds: usize) -> Result<BenchRow> {
    const FINDS: u32 = 200;
    let ours = || {
        let started = Instant::now();
        for _ in 0..FINDS {
            Fixture::find(SAMPLE).map_err(|error| error.to_string())?;
        }
        Ok(milliseconds(started) / f64::from(FINDS))
    };
    let name = "Fixture::find; a millisecond";
    compare(rounds, name, 1.0, Box::new(ours), Box::new(|| Ok(1.0)))
}

/// Measures unpacking, with all its checks and hashes, against `tar` on the same disk.
fn unpacking(rounds: usize, packer: &str, suffix: &str) -> Result<BenchRow> {
    let fixture = Fixture::find(SAMPLE)?;
    let scratch = BenchDirectory::new(fixture.store())?;
    let archive = scratch.0.join(format!("archive.tar.{suffix}"));
    let mut tar = Command::new("tar");
    tar.arg(packer)
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(fixture.path())
        .arg(".");
    time(&mut tar)?;
    let tree = scratch.0.join("tree");
    let ours = || {
        let started = Instant::now();
        unpack(&archive, &tree, ArchiveKind::Layer).map_err(|error| error.to_string())?;
        let took = milliseconds(started);
        remove(&tree).map_err(|error| error.to_string())?;
        Ok(took)
    };
    let theirs = || {
        fs::create_dir(&tree).map_err(|error| error.to_string())?;
        let took = time(
            Command::new("tar")
                .arg("-xf")
                .arg(&archive)
                .arg("-C")
                .arg(&tree),
        )?;
        remove(&tree).map_err(|error| error.to_string())?;
        Ok(took)
    };
    let name = format!("unpacking a .tar.{suffix}; tar");
    compare(rounds, &name, 1.2, Box::new(ours), Box::new(theirs))
}

/// Measures verifying a store against `sha256sum` on the same files, with as many threads.
fn verifying(rounds: usize) -> Result<BenchRow> {
    let fixture = Fixture::find(SAMPLE)?;
    let manifest = Workspace::locate()?.manifest().to_owned();
    let workspace = Workspace::at(manifest).with_store(fixture.store().to_owned());
    let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
    regular_files(&fixture.store().join("v1/trees"), &mut files, &mut seen)?;
    let list = files
        .iter()
        .flat_map(|f| [f.as_os_str().as_encoded_bytes(), b"\0"].concat());
    let scratch = BenchDirectory::new(fixture.store())?;
    let names = scratch.0.join("names");
    fs::write(&names, list.collect::<Vec<u8>>())?;
    let threads = std::thread::available_parallelism()?.to_string();
    let ours = || {
        let started = Instant::now();
        let report = provision::verify(&workspace).map_err(|error| error.to_string())?;
        let took = milliseconds(started);
        report
            .quarantined
            .first()
            .map_or(Ok(took), |wrong| Err(wrong.clone()))
    };
    let theirs = || {
        let mut xargs = Command::new("xargs");
        xargs
            .args(["-0", "-n", "64", "-P", &threads, "-a"])
            .arg(&names)
            .arg("sha256sum");
        time(&mut xargs)
    };
    let name = "verifying the store; sha256sum";
    compare(rounds, name, 1.3, Box::new(ours), Box::new(theirs))
}

/// A contestant, as `measure` takes them.
type Contestant<'a> = super::measure::Contestant<'a>;

fn compare(
    rounds: usize,
    name: &str,
    at_most: f64,
    ours: Contestant<'_>,
    other: Contestant<'_>,
) -> Result<BenchRow> {
    let medians = in_turns(rounds, &mut [ours, other])?;
    Ok(BenchRow {
        group: "fixtures",
        name: name.to_owned(),
        unit: "ms",
        ours: medians[0],
        other: medians[1],
        target: Target::AtMost(at_most),
    })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Returns every regular file once, whatever its number of names.
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

/// A directory on the store's own disk, removed with its owner.
struct BenchDirectory(PathBuf);

impl BenchDirectory {
    fn new(store: &Path) -> Result<Self> {
        let scratch = Self(store.join(format!("bench.{}", std::process::id())));
        fs::create_dir(&scratch.0)?;
        Ok(scratch)
    }
}

impl Drop for BenchDirectory {
    fn drop(&mut self) {
        // A failure does no harm, for the next run uses another name.
        let _ = remove(&self.0);
    }
}
