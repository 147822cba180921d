//! Routers that forget the mapping of a connection, or give it another port or public address.

use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatSpec, preset};
use snowglobe_tests::BehindRouter;

use crate::parties::{Client, Migration, PATIENCE, data, serve};

/// Starts a host behind a router that translates, and a server.
fn behind(nat: NatSpec, uplink: LinkSpec) -> TestResult<BehindRouter> {
    BehindRouter::start(RouterSpec::new("router").nat(nat), uplink, "server".into())
}

/// Connects from the host to the server.
async fn connect(world: &BehindRouter, idle: Duration) -> TestResult<Client> {
    let server = world.lab[world.server].ipv4().ok_or("no IPv4")?;
    let any = Ipv4Addr::UNSPECIFIED;
    Client::connect(&world.lab[world.host], any, server, idle).await
}

/// Returns another public address of the network of the one by which the client is seen.
fn other_address(client: SocketAddr) -> TestResult<Ipv4Addr> {
    match client.ip() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            Ok(Ipv4Addr::new(a, b, c, d + 100))
        }
        IpAddr::V6(_) => Err("not IPv4".into()),
    }
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_survives_another_port_and_a_router_that_has_forgotten_it() -> TestResult {
    for nat in [preset::port_restricted_cone(), preset::symmetric()] {
        let world = behind(nat, LinkSpec::new())?;
        serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
        let client = connect(&world, PATIENCE).await?;
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
    let world = behind(preset::port_restricted_cone(), LinkSpec::new())?;
    serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
    let client = connect(&world, PATIENCE).await?;
    let first = client.seen_as().await?;
    let other = other_address(first)?;
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
    let world = behind(preset::port_restricted_cone(), uplink.into())?;
    serve(&world.lab[world.server], Migration::Allowed, PATIENCE)?;
    let client = connect(&world, PATIENCE).await?;
    let first = client.seen_as().await?;
    let nat = world.lab.nat(world.router)?;
    let other = other_address(first)?;
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
    // Longer than a busy machine keeps a connection from its keep-alive packets.
    let idle = Duration::from_secs(10);
    let world = behind(preset::port_restricted_cone(), LinkSpec::new())?;
    serve(&world.lab[world.server], Migration::Off, idle)?;
    let client = connect(&world, idle).await?;
    let first = client.seen_as().await?;
    assert_eq!(client.seen_as().await?, first, "nothing has happened yet");
    world.lab.nat(world.router)?.rebind_ports()?;
    // The packets of the client come from a stranger now, and the server answers none of them.
    let asked = client.seen_as().await;
    assert!(asked.is_err(), "the server has answered: {asked:?}");
    client.is_lost().await;
    // Nothing else has died: the same client connects again.
    connect(&world, PATIENCE).await?.seen_as().await?;
    Ok(())
}
