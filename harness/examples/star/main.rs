//! A star of N nodes: hand-written netlink against the layer of `src/kernel/netlink/`.
//!
//! Run as root; everything happens in network namespaces of its own threads.
//! `star floor|layer N RUNS` prints one line per run: namespaces, build, total (ms), first connect (ms).
#![allow(unsafe_code, missing_docs, unreachable_pub)]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

mod floor;
mod world;

use world::World;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [contestants, nodes, runs] = &arguments[..] else {
        return Err(io::Error::other("usage: star floor,layer N RUNS"));
    };
    let (nodes, runs): (usize, usize) = (nodes.parse().unwrap(), runs.parse().unwrap());
    for _ in 0..runs {
        for contestant in contestants.split(',') {
            let contestant = contestant.to_owned();
            std::thread::spawn(move || run(&contestant, nodes)).join().unwrap()?;
        }
    }
    Ok(())
}

fn system_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let cpu: Vec<u64> = stat.lines().next().unwrap().split_whitespace().skip(1).map(|field| field.parse().unwrap()).collect();
    cpu[2] + cpu[5] + cpu[6]
}

fn run(contestant: &str, nodes: usize) -> io::Result<()> {
    let ticks = system_ticks();
    let start = Instant::now();
    let world = World::new(nodes)?;
    let namespaces = start.elapsed();
    let begin = Instant::now();
    match contestant {
        "floor" => floor::build(&world)?,
        other => return Err(io::Error::other(format!("unknown contestant {other}"))),
    }
    let build = begin.elapsed();
    let total = start.elapsed();
    let cost = system_ticks() - ticks;
    let first = if nodes >= 2 { first_connect(&world)? } else { Duration::ZERO };
    let after = if std::env::var_os("AFTER").is_some() {
        let ticks = system_ticks();
        std::thread::sleep(Duration::from_secs(6));
        system_ticks() - ticks
    } else {
        0
    };
    drop(world);
    let quiet = quiet();
    println!(
        "{contestant:8} n={nodes} namespaces={:.2} build={:.2} total={:.2} first={:.3} ticks={cost} after={after} quiet={:.1}",
        ms(namespaces), ms(build), ms(total), ms(first), ms(quiet)
    );
    Ok(())
}

/// The first packets of a fresh star: one TCP connection between its first and last node.
fn first_connect(world: &World) -> io::Result<Duration> {
    world.enter(world.nodes.len() - 1)?;
    let listener = TcpListener::bind("0.0.0.0:80")?;
    world.enter(0)?;
    let address = SocketAddr::from((world.addresses[world.nodes.len() - 1].v4, 80));
    let start = Instant::now();
    let _client = TcpStream::connect(address)?;
    let elapsed = start.elapsed();
    drop(listener);
    world.enter_hub()?;
    Ok(elapsed)
}

/// Waits until the kernel has destroyed what was dropped: creation waits for destruction.
fn quiet() -> Duration {
    let start = Instant::now();
    let count = || {
        let slab = std::fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        slab.lines().find(|line| line.starts_with("net_namespace")).map_or(0, |line| {
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        })
    };
    std::thread::sleep(Duration::from_millis(20));
    let mut last = count();
    let mut same = 0;
    while same < 10 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    start.elapsed()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
