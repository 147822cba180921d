//! Places that are far from each other, each way by its own time.

use std::time::Instant;

use snowglobe::fault::Fault;
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, RegionMap, Regions, TopologyErrorKind};

snowglobe::main!();

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// One-way times between the regions: from the row to the column.
const MATRIX: [(&str, &str, Duration); 6] = [
    ("eu", "us", ms(40)),
    ("us", "eu", ms(40)),
    ("us", "asia", ms(20)),
    ("asia", "us", ms(90)),
    ("eu", "asia", ms(60)),
    ("asia", "eu", ms(60)),
];

/// Returns a lab with two nodes in each region.
fn world() -> TestResult<(Lab, RegionMap, [NodeId; 6])> {
    let mut topology = Topology::new();
    let nodes = ["eu-1", "eu-2", "us-1", "us-2", "asia-1", "asia-2"];
    let nodes = nodes.map(|name| topology.node(name));
    let mut regions = Regions::new().others(ms(60));
    for (name, nodes) in ["eu", "us", "asia"].into_iter().zip(nodes.chunks(2)) {
        regions = regions.region(name, nodes.to_vec());
    }
    let regions = regions
        .latency("eu", "us", ms(40))
        .latency_one_way("us", "asia", ms(20))
        .latency_one_way("asia", "us", ms(90));
    let map = topology.regions(&regions)?;
    Ok((topology.start()?, map, nodes))
}

/// Returns whether a datagram comes from one node to another.
fn arrives(from: &Node, to: &Node) -> TestResult<bool> {
    Ok(least(from, to, Duration::MAX, ms(1000))?.is_some())
}

/// Returns the time that a datagram takes from one node to another.
fn one_way(from: &Node, to: &Node, soon: Duration) -> TestResult<Duration> {
    Ok(least(from, to, soon, ms(20_000))?.ok_or("no datagram")?)
}

/// Returns the time of the first datagram that takes less than `soon` from one node to another, or
/// the least time of many datagrams: a busy machine only adds to the time. Returns nothing if a
/// datagram does not arrive in time.
fn least(
    from: &Node,
    to: &Node,
    soon: Duration,
    patience: Duration,
) -> TestResult<Option<Duration>> {
    let receiver = to.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    receiver.set_read_timeout(Some(patience))?;
    let port = receiver.local_addr()?.port();
    let sender = from.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    let mut least = Duration::MAX;
    for _ in 0..100 {
        let sent = Instant::now();
        sender.send_to(b"!", (to.ip(), port))?;
        match receiver.recv(&mut [0; 8]) {
            Ok(_) => least = least.min(sent.elapsed()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if least < soon {
            break;
        }
    }
    Ok(Some(least))
}

/// The time by which the least late of some datagrams may be late on a busy machine. The times of
/// the matrix that are to be told apart, 20 and 90 ms, are further from each other.
const LATE: Duration = ms(60);

#[snowglobe::test(threads = 2)]
fn packets_between_regions_take_the_time_of_the_matrix_each_way() -> TestResult {
    let (lab, _, _) = world()?;
    for (from, to, expected) in MATRIX {
        for number in [1, 2] {
            let node = |region: &str, number: u8| {
                let found = lab.node(&format!("{region}-{number}"));
                found.ok_or_else(|| format!("no node in {region}"))
            };
            let (from, to) = (node(from, number)?, node(to, 3 - number)?);
            let took = one_way(from, to, expected + LATE)?;
            let fits = took >= expected && took < expected + LATE;
            assert!(
                fits,
                "{} to {}: {took:?}, not {expected:?}",
                from.name(),
                to.name()
            );
        }
    }
    // Within a region nothing is slow.
    let near = one_way(lab.node("eu-1").unwrap(), lab.node("eu-2").unwrap(), ms(20))?;
    assert!(near < ms(20), "{near:?}");
    Ok(())
}

#[snowglobe::test(threads = 2)]
fn the_way_between_two_regions_is_broken_degraded_and_restored() -> TestResult {
    let (lab, map, [eu, _, us, _, asia, _]) = world()?;
    let (eu, us, asia) = (&lab[eu], &lab[us], &lab[asia]);
    let cut = lab.inject(Fault::cut("eu–us"))?;
    assert!(!arrives(eu, us)?);
    one_way(eu, asia, Duration::MAX)?;
    cut.heal()?;
    one_way(eu, us, Duration::MAX)?;

    let link = &lab[map.link("us", "eu")];
    let slow = link.degrade(Impairment::delayed(ms(100)))?;
    assert!(one_way(us, eu, Duration::MAX)? >= ms(140));
    drop(slow);
    let there = map.direction("us", "eu");
    link.impair_one_way(there, &Impairment::delayed(ms(5)))?;
    let there = one_way(us, eu, ms(40))?;
    assert!(there >= ms(5) && there < ms(40), "{there:?}");
    let back = one_way(eu, us, ms(80))?;
    assert!(back >= ms(40), "{back:?}");
    Ok(())
}

#[snowglobe::test]
fn regions_that_make_no_sense_are_refused() -> TestResult {
    let refused = |regions: Regions| {
        let mut topology = Topology::new();
        let before = topology.clone();
        let error = topology.regions(&regions).unwrap_err();
        assert_eq!(topology, before);
        (error.kind(), error.to_string())
    };
    let two = || Regions::new().empty_region("a").empty_region("b");
    let (kind, said) = refused(two());
    assert_eq!(kind, TopologyErrorKind::Missing);
    assert!(
        said.contains("there is no latency from region `a` to `b`"),
        "{said}"
    );
    let (_, said) = refused(two().latency_one_way("a", "b", ms(1)));
    assert!(
        said.contains("there is no latency from region `b` to `a`"),
        "{said}"
    );
    let (kind, said) = refused(two().others(ms(1)).empty_region("a"));
    assert_eq!(kind, TopologyErrorKind::Conflict, "{said}");
    let (_, said) = refused(two().others(ms(1)).latency("a", "mars", ms(1)));
    assert!(said.contains("there is no region `mars`"), "{said}");
    for again in [
        two().latency("a", "b", ms(1)).latency("b", "a", ms(2)),
        two()
            .latency("a", "b", ms(1))
            .latency_one_way("b", "a", ms(2))
            .latency_one_way("b", "a", ms(3)),
    ] {
        let (kind, said) = refused(again);
        assert_eq!(kind, TopologyErrorKind::Conflict, "{said}");
        let twice = "the way from region `b` to `a` has two latencies";
        assert!(said.contains(twice), "{said}");
    }
    let (_, said) = refused(two().others(ms(1)).latency("a", "a", ms(1)));
    assert!(said.contains("from `a` to itself"), "{said}");
    Ok(())
}

#[snowglobe::test]
fn a_latency_of_one_way_comes_before_that_of_both() -> TestResult {
    let two = || Regions::new().empty_region("a").empty_region("b");
    let made = |regions: Regions| -> TestResult<Topology> {
        let mut topology = Topology::new();
        topology.regions(&regions)?;
        Ok(topology)
    };
    let each = two()
        .latency_one_way("a", "b", ms(40))
        .latency_one_way("b", "a", ms(60));
    let each = made(each)?;
    let both = two().latency("a", "b", ms(40));
    assert_ne!(made(both.clone())?, each);
    assert_eq!(made(both.latency_one_way("b", "a", ms(60)))?, each);
    let one = two().latency_one_way("b", "a", ms(60));
    assert_eq!(made(one.latency("a", "b", ms(40)))?, each);
    Ok(())
}

#[snowglobe::test]
fn regions_of_a_text_keep_the_order_of_the_text() -> TestResult {
    let text = r#"
        [regions]
        places = { us = [], eu = [], asia = [] }
        others = "100 ms"
        latency = [{ between = ["eu", "us"], time = "40 ms" }]
    "#;
    let topology = Topology::from_toml(text)?;
    let links: Vec<String> = topology.links().map(|it| topology.link_name(it)).collect();
    for name in ["us–eu", "us–asia", "eu–asia"] {
        assert!(links.contains(&name.to_owned()), "{name} of {links:?}");
    }
    let again = r#"{ between = ["us", "eu"], time = "50 ms" }, { between"#;
    let error = Topology::from_toml(&text.replacen("{ between", again, 1)).unwrap_err();
    let twice = "the way from region `eu` to `us` has two latencies";
    assert!(error.to_string().contains(twice), "{error}");
    Ok(())
}
