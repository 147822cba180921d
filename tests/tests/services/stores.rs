//! etcd and PostgreSQL run from their first start to the answer to a query from another node.

use std::fs;

use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, Rootfs, StartCommand};
use snowglobe_tests::daemons::{
    etcd_member, etcdctl_in_time, postgresql_account, postgresql_programs,
};

/// Time for three etcds to elect one of them.
const PATIENCE: Duration = Duration::from_secs(40);

fn etcd(name: &str, names: &[&str], fixture: &Fixture) -> NodeSpec {
    let serve = StartCommand::new("etcd")
        .args(etcd_member(name, names))
        .args(["--log-level", "error"]);
    NodeSpec::new(name)
        .rootfs(fixture)
        .volume("/run/data", Volume::named(name))
        .command(serve)
}

#[snowglobe::test(fixtures("etcd"), timeout = "90s")]
fn three_etcd_agree_and_go_on_without_one() -> TestResult {
    let fixture = Fixture::find("etcd")?;
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let names = ["one", "two", "three"];
    let members = names.map(|name| topology.node(etcd(name, &names, &fixture)));
    let root = Rootfs::from(&fixture);
    assert_eq!(root, Rootfs::Fixture("etcd".to_owned()));
    let client = topology.node(NodeSpec::new("client").rootfs(root));
    for node in members.into_iter().chain([client]) {
        topology.plug(node, lan);
    }
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let put = ["--endpoints", "http://one:2379", "put", "colour", "blue"];
    assert_eq!(etcdctl_in_time(&lab, &lab[client], &put)?, "OK\n");
    lab[members[0]].crash()?;
    let get = [
        "--endpoints",
        "http://two:2379,http://three:2379",
        "get",
        "colour",
    ];
    let got = etcdctl_in_time(&lab, &lab[client], &get)?;
    assert_eq!(got, "colour\nblue\n");
    Ok(())
}

/// Makes a database in a node, and serves it to clients that know the password `secret`.
fn serve_postgresql(
    node: &snowglobe::lab::Node,
    fixture: &Fixture,
) -> TestResult<snowglobe::lab::Process> {
    let (uid, gid) = postgresql_account(fixture)?;
    let bin = postgresql_programs(fixture)?;
    node.run(|| fs::write("/tmp/password", "secret\n"))?;
    let as_postgres = |program: &str| {
        let mut command = node.command(format!("{bin}/{program}"));
        command
            .user(uid, gid)
            .current_dir("/tmp")
            .args(["-D", "/tmp/data"]);
        command
    };
    let made = as_postgres("initdb")
        .args([
            "--no-sync",
            "--locale=C",
            "--auth=trust",
            "--pwfile=/tmp/password",
        ])
        .output()?;
    assert!(made.status.success(), "{made:?}");
    node.run(|| {
        let rules = fs::File::options()
            .append(true)
            .open("/tmp/data/pg_hba.conf");
        rules.and_then(|mut rules| rules.write_all(b"host all all samenet scram-sha-256\n"))
    })?;
    let server = as_postgres("postgres")
        .args(["-h", "*", "-k", "/tmp"])
        .spawn()?;
    server.wait_for_port(5432)?;
    Ok(server)
}

/// Waits until the server takes connections. PostgreSQL listens before it has recovered, and
/// refuses early clients with one sentence or another, all of SQLSTATE 57P03, which `pg_isready`
/// looks at.
fn wait_for_postgresql(lab: &Lab, client: NodeId, server: &str, bin: &str) -> TestResult {
    Ok(lab.wait_until(|| {
        let output = lab[client]
            .command(format!("{bin}/pg_isready"))
            .args(["-h", server])
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(output.stdout_str() + &output.stderr_str()),
        }
    })?)
}

/// PostgreSQL refuses to run as root, and a trial of an ordinary user has no other id.
#[snowglobe::test(fixtures("postgresql"), timeout = "90s")]
fn postgresql_answers_over_the_network() -> TestResult {
    let fixture = Fixture::find("postgresql")?;
    let mut topology = Topology::new();
    let database = topology.node(NodeSpec::new("database").rootfs(&fixture));
    let client = topology.node(NodeSpec::new("client").rootfs(&fixture));
    topology.link(client, database);
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let _server = serve_postgresql(&lab[database], &fixture)?;
    let bin = postgresql_programs(&fixture)?;
    let ask = |password: &str, query: &str| {
        lab[client]
            .command(format!("{bin}/psql"))
            .args(["-h", "database", "-U", "postgres", "-tAc", query])
            .env("PGPASSWORD", password)
            .output()
    };
    wait_for_postgresql(&lab, client, "database", &bin)?;
    let added = ask(
        "secret",
        "create table t as select generate_series(1, 100) as n",
    )?;
    assert_eq!(added.stdout_str(), "SELECT 100\n", "{added:?}");
    assert_eq!(
        ask("secret", "select sum(n) from t")?.stdout_str(),
        "5050\n"
    );
    let refused = ask("wrong", "select 1")?;
    assert!(
        refused
            .stderr_str()
            .contains("password authentication failed"),
        "{refused:?}"
    );
    Ok(())
}

/// A hundred trials of this kind would each have a database of their own, without making any: the
/// nodes of this one stand for them.
#[snowglobe::test(fixtures("postgresql", "orders"), timeout = "90s")]
fn each_clone_of_a_template_is_a_database_of_its_own() -> TestResult {
    let (fixture, orders) = (Fixture::find("postgresql")?, Fixture::find("orders")?);
    let mut topology = Topology::new();
    let database = |name: &str| {
        NodeSpec::new(name)
            .rootfs(&fixture)
            .volume("/data", Volume::clone_of(&orders))
    };
    let nodes = [
        topology.node(database("one")),
        topology.node(database("two")),
    ];
    topology.link(nodes[0], nodes[1]);
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let (uid, gid) = postgresql_account(&fixture)?;
    let bin = postgresql_programs(&fixture)?;
    let serve = |node: NodeId| -> TestResult<snowglobe::lab::Process> {
        let server = lab[node]
            .command(format!("{bin}/postgres"))
            .root_shown_as(uid, gid)
            .args(["-D", "/data", "-h", "*", "-k", "/tmp"])
            .spawn()?;
        server.wait_for_port(5432)?;
        wait_for_postgresql(&lab, nodes[1], lab[node].name(), &bin)?;
        Ok(server)
    };
    let ask = |on: NodeId, query: &str| -> TestResult<String> {
        let output = lab[nodes[1]]
            .command(format!("{bin}/psql"))
            .args(["-h", lab[on].name(), "-U", "postgres", "-tAc", query])
            .output()?;
        assert!(output.status.success(), "{output:?}");
        Ok(output.stdout_str())
    };
    let servers = [serve(nodes[0])?, serve(nodes[1])?];
    assert_eq!(ask(nodes[0], "select count(*) from orders")?, "10000\n");
    ask(nodes[0], "delete from orders where id > 1")?;
    assert_eq!(ask(nodes[0], "select count(*) from orders")?, "1\n");
    assert_eq!(ask(nodes[1], "select count(*) from orders")?, "10000\n");
    // The volume is the node's disk: a machine without power comes back with what was committed.
    drop(servers);
    lab[nodes[0]].crash()?;
    lab[nodes[0]].restart()?;
    let _server = serve(nodes[0])?;
    assert_eq!(ask(nodes[0], "select count(*) from orders")?, "1\n");
    Ok(())
}
