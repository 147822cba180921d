//! The MTU of a path whose links are of both families.

use snowglobe::prelude::*;
use snowglobe::topology::{ClatSpec, Families, Nat64Spec};

use crate::traffic::{bulk, exchange};

/// The narrowest links are neither those of the phone nor those of the server, so that neither
/// knows of them: of IPv6 (1300) before the carrier, or of IPv4 (1340) behind it.
#[snowglobe::test(timeout = "120s")]
fn both_sides_learn_of_narrow_links_of_the_other_family() -> TestResult {
    for [v6, v4] in [[1300, 1500], [1500, 1340], [1300, 1340]] {
        for clat in [false, true] {
            let mut topology = Topology::new();
            let internet = topology.internet();
            let carrier = RouterSpec::new("carrier").nat64(Nat64Spec::new());
            let carrier = topology.router(carrier);
            topology.uplink(carrier, internet);
            let tower = topology.router("tower");
            let narrow = LinkSpec::new().families(Families::V6).mtu(v6);
            topology.uplink_with(tower, carrier, narrow);
            let phone = match clat {
                true => NodeSpec::new("phone").clat(ClatSpec::new()),
                false => NodeSpec::new("phone"),
            };
            let phone = topology.node(phone);
            topology.link_with(phone, tower, LinkSpec::new().families(Families::V6));
            let hosting = topology.router(RouterSpec::new("hosting").public(true));
            let narrow = LinkSpec::new().families(Families::V4).mtu(v4);
            topology.uplink_with(hosting, internet, narrow);
            let server = topology.node("server");
            topology.link_with(server, hosting, LinkSpec::new().families(Families::V4));
            let lab = topology.start()?;
            bulk(&lab[server]);
            let server = lab[server].ipv4().ok_or("no IPv4")?;
            let to = match clat {
                true => server.into(),
                false => lab.nat64(carrier)?.embed(server).into(),
            };
            exchange(&lab[phone], to, 400_000)?;
        }
    }
    Ok(())
}
