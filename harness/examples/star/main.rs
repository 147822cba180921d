//! A star of N nodes: hand-written netlink against the layer of `src/kernel/netlink/`.
//!
//! Run as root; everything happens in network namespaces of its own threads.
//! `star floor,layer N RUNS` prints one line per run: namespaces, build, total (ms), and the time of the first TCP
//! connection by IPv4, IPv6 and link-local address. `AFTER=1` adds the system CPU (ticks of 10 ms) of the six seconds after.
#![allow(unsafe_code, missing_docs, unreachable_pub)]

use std::io;
use std::net::{SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::time::{Duration, Instant};

mod floor;
mod kernel;
mod layer;
mod world;

use world::World;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [contestants, nodes, runs] = &arguments[..] else {
        return Err(io::Error::other("usage: star floor,layer N RUNS"));
    };
    let (nodes, runs): (usize, usize) = (nodes.parse().unwrap(), runs.parse().unwrap());
    let mut contestants: Vec<&str> = contestants.split(',').collect();
    for _ in 0..runs {
        contestants.rotate_left(1);
        for contestant in &contestants {
            let contestant = (*contestant).to_owned();
            std::thread::spawn(move || run(&contestant, nodes))
                .join()
                .unwrap()?;
        }
    }
    Ok(())
}

fn system_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let cpu: Vec<u64> = stat
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap())
        .collect();
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
        "layer" => layer::build(&world)?,
        other => return Err(io::Error::other(format!("unknown contestant {other}"))),
    }
    let build = begin.elapsed();
    let total = start.elapsed();
    let cost = system_ticks() - ticks;
    let first = first_connects(&world)?.map(ms);
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
        "{contestant:8} n={nodes} namespaces={:.2} build={:.2} total={:.2} first={first:.2?} ticks={cost} after={after} quiet={:.1}",
        ms(namespaces),
        ms(build),
        ms(total),
        ms(quiet)
    );
    Ok(())
}

/// The first packets of a fresh star: between its first and last node, by IPv4, IPv6 and link-local address.
fn first_connects(world: &World) -> io::Result<[Duration; 3]> {
    let last = world.nodes.len() - 1;
    world.enter(last)?;
    let _listener = TcpListener::bind("[::]:80")?;
    world.enter(0)?;
    let to = &world.addresses[last];
    let v4 = connect((to.v4, 80).into())?;
    let v6 = connect((to.v6, 80).into())?;
    let link_local = connect(SocketAddrV6::new(to.link_local, 80, 0, 2).into())?;
    world.enter_hub()?;
    Ok([v4, v6, link_local])
}

fn connect(address: SocketAddr) -> io::Result<Duration> {
    let start = Instant::now();
    TcpStream::connect(address)?;
    Ok(start.elapsed())
}

/// Whether `tcp_orphan_retries` is written in each node's namespace as well.
fn orphans() -> bool {
    std::env::var_os("ORPHANS").is_some()
}

/// Waits until the kernel has destroyed what was dropped: creation waits for destruction.
fn quiet() -> Duration {
    let start = Instant::now();
    let count = || {
        let slab = std::fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        slab.lines()
            .find(|line| line.starts_with("net_namespace"))
            .map_or(0, |line| {
                line.split_whitespace()
                    .nth(1)
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            })
    };
    std::thread::sleep(Duration::from_millis(20));
    let mut last = count();
    let mut same = 0;
    while same < 25 && start.elapsed() < Duration::from_secs(20) {
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
