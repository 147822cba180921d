//! Measures what a volume with faults costs, beside a plain volume and a directory of this
//! machine's disk. Each trial prints its figures, one a line, as `name value`.

use std::fs::File;
use std::time::Instant;

use snowglobe::prelude::*;

/// Bytes of a buffered file: less than what the kernel lets a FUSE filesystem have in its cache
/// before it slows writers down, as on any disk.
const FILE: usize = 32 << 20;

/// Number of syncs of which the median is taken.
const SYNCS: usize = 201;

/// Returns a lab with a plain volume at `/tmp/plain`, a volume with faults at `/tmp/faults`, and a
/// directory of the machine's disk at `/tmp/disk`.
fn lab() -> TestResult<(Lab, tempfile::TempDir)> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut topology = Topology::new();
    topology.node(
        NodeSpec::new("db")
            .volume("/tmp/plain", Volume::named("plain"))
            .volume("/tmp/faults", Volume::named("faults").with_faults())
            .bind("/tmp/disk", dir.path()),
    );
    Ok((topology.start()?, dir))
}

/// Measures buffered writes in MB/s, the best of five files.
#[snowglobe::test(timeout = "120s")]
fn buffered() -> TestResult {
    let (lab, _dir) = lab()?;
    let node = lab.node("db").ok_or("no node")?;
    for size in [8 << 10, 128 << 10] {
        for volume in ["plain", "faults"] {
            let mut best = 0.0f64;
            for number in 0..5 {
                let path = format!("/tmp/{volume}/{number}");
                let rate = node.run(|| write(&path, size))?;
                best = best.max(rate);
                // The next file does not compete with the end of this one.
                node.run(|| File::open(&path)?.sync_all())?;
                node.run(|| std::fs::remove_file(&path))?;
            }
            println!("{volume}{} {best}", size >> 10);
        }
    }
    Ok(())
}

fn write(path: &str, size: usize) -> std::io::Result<f64> {
    let bytes = vec![7; size];
    let mut file = File::create(path)?;
    let begin = Instant::now();
    for _ in 0..FILE / size {
        file.write_all(&bytes)?;
    }
    Ok(FILE as f64 / 1e6 / begin.elapsed().as_secs_f64())
}

/// Measures a write of 8 KiB with its sync, in microseconds.
#[snowglobe::test(timeout = "120s")]
fn synced() -> TestResult {
    let (lab, _dir) = lab()?;
    let node = lab.node("db").ok_or("no node")?;
    for volume in ["plain", "faults", "disk"] {
        let path = format!("/tmp/{volume}/log");
        println!("{volume} {}", node.run(|| sync(&path))?);
    }
    Ok(())
}

fn sync(path: &str) -> std::io::Result<f64> {
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begin = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[SYNCS / 2])
}

snowglobe::main!();
