//! Labs: nodes, links, switches, pods, volumes and root filesystems, as a user builds them.

mod processes;
mod start;

snowglobe::main!();
