//! A router of a carrier has hundreds of links.

use snowglobe::prelude::*;

#[snowglobe::test(timeout = "180s")]
fn a_router_with_two_hundred_links_starts() -> TestResult {
    const LINKS: usize = 200;
    let mut topology = Topology::new();
    let carrier = topology.router("carrier");
    let customer = topology.node("customer");
    for _ in 0..LINKS {
        topology.link(customer, carrier);
    }
    let lab = topology.start()?;
    assert_eq!(lab.links().count(), LINKS);
    // The last link carries packets.
    let last = lab.plan().stack(carrier).interfaces.last();
    let address = last.and_then(|last| last.addresses.first());
    let address = address.ok_or("no address")?.ip;
    let listener = lab[carrier].run(|| TcpListener::bind((address, 80)))?;
    lab[customer].run(|| TcpStream::connect((address, 80)))?;
    listener.accept()?;
    Ok(())
}
