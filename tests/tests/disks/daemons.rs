//! Real daemons on disks with faults: what they have acknowledged survives a power cut, and what
//! they are told not to sync does not.

use snowglobe::Lab;
use snowglobe::fault::{DiskFault, Fault};
use snowglobe::lab::{Node, Process};
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe_tests::daemons::postgresql::Postgresql;
use snowglobe_tests::daemons::{answer, etcdctl_in_time, redis};

use crate::support::has_fuse;

/// Time for a daemon to recover on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// Returns a machine with the files of a fixture, whose data are on a disk with faults.
fn server_on_disk(fixture: &Fixture) -> NodeSpec {
    let data = Volume::named("data").with_faults();
    NodeSpec::new("server")
        .rootfs(fixture)
        .volume("/data", data)
}

/// Starts a lab with such a machine alone.
fn alone(fixture: &str) -> TestResult<Lab> {
    let mut topology = Topology::new();
    topology.node(server_on_disk(&Fixture::find(fixture)?));
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    Ok(lab)
}

/// A machine with PostgreSQL, whose data are on a disk with faults, and a client.
struct Database {
    lab: Lab,
    server: NodeId,
    client: NodeId,
    postgresql: Postgresql,
}

impl Database {
    /// Makes a database with an empty table, and serves it.
    fn start(fsync: bool) -> TestResult<(Self, Process)> {
        let fixture = Fixture::find("postgresql")?;
        let mut topology = Topology::new();
        let server = topology.node(server_on_disk(&fixture));
        let client = topology.node(NodeSpec::new("client").rootfs(&fixture));
        topology.link(client, server);
        let lab = topology.start()?;
        lab.set_patience(PATIENCE);
        let database = Self {
            server,
            client,
            postgresql: Postgresql::of(&fixture, fsync)?,
            lab,
        };
        database.postgresql.init(database.node())?;
        let process = database.serve()?;
        database.must("create table t (n int, filler text)")?;
        database.must("checkpoint")?;
        // The beginning is the same for both settings of fsync: a database at rest.
        database.lab.disk("data")?.sync()?;
        Ok((database, process))
    }

    fn node(&self) -> &Node {
        &self.lab[self.server]
    }

    /// Starts the server, and waits until it answers.
    fn serve(&self) -> TestResult<Process> {
        let process = self.postgresql.serve(self.node())?;
        process.wait_for_port(5432)?;
        self.lab.wait_until(|| self.ask("select 1"))?;
        Ok(process)
    }

    /// Returns the answer of the server, or what it says instead.
    fn ask(&self, query: &str) -> Result<String, String> {
        let client = &self.lab[self.client];
        let to = "host=server user=postgres connect_timeout=5";
        answer(&mut self.postgresql.psql(client, to, query))
    }

    fn must(&self, query: &str) -> TestResult<String> {
        Ok(self.ask(query)?)
    }

    fn insert(&self, number: u32) -> Result<String, String> {
        self.ask(&format!(
            "insert into t values ({number}, repeat('x', 500))"
        ))
    }

    fn rows(&self) -> TestResult<u32> {
        Ok(self.must("select count(*) from t")?.trim().parse()?)
    }

    /// Inserts rows, cuts the power right after the last acknowledgement, and counts the rows that
    /// the next start finds.
    fn rows_after_crash(&self, count: u32) -> TestResult<u32> {
        for number in 0..count {
            self.insert(number)?;
        }
        self.node().crash()?;
        self.node().restart()?;
        let _server = self.serve()?;
        self.rows()
    }
}

#[snowglobe::test(fixtures("postgresql"), timeout = "120s")]
fn postgresql_keeps_every_committed_row_in_a_power_cut() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let (database, _process) = Database::start(true)?;
    assert_eq!(database.rows_after_crash(20)?, 20);
    Ok(())
}

/// The disk makes the difference: with `fsync=off` the same rows are acknowledged, and lost.
#[snowglobe::test(fixtures("postgresql"), timeout = "120s")]
fn postgresql_without_fsync_loses_rows_in_a_power_cut() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let (database, _process) = Database::start(false)?;
    let left = database.rows_after_crash(20)?;
    assert!(left < 20, "{left} rows are left");
    Ok(())
}

#[snowglobe::test(fixtures("postgresql"), timeout = "120s")]
fn postgresql_loses_nothing_on_a_full_disk() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let (database, process) = Database::start(true)?;
    let mut committed = 0;
    while committed < 10 {
        database.insert(committed)?;
        committed += 1;
    }
    let full = database
        .lab
        .inject(Fault::disk("server", DiskFault::full()))?;
    // Pages of the table that have their space are filled first.
    let refused = loop {
        match database.insert(committed) {
            Ok(_) => committed += 1,
            Err(refused) => break refused,
        }
        assert!(committed < 500, "the disk is full, and takes row after row");
    };
    assert!(refused.contains("No space left on device"), "{refused}");
    full.heal()?;
    drop(process);
    database.node().kill_processes()?;
    database.node().restart()?;
    let _server = database.serve()?;
    assert_eq!(database.rows()?, committed);
    database.insert(committed)?;
    Ok(())
}

#[snowglobe::test(fixtures("redis"), timeout = "60s")]
fn redis_keeps_what_it_syncs_and_loses_what_it_does_not() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    for (appendfsync, left) in [("always", ":50"), ("no", ":0")] {
        let lab = alone("redis")?;
        let node = lab.node("server").ok_or("no server")?;
        let serve = || -> TestResult<Process> {
            let process = node
                .command("redis-server")
                .args(["--dir", "/data", "--appendonly", "yes", "--save", ""])
                .args(["--appendfsync", appendfsync])
                .may_die()
                .spawn()?;
            process.wait_for_port(6379)?;
            Ok(process)
        };
        let _first = serve()?;
        lab.disk("data")?.sync()?;
        for number in 0..50 {
            assert_eq!(redis(node, &format!("SET key{number} value"))?, "+OK");
        }
        node.crash()?;
        node.restart()?;
        let _second = serve()?;
        let counted = lab.wait_until(|| match redis(node, "DBSIZE") {
            Ok(answer) if answer.starts_with(':') => Ok(answer),
            Ok(early) => Err(early),
            Err(error) => Err(error.to_string()),
        })?;
        assert_eq!(counted, left, "appendfsync {appendfsync}");
    }
    Ok(())
}

/// etcd maps its database into memory, preallocates its log, and locks both.
#[snowglobe::test(fixtures("etcd"), timeout = "90s")]
fn etcd_keeps_what_it_has_acknowledged_in_a_power_cut() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = alone("etcd")?;
    let node = lab.node("server").ok_or("no server")?;
    let serve = || {
        node.command("etcd")
            .args([
                "--data-dir",
                "/data/etcd",
                "--logger",
                "zap",
                "--log-level",
                "error",
            ])
            .may_die()
            .spawn()
    };
    let _first = serve()?;
    for number in 0..10 {
        etcdctl_in_time(&lab, node, &["put", &format!("key{number}"), "value"])?;
    }
    node.crash()?;
    node.restart()?;
    let _second = serve()?;
    let get = ["get", "key", "--prefix", "--keys-only"];
    let keys = etcdctl_in_time(&lab, node, &get)?;
    let keys = keys.lines().filter(|line| line.starts_with("key"));
    assert_eq!(keys.count(), 10);
    Ok(())
}
