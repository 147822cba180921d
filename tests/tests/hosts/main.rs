//! Nodes behave as hosts do: groups, names, ICMP sockets, programs and their ends.

mod multicast;
mod names;
mod neighbours;
mod ping;
mod programs;
mod readiness;

snowglobe::main!();
