//! Pages of a web server of IPv4 alone, fetched by programs on a host of IPv6 alone.

use std::fs;
use std::net::ToSocketAddrs;

use snowglobe::dns::{DnsOutcome, RecordKind};
use snowglobe::prelude::*;
use snowglobe::topology::{Families, NodeId, StartCommand, situation};

use crate::traffic::ping;

/// Adds an nginx with IPv4 alone to a situation, which serves the page `hello from IPv4`.
fn add_nginx(here: &mut situation::Situation) -> TestResult<(NodeId, tempfile::TempDir)> {
    let site = snowglobe_tests::shared_dir();
    let text = snowglobe_tests::nginx_conf("/run/site/access.log", "listen 80; root /run/site;");
    fs::write(site.path().join("nginx.conf"), text)?;
    fs::write(site.path().join("index.html"), "hello from IPv4\n")?;
    let serve = StartCommand::new("nginx")
        .args(["-c", "/run/site/nginx.conf"])
        .ready_port(80);
    let web = NodeSpec::new("web")
        .rootfs(&Fixture::find("nginx")?)
        .bind("/run/site", site.path())
        .command(serve);
    let web = here.topology.node(web);
    let v4 = LinkSpec::new().families(Families::V4);
    here.topology.link_with(web, here.internet, v4);
    Ok((web, site))
}

/// Returns the log of nginx, which writes a line after it has sent the page.
fn access_log(lab: &Lab, site: &tempfile::TempDir) -> TestResult<String> {
    let log = site.path().join("access.log");
    let written = || {
        fs::read_to_string(&log)
            .ok()
            .filter(|it| it.ends_with('\n'))
    };
    Ok(lab.wait_until(written)?)
}

fn curl(lab: &Lab, node: NodeId, url: &str) -> TestResult<String> {
    let curl = Fixture::find("curl")?.command("curl")?;
    let line = ["-sS", "--max-time", "20", "-w", "%{remote_ip}", url];
    let output = lab[node].command_like(&curl).args(line).output()?;
    let said = format!("{}{}", output.stdout_str(), output.stderr_str());
    assert!(output.status.success(), "{url}: {said}");
    Ok(said)
}

#[snowglobe::test(fixtures("nginx", "curl"), timeout = "90s")]
fn a_phone_of_ipv6_alone_fetches_a_page_of_an_nginx_of_ipv4_alone() -> TestResult {
    let mut here = situation::v6_only_phone();
    let (web, site) = add_nginx(&mut here)?;
    let lab = here.topology.start()?;
    let page = curl(&lab, here.a, "http://web/")?;
    let v4 = lab[web].ipv4().ok_or("no IPv4")?;
    let carrier = here.router.ok_or("no carrier")?;
    let v6 = lab.nat64(carrier)?.embed(v4);
    assert_eq!(page, format!("hello from IPv4\n{v6}"));
    let log = access_log(&lab, &site)?;
    let by = lab[carrier].ipv4().ok_or("no IPv4")?.to_string();
    assert!(log.starts_with(&by), "{log}");
    let queries = lab.dns().queries();
    let asked = queries
        .iter()
        .find(|it| it.name == "web.lab" && it.kind == RecordKind::Aaaa);
    assert_eq!(
        asked.map(|it| it.outcome),
        Some(DnsOutcome::Answered(1)),
        "{queries:?}"
    );
    // A name that has IPv6 keeps it, and a host with IPv4 gets nothing made up.
    let look = |node: NodeId, name: &str| -> TestResult<Vec<IpAddr>> {
        let found = lab[node].run(|| (name, 80).to_socket_addrs())?;
        Ok(found.map(|it| it.ip()).collect())
    };
    let server = lab[here.server].ipv6().ok_or("no IPv6")?;
    assert!(look(here.a, "server")?.contains(&server.into()));
    assert_eq!(look(here.b, "web")?, [IpAddr::from(v4)]);
    Ok(())
}

#[snowglobe::test(fixtures("nginx", "curl", "busybox"), timeout = "90s")]
fn programs_that_know_ipv4_alone_work_on_a_phone_of_ipv6_alone() -> TestResult {
    let mut here = situation::xlat_phone();
    let (web, site) = add_nginx(&mut here)?;
    let lab = here.topology.start()?;
    assert_eq!(lab[here.a].ipv4(), None, "the plan gives the phone none");
    let v4 = lab[web].ipv4().ok_or("no IPv4")?;
    let page = curl(&lab, here.a, &format!("http://{v4}/"))?;
    assert_eq!(page, format!("hello from IPv4\n{v4}"));
    let carrier = here.router.ok_or("no carrier")?;
    let log = access_log(&lab, &site)?;
    let by = lab[carrier].ipv4().ok_or("no IPv4")?.to_string();
    assert!(log.starts_with(&by), "{log}");
    let said = ping(&lab[here.a], v4.into())?;
    assert!(said.contains("1 packets received"), "{said}");
    // Without the client there is no way.
    let without = situation::v6_only_phone().topology.start()?;
    let node = without.node("a").ok_or("no phone")?;
    let refused = node
        .run(|| TcpStream::connect((v4, 80)))
        .expect_err("no IPv4");
    assert_eq!(refused.kind(), std::io::ErrorKind::NetworkUnreachable);
    Ok(())
}
