//! Translations of IPv6 that are written as TOML.

use snowglobe::dns::{Dns64Spec, DnsSpec};
use snowglobe::prelude::*;
use snowglobe::topology::{ClatSpec, Families, Nat64Spec, PrefixTranslation, V6Nat};

use crate::traffic::{PATIENCE, echo, seen_as};

const TEXT: &str = r#"
    [[node]]
    name = "phone"
    clat = { prefix = "2001:db8:64::/96" }

    [[node]]
    name = "desk"

    [[node]]
    name = "guest"

    [[node]]
    name = "server"

    [[router]]
    name = "internet"
    kind = "internet"

    [[router]]
    name = "carrier"
    nat64 = { prefix = "2001:db8:64::/96" }
    dns.dns64 = { prefix = "2001:db8:64::/96" }

    [[router]]
    name = "office"
    nat_v6.prefix = { inside = "fd01:203:405::/48", outside = "2001:db8:1::/48" }

    [[router]]
    name = "cafe"
    nat_v6 = "masquerade"

    [[link]]
    ends = ["carrier", "internet"]
    uplink = true

    [[link]]
    ends = ["office", "internet"]
    uplink = true

    [[link]]
    ends = ["cafe", "internet"]
    uplink = true

    [[link]]
    ends = ["server", "internet"]

    [[link]]
    ends = ["phone", "carrier"]
    families = "v6"

    [[link]]
    ends = ["desk", "office"]
    subnets = ["fd01:203:405:1::/64"]

    [[link]]
    ends = ["guest", "cafe"]
    families = "v6"
"#;

fn built() -> Topology {
    let prefix = "2001:db8:64::/96";
    let mut topology = Topology::new();
    let phone = NodeSpec::new("phone").clat(ClatSpec::new().prefix(prefix));
    let [phone, desk, guest, server] =
        [phone, "desk".into(), "guest".into(), "server".into()].map(|it| topology.node(it));
    let internet = topology.internet();
    let dns = DnsSpec::new().dns64(Dns64Spec::new().prefix(prefix));
    let carrier = RouterSpec::new("carrier").nat64(Nat64Spec::new().prefix(prefix));
    let carrier = topology.router(carrier.node(|node| node.dns(dns)));
    let prefixes = PrefixTranslation::new("fd01:203:405::/48", "2001:db8:1::/48");
    let office = RouterSpec::new("office").nat_v6(V6Nat::Prefix(prefixes));
    let office = topology.router(office);
    let cafe = topology.router(RouterSpec::new("cafe").nat_v6(V6Nat::Masquerade));
    for router in [carrier, office, cafe] {
        topology.uplink(router, internet);
    }
    topology.link(server, internet);
    let v6 = || LinkSpec::new().families(Families::V6);
    topology.link_with(phone, carrier, v6());
    let lan = LinkSpec::new().subnet("fd01:203:405:1::/64");
    topology.link_with(desk, office, lan);
    topology.link_with(guest, cafe, v6());
    topology
}

#[snowglobe::test]
fn what_toml_says_is_what_the_builder_says_and_runs() -> TestResult {
    let read = Topology::from_toml(TEXT)?;
    assert_eq!(read, built());
    assert_eq!(Topology::from_toml(&read.to_toml()?)?, read);
    let lab = read.start()?;
    let node = |name: &str| lab.node(name).ok_or_else(|| format!("no {name}"));
    let server = node("server")?;
    echo(server);
    let v4: IpAddr = server.ipv4().ok_or("no IPv4")?.into();
    let v6: IpAddr = server.ipv6().ok_or("no IPv6")?.into();
    let seen = |name: &str, to| -> TestResult<String> {
        let seen = seen_as(node(name)?, to, 10, PATIENCE).ok_or("no answer")?;
        Ok(seen.ip().to_string())
    };
    assert_eq!(seen("phone", v4)?, node("carrier")?.ip().to_string());
    assert_eq!(seen("desk", v6)?, "2001:db8:1:d550::1");
    let cafe = node("cafe")?.ipv6().ok_or("no IPv6")?;
    assert_eq!(seen("guest", v6)?, cafe.to_string());
    Ok(())
}

#[snowglobe::test]
fn what_cannot_be_is_refused_with_its_place_before_anything_starts() -> TestResult {
    for (instead_of, wrong, said) in [
        (
            r#"nat64 = { prefix = "2001:db8:64::/96" }"#,
            r#"nat64 = { prefix = "2001:db8:64::/90" }"#,
            "its length has to be 32, 40, 48, 56, 64 or 96 bits",
        ),
        (
            r#"nat64 = { prefix = "2001:db8:64::/96" }"#,
            r#"nat64 = { prefix = "2001:db8:65::/96" }"#,
            "no router has one; add `RouterSpec::nat64`",
        ),
        (
            r#"outside = "2001:db8:1::/48""#,
            r#"outside = "2001:db8::/32""#,
            "differ in length",
        ),
        (
            r#"outside = "2001:db8:1::/48""#,
            r#"outside = "2a00:5347:77::/48""#,
            "overlaps network",
        ),
        (
            r#"dns.dns64 = { prefix = "2001:db8:64::/96" }"#,
            r#"dns.dns64 = { prefix = "2001:db8:64::/1" }"#,
            "is not a subnet",
        ),
        (
            r#"nat_v6 = "masquerade""#,
            r#"nat_v6 = "cone""#,
            "unknown variant `cone`",
        ),
        (
            r#"nat_v6 = "masquerade""#,
            r#"nat_v6 = { inside = "fd00::/48", outside = "2001:db8::/48" }"#,
            "unknown variant `inside`, expected one of `",
        ),
        (
            r#"nat_v6 = "masquerade""#,
            r#"nat_v6 = { prefix = {}, masquerade = {} }"#,
            "`prefix` and `masquerade` exclude each other",
        ),
        (
            r#"nat_v6 = "masquerade""#,
            "nat_v6 = {}",
            "the table is empty, expected one of `",
        ),
        (
            r#"nat64 = { prefix = "2001:db8:64::/96" }"#,
            r#"nat64 = { prefix = "2001:db8:64::/96" }
    nat = { engine = "nftables" }"#,
            "nftables cannot carry this NAT",
        ),
    ] {
        let text = TEXT.replace(instead_of, wrong);
        assert_ne!(text, TEXT);
        let error = Topology::from_toml(&text).expect_err(wrong).to_string();
        assert!(error.contains(said), "{wrong}: {error}");
        assert!(error.contains("line "), "{wrong}: {error}");
    }
    Ok(())
}
