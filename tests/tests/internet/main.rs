//! Routers, uplinks, the public part, and what stands between hosts and the Internet.

mod firewalls;
mod routers;
mod traffic;

snowglobe::main!();
