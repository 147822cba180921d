//! Labs have nodes, links, switches, pods, volumes and root filesystems, as a user builds them.

mod change;
mod disks;
mod filter;
mod hosts;
mod life;
mod live;
mod many;
mod outside;
mod pods;
mod processes;
mod real;
mod roots;
mod start;
mod users;
mod verdicts;
mod visits;

snowglobe::main!();
