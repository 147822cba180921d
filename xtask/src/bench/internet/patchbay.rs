//! The start of two homes, a data centre and a server, beside patchbay with the same.
//!
//! patchbay is no dependency of this repository: it is built for this comparison alone, in a
//! project of its own. It runs the program `nft`, which comes from a fixture where the machine has
//! none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use snowglobe_fixtures::{Fixture, Workspace, provision};

use super::Bench;
use super::compared;
use crate::bench::measure::{Contestant, in_turns, said};
use crate::bench::row::{BenchRow, Target};
use crate::cargo::artifacts;

/// The project that starts a lab of patchbay, a workspace of its own.
const MANIFEST: &str = r#"[package]
name = "beside-patchbay"
version = "0.1.0"
edition = "2024"

[dependencies]
patchbay = "=0.7.0"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

[workspace]
"#;

/// A program that makes what patchbay's own example makes (`examples/simple.rs` there), with as
/// many homes as asked for, and tells how long that takes.
const PROGRAM: &str = r#"use std::error::Error;
use std::time::Instant;

use patchbay::{Lab, RouterPreset};

fn main() -> Result<(), Box<dyn Error>> {
    // The namespace is made before any thread is started: only then may a process make a user
    // namespace.
    patchbay::init_userns()?;
    start()
}

#[tokio::main]
async fn start() -> Result<(), Box<dyn Error>> {
    let homes: usize = std::env::var("HOMES")?.parse()?;
    let begin = Instant::now();
    let lab = Lab::new().await?;
    let centre = lab.add_router("dc").preset(RouterPreset::Public).build().await?;
    lab.add_device("server").iface("eth0", centre.id()).build().await?;
    for home in 0..homes {
        let name = format!("home-{home}");
        let router = lab.add_router(&name).preset(RouterPreset::Home).build().await?;
        let name = format!("host-{home}");
        lab.add_device(&name).iface("eth0", router.id()).build().await?;
    }
    println!("start {}", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
"#;

/// Fixture with the program `nft`.
const NFTABLES: &str = "nftables";

/// Measures our start against patchbay's. Leaves the row out where patchbay cannot be built or does
/// not start, and says why.
pub(super) fn row(bench: &Bench) -> Option<BenchRow> {
    let measured = build(&bench.program).and_then(|theirs| compare(bench, &theirs));
    measured
        .map_err(|why| eprintln!("note: the row of patchbay is left out: {why}"))
        .ok()
}

fn compare(bench: &Bench, theirs: &Peer) -> Result<BenchRow, String> {
    let ours = || said(&mut bench.homes_of("homes_and_centre", 2), "start");
    let other = || said(&mut theirs.command(), "start");
    let mut contestants: [Contestant<'_>; 2] = [Box::new(ours), Box::new(other)];
    let medians = in_turns(bench.rounds, &mut contestants)?;
    Ok(BenchRow {
        name: "start of two homes, a centre and a server vs patchbay".to_owned(),
        unit: "ms",
        target: Target::AtMost(0.1),
        ..compared(medians[0], medians[1])
    })
}

/// The program of patchbay, and where it finds `nft`.
struct Peer {
    program: PathBuf,
    /// The command that runs the `nft` of the fixture, where the machine has none.
    nft: Option<Command>,
}

impl Peer {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOMES", "2");
        if let Some(nft) = &self.nft {
            let programs = Path::new(nft.get_program()).parent();
            let programs = programs.unwrap_or(Path::new("/")).display();
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{programs}:{path}"));
            // With these the program finds its libraries.
            let own = nft.get_envs();
            command.envs(own.filter_map(|(name, value)| Some((name, value?))));
        }
        command
    }
}

/// Builds the program beside one of our benchmarks.
fn build(beside: &Path) -> Result<Peer, String> {
    let project = beside.with_file_name("beside-patchbay");
    let text = |error: io::Error| format!("cannot write to {}: {error}", project.display());
    fs::create_dir_all(project.join("src")).map_err(text)?;
    fs::write(project.join("Cargo.toml"), MANIFEST).map_err(text)?;
    fs::write(project.join("src/main.rs"), PROGRAM).map_err(text)?;
    let manifest = project.join("Cargo.toml");
    let target = project.join("target");
    let [manifest, target] = [&manifest, &target].map(|path| path.display().to_string());
    let built = artifacts(&[
        "build",
        "--release",
        "--quiet",
        "--manifest-path",
        &manifest,
        "--target-dir",
        &target,
    ])?;
    let built = built.into_iter().find(|it| it.name == "beside-patchbay");
    Ok(Peer {
        program: built.ok_or("cargo built no program")?.program,
        nft: nft()?,
    })
}

/// Returns the command that runs the `nft` of the fixture; nothing where the machine has its own.
fn nft() -> Result<Option<Command>, String> {
    if Command::new("nft").arg("--version").output().is_ok() {
        return Ok(None);
    }
    let options = provision::ProvisionOptions {
        names: vec![NFTABLES.to_owned()],
        ..Default::default()
    };
    let workspace = Workspace::locate().map_err(|error| error.to_string())?;
    provision::provision(&workspace, &options).map_err(|error| error.to_string())?;
    let nft = Fixture::find(NFTABLES).and_then(|it| it.command("nft"));
    nft.map(Some).map_err(|error| error.to_string())
}
