//! Routers, uplinks, the public part, and what stands between hosts and the Internet.

mod bird;
mod by_hand;
mod firewalls;
mod mobility;
mod routers;
mod traffic;

snowglobe::main!();
