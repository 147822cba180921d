//! What both contestants are given: network namespaces, and the addresses their nodes shall have.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use nix::sched::{CloneFlags, setns, unshare};

/// The addresses of one node.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub mac: [u8; 6],
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
    pub link_local: Ipv6Addr,
    pub gateway_v4: Ipv4Addr,
    pub gateway_v6: Ipv6Addr,
}

impl Addresses {
    fn of(node: u16) -> Self {
        let [high, low] = (node + 2).to_be_bytes();
        let low16 = u16::from_be_bytes([high, low]);
        Self {
            mac: [0x02, 0, 0, 0, high, low],
            v4: Ipv4Addr::new(10, 77, high, low),
            v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, low16),
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x1111, 0, low16),
            gateway_v4: Ipv4Addr::new(10, 77, 0, 1),
            gateway_v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1),
        }
    }
}

/// One hub and N nodes, as descriptors of their network namespaces.
pub struct World {
    pub hub: File,
    pub nodes: Vec<File>,
    pub addresses: Vec<Addresses>,
}

impl World {
    /// Makes them on the current thread, which ends up in the last one.
    pub fn new(nodes: usize) -> io::Result<Self> {
        let hub = namespace()?;
        let nodes = (0..nodes)
            .map(|_| namespace())
            .collect::<io::Result<Vec<_>>>()?;
        let addresses = (0..nodes.len())
            .map(|node| Addresses::of(node as u16))
            .collect();
        Ok(Self {
            hub,
            nodes,
            addresses,
        })
    }

    pub fn enter_hub(&self) -> io::Result<()> {
        Ok(setns(self.hub.as_fd(), CloneFlags::CLONE_NEWNET)?)
    }

    pub fn enter(&self, node: usize) -> io::Result<()> {
        Ok(setns(self.nodes[node].as_fd(), CloneFlags::CLONE_NEWNET)?)
    }
}

fn namespace() -> io::Result<File> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    File::open("/proc/thread-self/ns/net")
}
