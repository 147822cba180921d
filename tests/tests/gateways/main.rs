//! What stands between networks, as ordinary nodes with Debian's daemons: load balancers, proxies,
//! a virtual address, and routers of two autonomous systems. And what routers make of marks.

mod balancer;
mod bgp;
mod many_links;
mod marks;
mod probe;
mod proxies;
mod virtual_address;

snowglobe::main!();
