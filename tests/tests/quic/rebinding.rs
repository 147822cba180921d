//! Routers that forget the mapping of a connection, or give it another port or public address.

use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe::topology::nat::{NatSpec, preset};

use crate::parties::{Client, Migration, data, serve};

/// Long enough for a packet on a busy machine; quinn's own default.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host behind a router that translates, and a server.
struct World {
    lab: Lab,
    host: NodeId,
    router: NodeId,
    server: NodeId,
}

impl World {
    fn new(nat: NatSpec, uplink: LinkSpec) -> TestResult<World> {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(RouterSpec::new("router").nat(nat));
        topology.uplink_with(router, internet, uplink);
        let host = topology.node("host");
        topology.link(host, router);
        let server = topology.node("server");
        topology.link(server, internet);
        Ok(World {
            lab: topology.start()?,
            host,
            router,
            server,
        })
    }

    async fn client(&self, idle: Duration) -> TestResult<Client> {
        let server = self.lab[self.server].ipv4().ok_or("no IPv4")?;
        let any = Ipv4Addr::UNSPECIFIED;
        Client::connect(&self.lab[self.host], any, server, idle).await
    }

    /// Returns the public address of the router, and another one of the same network.
    fn addresses(&self, client: SocketAddr) -> TestResult<[Ipv4Addr; 2]> {
        match client.ip() {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                Ok([address, Ipv4Addr::new(a, b, c, d + 100)])
            }
            IpAddr::V6(_) => Err("not IPv4".into()),
        }
    }
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_survives_another_port_and_a_router_that_has_forgotten_it() -> TestResult {
    for nat in [preset::port_restricted_cone(), preset::symmetric()] {
        let world = World::new(nat, LinkSpec::new())?;
        serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
        let client = world.client(PATIENCE).await?;
        let first = client.seen_as().await?;
        assert_eq!(client.seen_as().await?, first, "nothing has happened yet");
        let nat = world.lab.nat(world.router)?;
        nat.rebind_ports()?;
        let second = client.seen_elsewhere(first).await?;
        assert_eq!(second.ip(), first.ip());
        assert_ne!(second.port(), first.port());
        nat.flush()?;
        client.seen_as().await?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_survives_another_public_address() -> TestResult {
    let world = World::new(preset::port_restricted_cone(), LinkSpec::new())?;
    serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
    let client = world.client(PATIENCE).await?;
    let first = client.seen_as().await?;
    let [_, other] = world.addresses(first)?;
    world.lab.nat(world.router)?.rebind_address(other)?;
    let second = client.seen_elsewhere(first).await?;
    assert_eq!(second.ip(), IpAddr::from(other));
    Ok(())
}

#[snowglobe::test(fixtures("certificates"), timeout = "180s")]
async fn a_download_goes_on_while_the_router_forgets_it() -> TestResult {
    // Slow enough that the download is still going on at each change.
    let uplink = Impairment {
        rate: Some(Rate::mbit(20)),
        ..Impairment::delayed(Duration::from_millis(5))
    };
    let world = World::new(preset::port_restricted_cone(), uplink.into())?;
    serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
    let client = world.client(PATIENCE).await?;
    let first = client.seen_as().await?;
    let nat = world.lab.nat(world.router)?;
    let [_, other] = world.addresses(first)?;
    let heard = client
        .download(|third| {
            match third {
                0 => nat.rebind_ports()?,
                1 => {
                    nat.flush()?;
                    nat.rebind_address(other)?;
                }
                _ => {}
            }
            Ok(())
        })
        .await?;
    assert!(heard == data(), "other data");
    let last = client.seen_as().await?;
    assert_eq!(last.ip(), IpAddr::from(other));
    Ok(())
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_dies_with_its_port_where_the_server_forbids_migration() -> TestResult {
    let idle = Duration::from_secs(4);
    let world = World::new(preset::port_restricted_cone(), LinkSpec::new())?;
    serve(&world.lab[world.server], Migration::Off, idle)?;
    let client = world.client(idle).await?;
    let first = client.seen_as().await?;
    assert_eq!(client.seen_as().await?, first, "nothing has happened yet");
    world.lab.nat(world.router)?.rebind_ports()?;
    // The packets of the client come from a stranger now, and the server answers none of them.
    let asked = client.seen_as().await;
    assert!(asked.is_err(), "the server has answered: {asked:?}");
    client.is_lost().await;
    // Nothing else has died: the same client connects again.
    world.client(PATIENCE).await?.seen_as().await?;
    Ok(())
}
