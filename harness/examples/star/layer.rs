//! The same star, built with the layer.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::kernel::netlink::{Batch, Bridge, Device, End, Netlink, Route, Veth};
use crate::kernel::netns::Netns;
use crate::kernel::sysctl;
use crate::world::World;

const BRIDGE: Bridge<'static> = Bridge {
    device: Device {
        index: 2,
        name: "br0",
    },
    mac: [2, 0xff, 0, 0, 0, 1],
};
const ETH0: Device<'static> = Device {
    index: 2,
    name: "eth0",
};

/// Builds the star and returns when it is ready.
pub fn build(world: &World) -> io::Result<()> {
    world.enter_hub()?;
    let home = Netns::current()?;
    let proc = std::fs::File::open("/proc")?;
    let mut hub = Netlink::open().map_err(io::Error::other)?;
    let names: Vec<String> = (0..world.nodes.len())
        .map(|at| format!("p{}", at + 10))
        .collect();
    let ports: Vec<Device<'_>> = names
        .iter()
        .enumerate()
        .map(|(at, name)| Device {
            index: at as u32 + 10,
            name: name.as_str(),
        })
        .collect();

    let mut batch = Batch::new();
    batch.add_bridge(&BRIDGE);
    for (at, port) in ports.iter().enumerate() {
        cable(&mut batch, world, at, *port);
    }
    hub.execute_reusing(&mut batch).map_err(io::Error::other)?;
    let mut inside = Netlink::open().map_err(io::Error::other)?;
    for at in 0..world.nodes.len() {
        let opened = home.excursion(world.nodes[at].as_fd(), || {
            if crate::orphans() {
                sysctl::set(proc.as_fd(), sysctl::ORPHANS_DIE_EARLY)?;
            }
            inside.reopen().map_err(io::Error::other)
        });
        opened??;
        node(&mut batch, world, at);
        inside
            .execute_reusing(&mut batch)
            .map_err(io::Error::other)?;
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    for (node, addresses) in world.nodes.iter().zip(&world.addresses) {
        home.excursion(node.as_fd(), || inside.reopen())?
            .map_err(io::Error::other)?;
        inside
            .wait_until_heard(ETH0, &[addresses.v6, addresses.link_local], deadline)
            .map_err(io::Error::other)?;
    }
    batch.start_bridge(&BRIDGE);
    for (at, port) in ports.iter().enumerate() {
        batch.add_membership(BRIDGE.device, *port, world.addresses[at].v6);
    }
    hub.execute(batch).map_err(io::Error::other)?;
    hub.wait_until_ports_up(&ports, deadline)
        .map_err(io::Error::other)
}

fn cable(batch: &mut Batch, world: &World, at: usize, port: Device<'_>) {
    let near = End {
        master: Some(BRIDGE.device.index),
        ..End::new(port)
    };
    let netns = Some(world.nodes[at].as_fd());
    let far = End {
        mac: Some(world.addresses[at].mac),
        mtu: Some(1500),
        netns,
        ..End::new(ETH0)
    };
    batch.add_veth(&Veth { near, far });
    batch.give_no_addresses(port);
    batch.set_up(port);
}

fn node(batch: &mut Batch, world: &World, at: usize) {
    let addresses = &world.addresses[at];
    batch.give_no_addresses(ETH0);
    batch.set_up(Device::LOOPBACK);
    batch.set_up(ETH0);
    batch.add_address(ETH0, addresses.v4.into(), 16);
    batch.add_address(ETH0, addresses.v6.into(), 64);
    batch.add_address(ETH0, addresses.link_local.into(), 64);
    batch.add_route(&Route::default_via(addresses.gateway_v4.into(), ETH0));
    batch.add_route(&Route::default_via(addresses.gateway_v6.into(), ETH0));
}
