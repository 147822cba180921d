//! Real programs run in labs.

use std::fs;

use snowglobe::Lab;
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, StartCommand, Users};
use snowglobe_tests::daemons::redis;

/// Returns a configuration that serves `/run/site`.
fn page() -> String {
    snowglobe_tests::nginx_conf("/run/site/access.log", "listen 80; root /run/site;")
}

/// Asks for `/` by HTTP, from a node.
fn get(lab: &Lab, from: NodeId, host: &str) -> TestResult<String> {
    let answer = lab[from].run(|| {
        let mut stream = TcpStream::connect((host, 80))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("GET /index.html HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    Ok(body.to_owned())
}

/// Makes nodes serve their names, each from a root filesystem of its own.
fn sites(topology: &mut Topology, names: &[&str]) -> TestResult<tempfile::TempDir> {
    let dir = snowglobe_tests::shared_dir();
    for name in names {
        let site = dir.path().join(name);
        fs::create_dir(&site)?;
        fs::write(site.join("nginx.conf"), page())?;
        fs::write(site.join("index.html"), name)?;
        let id = topology.find(name).ok_or("a node is missing")?;
        let nginx = Fixture::find("nginx")?;
        let serve = StartCommand::new("nginx")
            .args(["-c", "/run/site/nginx.conf"])
            .ready_port(80);
        topology.edit_node(id, |_| {
            NodeSpec::new(*name)
                .rootfs(&nginx)
                .bind("/run/site", site)
                .command(serve)
        });
    }
    Ok(dir)
}

#[snowglobe::test(fixtures("nginx", "haproxy"), timeout = "60s")]
fn haproxy_spreads_over_three_nginx_all_on_port_80() -> TestResult {
    let mut topology = Topology::new();
    let (front, back) = (topology.switch("front"), topology.switch("back"));
    let client = topology.node("client");
    let names = ["web1", "web2", "web3"];
    for name in names {
        let node = topology.node(name);
        topology.plug(node, back);
    }
    let dir = sites(&mut topology, &names)?;
    fs::write(
        dir.path().join("haproxy.cfg"),
        "
global
    log stderr local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind :80
    default_backend webs
backend webs
    balance roundrobin
    server web1 web1:80
    server web2 web2:80
    server web3 web3:80
",
    )?;
    let balance = StartCommand::new("haproxy")
        .args(["-db", "-f", "/run/haproxy/haproxy.cfg"])
        .ready_port(80);
    let haproxy = Fixture::find("haproxy")?;
    let proxy = topology.node(
        NodeSpec::new("proxy")
            .rootfs(&haproxy)
            .bind("/run/haproxy", dir.path())
            .command(balance),
    );
    topology.plug(client, front);
    topology.plug(proxy, front);
    topology.plug(proxy, back);
    let lab = topology.start()?;
    let mut answers: Vec<String> = (0..6)
        .map(|_| get(&lab, client, "proxy"))
        .collect::<Result<_, _>>()?;
    answers.sort();
    assert_eq!(answers, ["web1", "web1", "web2", "web2", "web3", "web3"]);
    // A request without the detour works, too: all of them listen on port 80.
    assert_eq!(get(&lab, proxy, "web2")?, "web2");
    Ok(())
}

#[snowglobe::test(fixtures("nginx"))]
fn a_sidecar_reads_nginx_log_from_a_shared_volume() -> TestResult {
    let nginx = Fixture::find("nginx")?;
    let mut topology = Topology::new();
    let pod = topology.pod("web");
    let app = topology.container(
        pod,
        NodeSpec::new("nginx")
            .rootfs(&nginx)
            .volume("/run/site", Volume::named("site")),
    );
    let sidecar = topology.container(
        pod,
        NodeSpec::new("sidecar").volume("/tmp/logs", Volume::named("site")),
    );
    let client = topology.node("client");
    topology.link(client, pod);
    let lab = topology.start()?;
    fs::write(lab.volume("site")?.join("nginx.conf"), page())?;
    fs::write(lab.volume("site")?.join("index.html"), "from the pod")?;
    let server = lab[app]
        .command("nginx")
        .args(["-c", "/run/site/nginx.conf"])
        .spawn()?;
    server.wait_for_port(80)?;
    assert_eq!(get(&lab, client, "web")?, "from the pod");
    assert_eq!(get(&lab, sidecar, "localhost")?, "from the pod");
    let line = format!("{} - - ", lab[client].ip());
    lab[sidecar].wait_until(|| {
        let log = fs::read_to_string("/tmp/logs/access.log").unwrap_or_default();
        if log.contains(&line) {
            Ok(())
        } else {
            Err(log)
        }
    })?;
    Ok(())
}

/// Returns the user and group of nginx' worker, as the node's own `/proc` has them. The worker has
/// its name only once it has its final user.
fn worker(lab: &Lab, node: NodeId) -> TestResult<[u32; 2]> {
    let find = || -> std::io::Result<String> {
        for entry in fs::read_dir("/proc")? {
            let dir = entry?.path();
            let cmdline = fs::read_to_string(dir.join("cmdline")).unwrap_or_default();
            if cmdline.starts_with("nginx: worker process") {
                return fs::read_to_string(dir.join("status"));
            }
        }
        Err(std::io::ErrorKind::NotFound.into())
    };
    let status = lab.wait_until(|| lab[node].run(find))?;
    let of = |field: &str| -> TestResult<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let first = line.and_then(|line| line.split_whitespace().next());
        Ok(first.ok_or("an id is missing")?.parse()?)
    };
    Ok([of("Uid:")?, of("Gid:")?])
}

/// The test tells nginx only to stay in the foreground; its configuration says `user www-data`.
#[snowglobe::test(fixtures("nginx"), requires(id_range))]
fn nginx_as_debian_has_it_is_www_data() -> TestResult {
    let nginx = Fixture::find("nginx")?;
    for users in [Users::Trial, Users::Range(1000)] {
        let serve = StartCommand::new("nginx").args(["-g", "daemon off;"]);
        let spec = NodeSpec::new("web").rootfs(&nginx).users(users);
        let mut topology = Topology::new();
        let web = topology.node(spec.command(serve.ready_port(80)));
        let client = topology.node("client");
        topology.link(web, client);
        let lab = topology.start()?;
        let passwd = lab[web].run(|| fs::read_to_string("/etc/passwd"))?;
        let line = passwd
            .lines()
            .find_map(|line| line.strip_prefix("www-data:x:"));
        let ids: Vec<&str> = line.ok_or("www-data")?.split(':').take(2).collect();
        assert_eq!(ids, ["33", "33"], "{passwd}");
        assert_eq!(worker(&lab, web)?, [33, 33]);
        let outside = lab.inspect(web)?.processes;
        assert!(
            outside.iter().any(|process| process.uid == 33),
            "{outside:#?}"
        );
        // nginx reads its files as www-data, and the directories that it writes to belong to
        // www-data.
        lab[web].run(|| fs::write("/var/www/html/index.html", "hello"))?;
        assert_eq!(get(&lab, client, "web")?, "hello");
        let body = lab[web].run(|| fs::metadata("/var/lib/nginx/body"))?;
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&body), 33);
        lab[web].restart()?;
        assert_eq!(get(&lab, client, "web")?, "hello");
        assert_eq!(worker(&lab, web)?, [33, 33]);
    }
    Ok(())
}

/// If there is a single id, everybody is root.
#[snowglobe::test(fixtures("nginx"))]
fn nginx_is_root_where_a_single_id_is_mapped() -> TestResult {
    let mut topology = Topology::new();
    let web = topology.node("web");
    let _dir = sites(&mut topology, &["web"])?;
    topology.edit_node(web, |spec| spec.users(Users::One));
    let lab = topology.start()?;
    assert_eq!(get(&lab, web, "localhost")?, "web");
    assert_eq!(worker(&lab, web)?, [0, 0]);
    Ok(())
}

/// Returns a node that serves redis from a volume of its own, with some more arguments.
fn redis_node(fixture: &Fixture, name: &str, extra: &[&str]) -> NodeSpec {
    let address = ["--port", "6379", "--bind", "*", "--protected-mode", "no"];
    let disk = ["--dir", "/run/data", "--appendonly", "yes"];
    let at_once = [
        "--appendfsync",
        "always",
        "--save",
        "",
        "--repl-diskless-sync-delay",
        "0",
    ];
    let server = StartCommand::new("redis-server")
        .args(address)
        .args(disk)
        .args(at_once)
        .args(extra.iter().copied())
        .ready_port(6379);
    NodeSpec::new(name)
        .rootfs(fixture)
        .volume("/run/data", Volume::named(name))
        .command(server)
}

#[snowglobe::test(fixtures("redis"), timeout = "60s")]
fn a_redis_primary_crashes_and_comes_back_from_its_volume() -> TestResult {
    let fixture = Fixture::find("redis")?;
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let primary = topology.node(redis_node(&fixture, "primary", &[]));
    let replicas = ["replica1", "replica2"].map(|name| {
        topology.node(redis_node(
            &fixture,
            name,
            &["--replicaof", "primary", "6379"],
        ))
    });
    for node in [primary, replicas[0], replicas[1]] {
        topology.plug(node, lan);
    }
    let lab = topology.start()?;
    lab.set_patience(Duration::from_secs(30));
    assert_eq!(redis(&lab[primary], "SET colour blue")?, "+OK");
    let has = |node: NodeId, value: &str| {
        let seen = redis(&lab[node], "GET colour").map_err(|error| format!("{error:?}"))?;
        if seen.ends_with(value) {
            Ok(())
        } else {
            Err(seen)
        }
    };
    for replica in replicas {
        lab.wait_until(|| has(replica, "blue"))?;
    }
    lab[primary].crash()?;
    assert!(
        lab[replicas[0]]
            .run(|| TcpStream::connect("primary:6379"))
            .is_err()
    );
    for replica in replicas {
        has(replica, "blue")?;
    }
    lab[primary].restart()?;
    has(primary, "blue")?;
    assert_eq!(redis(&lab[primary], "SET colour red")?, "+OK");
    for replica in replicas {
        lab.wait_until(|| has(replica, "red"))?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("redis"), timeout = "60s")]
fn a_server_that_daemonizes_is_waited_for() -> TestResult {
    let fixture = Fixture::find("redis")?;
    let mut topology = Topology::new();
    let [server, other] =
        ["server", "other"].map(|name| topology.node(NodeSpec::new(name).rootfs(&fixture)));
    topology.link(server, other);
    let lab = topology.start()?;
    let mut redis = lab[server].command("redis-server");
    let parent = redis.args(["--daemonize", "yes", "--save", ""]).spawn()?;
    parent.wait_for_port(6379)?;
    let mut redis = lab[other].command("redis-server");
    let parent = redis
        .args(["--daemonize", "yes", "--port", "none"])
        .spawn()?;
    let error = parent.wait_for_port(6379).unwrap_err().to_string();
    assert!(
        error.contains("exited with code 1 before it listened"),
        "{error}"
    );
    Ok(())
}
