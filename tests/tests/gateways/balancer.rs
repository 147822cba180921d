//! haproxy as a load balancer of connections (L4): it knows nothing of what they carry.

use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

use crate::probe::{PATIENCE, get, page_with_its_name};

const CONFIGURATION: &str = "
defaults
    mode tcp
    timeout connect 2s
    timeout client 30s
    timeout server 30s
listen service
    bind :443
    balance roundrobin
    server web1 web1:8080 check inter 200ms fall 2 rise 2
    server web2 web2:8080 check inter 200ms fall 2 rise 2
";

#[snowglobe::test(fixtures("haproxy", "busybox"), timeout = "120s")]
fn haproxy_balances_connections_and_leaves_out_who_is_down() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    std::fs::write(dir.path().join("haproxy.cfg"), CONFIGURATION)?;
    let mut topology = Topology::new();
    let internet = topology.internet();
    let home = topology.router(RouterSpec::home("home"));
    topology.uplink(home, internet);
    let client = topology.node("client");
    topology.link(client, home);
    let back = topology.switch(SwitchSpec::new("back").subnet("10.9.0.0/24"));
    let busybox = Fixture::find("busybox")?;
    let webs = ["web1", "web2"].map(|name| {
        let spec = NodeSpec::new(name).rootfs(&busybox);
        page_with_its_name(spec, dir.path(), 8080).map(|spec| {
            let web = topology.node(spec);
            topology.plug(web, back);
            web
        })
    });
    let [web1, web2] = webs;
    let (web1, _) = (web1?, web2?);
    let serve = StartCommand::new("haproxy")
        .args(["-db", "-f", "/run/haproxy/haproxy.cfg"])
        .ready_port(443);
    let balancer = NodeSpec::new("balancer")
        .rootfs(&Fixture::find("haproxy")?)
        .bind_read_only("/run/haproxy", dir.path())
        .command(serve);
    let balancer = topology.node(balancer);
    topology.link(balancer, internet);
    topology.plug(balancer, back);
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let service = SocketAddr::from((lab[balancer].ipv4().ok_or("no IPv4")?, 443));
    let ask = || get(&lab[client], service, PATIENCE);
    let pages = |count: usize| {
        let mut pages = (0..count).map(|_| ask()).collect::<Result<Vec<_>, _>>()?;
        pages.sort();
        pages.dedup();
        Ok::<_, String>(pages.join(" "))
    };
    let wait_for = |who: &str| {
        lab.wait_until(|| match pages(4) {
            Ok(pages) if pages == who => Ok(()),
            other => Err(format!("not {who}: {other:?}")),
        })
    };
    wait_for("web1 web2")?;
    lab[web1].crash()?;
    wait_for("web2")?;
    lab[web1].restart()?;
    wait_for("web1 web2")?;
    Ok(())
}
