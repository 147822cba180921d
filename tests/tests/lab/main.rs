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
mod outside;
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

snowglobe::main!();
