//! Ports that hosts ask their router for, by NAT-PMP, PCP and UPnP, with clients that others wrote.

mod limits;
mod natpmp;
mod pcp;
mod switching;
mod upnp;
mod world;

snowglobe::main!();
