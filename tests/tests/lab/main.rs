//! Labs have nodes, links, switches, pods, volumes and root filesystems, as a user builds them.

mod change;
#[path = "life/deaths.rs"]
mod deaths;
#[path = "files/disks.rs"]
mod disks;
mod errors;
mod filter;
#[path = "waits/futures.rs"]
mod futures;
mod hosts;
mod life;
mod live;
mod many;
#[path = "life/odd_names.rs"]
mod odd_names;
mod outside;
#[path = "files/places.rs"]
mod places;
mod pods;
#[path = "life/power.rs"]
mod power;
#[path = "life/proc.rs"]
mod proc;
mod processes;
mod real;
#[path = "files/roots.rs"]
mod roots;
mod start;
mod users;
mod verdicts;
mod visits;

use std::net::IpAddr;
use std::time::Duration;

use snowglobe::lab::Node;
use snowglobe_tests::traffic;

/// Time in which a connection comes about that comes about at all, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns whether a connection to port 80 comes about.
fn reaches(from: &Node, ip: IpAddr) -> bool {
    traffic::reaches(from, ip, 80, PATIENCE)
}

/// Returns whether no connection to port 80 comes about for a moment.
fn is_cut_off(from: &Node, ip: IpAddr) -> bool {
    !traffic::reaches(from, ip, 80, Duration::from_millis(300))
}

snowglobe::main!();
