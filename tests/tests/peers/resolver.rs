//! hickory's resolver, which reads `resolv.conf` itself and asks for both families at once.

use std::time::Instant;

use hickory_resolver::TokioResolver;
use snowglobe::dns::{DnsSpec, Zone};
use snowglobe::prelude::*;

/// Time-out of a question that is lost: longer than a busy machine takes for all that are not.
const TIME_OUT: Duration = Duration::from_secs(60);

#[snowglobe::test(timeout = "180s")]
async fn the_resolver_of_hickory_gets_its_answers_without_a_time_out() -> TestResult {
    let zone = Zone::new("example.org")
        .record("www 60 A 192.0.2.80")
        .record("www AAAA 2001:db8::80")
        .record("_http._tcp SRV 1 5 8080 www")
        .record("@ TXT \"v=spf1 -all\"");
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone)));
    let client = topology.node("client");
    topology.link(names, client);
    let lab = topology.start()?;
    let looked = lab[client].spawn(async {
        let mut resolver = TokioResolver::builder_tokio()?;
        resolver.options_mut().timeout = TIME_OUT;
        let resolver = resolver.build()?;
        let started = Instant::now();
        let www = resolver.lookup_ip("www.example.org.").await?;
        let mut found: Vec<IpAddr> = www.iter().collect();
        found.sort();
        let own = resolver.lookup_ip("names").await?;
        let service = resolver.srv_lookup("_http._tcp.example.org.").await?;
        let text = resolver.txt_lookup("example.org.").await?;
        let nobody = resolver.lookup_ip("nobody.example.org.").await;
        let counts = (service.answers().len(), text.answers().len());
        TestResult::Ok((
            found,
            own.iter().collect::<Vec<_>>(),
            counts,
            nobody.is_err(),
            started.elapsed(),
        ))
    });
    let (found, own, counts, is_unknown, took) = looked.await??;
    let expected: [IpAddr; 2] = ["192.0.2.80".parse()?, "2001:db8::80".parse()?];
    assert_eq!(found, expected);
    assert!(own.contains(&lab[names].ip()), "{own:?}");
    assert_eq!(counts, (1, 1));
    assert!(is_unknown);
    assert!(took < TIME_OUT, "{took:?}");
    Ok(())
}
