//! A phone that goes from its Wi-Fi to its mobile network with a connection.

use snowglobe::prelude::*;
use snowglobe::topology::LinkId;
use snowglobe::topology::situation::{self, Situation};

use crate::parties::{Client, Migration, PATIENCE, data, serve};

/// A phone with both networks, and a server.
struct World {
    lab: Lab,
    here: Situation,
    wifi: LinkId,
    mobile: LinkId,
}

impl World {
    fn new() -> TestResult<World> {
        let here = situation::handover();
        let [wifi, mobile] = here.links[..] else {
            return Err("a phone has two links".into());
        };
        Ok(World {
            lab: here.topology.clone().start()?,
            here,
            wifi,
            mobile,
        })
    }

    fn serve(&self, migration: Migration, idle: Duration) -> TestResult {
        serve(&self.lab[self.here.server], migration, idle)
    }

    async fn client(&self, from: Ipv4Addr, idle: Duration) -> TestResult<Client> {
        let server = self.lab[self.here.server].ipv4().ok_or("no IPv4")?;
        Client::connect(&self.lab[self.here.a], from, server, idle).await
    }

    /// Returns the address of the phone on one of its links.
    fn address(&self, link: LinkId) -> TestResult<Ipv4Addr> {
        let stack = self.lab.plan().stack(self.here.a);
        let interface = stack.interfaces.iter().find(|it| it.link == link);
        let v4 = interface.ok_or("no such link")?.v4().next();
        v4.ok_or_else(|| "no IPv4".into())
    }
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_goes_over_to_mobile_and_back_without_a_gap() -> TestResult {
    let mut world = World::new()?;
    world.serve(Migration::Allowed, PATIENCE)?;
    let client = world.client(Ipv4Addr::UNSPECIFIED, PATIENCE).await?;
    let by_wifi = client.seen_as().await?;
    world.lab.set_metric(world.mobile, 50)?;
    let by_mobile = client.seen_elsewhere(by_wifi).await?;
    assert_ne!(by_mobile.ip(), by_wifi.ip());
    world.lab.set_metric(world.mobile, 300)?;
    let back = client.seen_elsewhere(by_mobile).await?;
    assert_eq!(back.ip(), by_wifi.ip());
    Ok(())
}

#[snowglobe::test(fixtures("certificates"), timeout = "180s")]
async fn a_download_goes_on_when_the_wifi_is_lost() -> TestResult {
    let world = World::new()?;
    world.serve(Migration::Allowed, PATIENCE)?;
    let client = world.client(Ipv4Addr::UNSPECIFIED, PATIENCE).await?;
    let by_wifi = client.seen_as().await?;
    let wifi = &world.lab[world.wifi];
    let heard = client
        .download(|third| if third == 0 { Ok(wifi.down()?) } else { Ok(()) })
        .await?;
    assert!(heard == data(), "other data");
    let by_mobile = client.seen_elsewhere(by_wifi).await?;
    assert_ne!(by_mobile.ip(), by_wifi.ip());
    Ok(())
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_client_bound_to_its_wifi_takes_its_connection_to_another_socket() -> TestResult {
    let mut world = World::new()?;
    world.serve(Migration::Allowed, PATIENCE)?;
    let client = world.client(world.address(world.wifi)?, PATIENCE).await?;
    let by_wifi = client.seen_as().await?;
    let mobile = world.address(world.mobile)?;
    world.lab.remove_link(world.wifi)?;
    let endpoint = client.endpoint.clone();
    let rebinding = world.lab[world.here.a].spawn(async move {
        // The socket belongs to the runtime of the node.
        endpoint.rebind(UdpSocket::bind((mobile, 0))?)
    });
    rebinding.await??;
    let by_mobile = client.seen_elsewhere(by_wifi).await?;
    assert_ne!(by_mobile.ip(), by_wifi.ip());
    Ok(())
}

#[snowglobe::test(fixtures("certificates"))]
async fn a_connection_dies_in_the_handover_where_the_server_forbids_migration() -> TestResult {
    // Longer than a busy machine keeps a connection from its keep-alive packets.
    let idle = Duration::from_secs(10);
    let mut world = World::new()?;
    world.serve(Migration::Off, idle)?;
    let client = world.client(Ipv4Addr::UNSPECIFIED, idle).await?;
    client.seen_as().await?;
    world.lab.set_metric(world.mobile, 50)?;
    let asked = client.seen_as().await;
    assert!(asked.is_err(), "the server has answered: {asked:?}");
    client.is_lost().await;
    Ok(())
}
