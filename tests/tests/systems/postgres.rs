//! PostgreSQL, a primary and a streaming replica: what was committed is there after a power cut and
//! a full disk, unless PostgreSQL was told not to sync.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use snowglobe::Lab;
use snowglobe::fault::{DiskFault, Fault};
use snowglobe::history::checks::sets;
use snowglobe::history::models::{SetOp, SetRet};
use snowglobe::history::{AnomalyKind, Client, Completion, History, Recorder, recorder};
use snowglobe::lab::{Command, Node, Process};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::answer;
use snowglobe_tests::daemons::postgresql::Postgresql;
use snowglobe_tests::has_fuse;

type Call = SetOp<u32>;
type Ret = SetRet<u32>;

/// Number of clients that insert at the same time.
const CLIENTS: usize = 3;

/// A primary, a replica that streams from it, both with disks that have faults, and a client.
struct Pair {
    lab: Lab,
    postgresql: Postgresql,
    servers: Vec<Process>,
}

impl Pair {
    /// Starts both. With `fsync=off` the replica is not waited for at a commit.
    fn start(fsync: bool) -> TestResult<Self> {
        let fixture = Fixture::find("postgresql")?;
        let mut topology = Topology::new();
        let lan = topology.switch("lan");
        for name in ["primary", "replica"] {
            let disk = Volume::named(name).with_faults();
            let node = NodeSpec::new(name).rootfs(&fixture).volume("/data", disk);
            let node = topology.node(node);
            topology.plug(node, lan);
        }
        let client = topology.node(NodeSpec::new("client").rootfs(&fixture));
        topology.plug(client, lan);
        let lab = topology.start()?;
        lab.set_patience(Duration::from_secs(60));
        let mut pair = Self {
            postgresql: Postgresql::of(&fixture, fsync)?,
            servers: Vec::new(),
            lab,
        };
        pair.begin()?;
        if fsync {
            pair.must("alter system set synchronous_standby_names = '*'")?;
            pair.must("select pg_reload_conf()")?;
        }
        let wanted = if fsync { "sync" } else { "async" };
        pair.lab.wait_until(|| {
            let state = pair.ask("primary", "select sync_state from pg_stat_replication")?;
            match state.trim() == wanted {
                true => Ok(()),
                false => Err(format!("the replica is {state:?}")),
            }
        })?;
        // The beginning is the same for both settings of fsync: a database at rest.
        pair.must("checkpoint")?;
        pair.lab.disk("primary")?.sync()?;
        Ok(pair)
    }

    fn begin(&mut self) -> TestResult {
        self.postgresql.init(self.node("primary")?)?;
        self.serve("primary")?;
        self.must("create table numbers (number int primary key, filler text)")?;
        let replica = self.node("replica")?;
        let mut copy = self.postgresql.program(replica, "pg_basebackup");
        // With -R it leaves a standby.signal, and says where the primary is.
        let options = [
            "-h", "primary", "-U", "postgres", "-D", "/data/db", "-R", "-c", "fast",
        ];
        let copied = copy.args(options).output()?;
        assert!(copied.status.success(), "{copied:?}");
        self.serve("replica")
    }

    fn node(&self, name: &str) -> TestResult<&Node> {
        Ok(self.lab.node(name).ok_or("no such node")?)
    }

    /// Starts a server, and waits until it answers.
    fn serve(&mut self, node: &str) -> TestResult {
        let process = self.postgresql.serve(self.node(node)?)?;
        self.servers.push(process);
        self.lab.wait_until(|| self.ask(node, "select 1"))?;
        Ok(())
    }

    fn psql(&self, node: &str, query: &str) -> TestResult<Command<'_>> {
        // A server without power says nothing, and its kernel neither.
        let to = format!(
            "host={node} user=postgres connect_timeout=15 keepalives_idle=1 \
             keepalives_interval=1 keepalives_count=2 tcp_user_timeout=3000"
        );
        Ok(self.postgresql.psql(self.node("client")?, &to, query))
    }

    /// Returns the answer of a server, or what `psql` says instead.
    fn ask(&self, node: &str, query: &str) -> Result<String, String> {
        let psql = self.psql(node, query);
        answer(&mut psql.map_err(|error| error.to_string())?)
    }

    fn must(&self, query: &str) -> TestResult<String> {
        Ok(self.ask("primary", query)?)
    }

    fn insert(&self, number: u32) -> Completion<Ret> {
        let query = format!("insert into numbers values ({number}, repeat('x', 500))");
        let run = |query| -> TestResult<Completion<Ret>> {
            let output = self.psql("primary", query)?.output()?;
            let said = output.stderr_str();
            // psql(1): 1 or 3 after an error of the query, 2 after one of the connection.
            Ok(match output.status.code() {
                Some(0) => Completion::Ok(SetRet::Done),
                Some(1 | 3) => Completion::Failed(said),
                _ => Completion::Unknown(said),
            })
        };
        run(&query).unwrap_or_else(|error| Completion::Failed(error.to_string()))
    }

    /// Inserts one number after another, until a commit fails or is not answered.
    fn insert_all(&self, client: &Client<Call, Ret>, next: &AtomicU32) {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let completion = client.call(SetOp::Add(number), || self.insert(number));
            if !completion.is_ok() {
                return;
            }
        }
    }

    /// Lets clients insert numbers, and does something to them when 30 were committed.
    fn insert_until(
        &self,
        recorder: &Recorder<Call, Ret>,
        deed: impl FnOnce() -> TestResult,
    ) -> TestResult {
        let next = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let client = recorder.client("primary");
                let next = &next;
                scope.spawn(move || self.insert_all(&client, next));
            }
            self.lab
                .wait_until(|| match committed(&recorder.history()) {
                    30.. => Ok(()),
                    fewer => Err(format!("{fewer} rows were committed")),
                })?;
            deed()
        })
    }

    /// Reads all numbers that a server has.
    fn read(&self, node: &str, recorder: &Recorder<Call, Ret>) -> TestResult {
        let client = recorder.client(node);
        let read = client.call(SetOp::Read, || -> Result<Ret, String> {
            let rows = self.ask(node, "select number from numbers")?;
            let numbers = rows
                .lines()
                .map(str::parse::<u32>)
                .collect::<Result<_, _>>();
            numbers
                .map(SetRet::Elements)
                .map_err(|error| error.to_string())
        });
        assert!(read.is_ok(), "{read:?}");
        Ok(())
    }

    /// Makes the replica a server by itself, which has all that has come from the primary.
    fn promote(&self) -> TestResult {
        let promoted = self.ask("replica", "select pg_promote()")?;
        assert_eq!(promoted.trim(), "t");
        Ok(())
    }

    /// Cuts the power of the primary in the middle of commits, and reads what is left.
    fn record_power_cut(&mut self) -> TestResult<History<Call, Ret>> {
        let recorder = recorder();
        self.insert_until(&recorder, || Ok(self.node("primary")?.crash()?))?;
        self.promote()?;
        self.read("replica", &recorder)?;
        self.node("primary")?.restart()?;
        self.serve("primary")?;
        self.read("primary", &recorder)?;
        let history = recorder.history();
        snowglobe::note(format!("{} rows were committed", committed(&history)));
        Ok(history)
    }
}

/// Checks what each server has by itself: the replica that was promoted goes its own way, so that a
/// row whose commit nobody heard of may be at one of them alone.
fn keeps_at_each_server(history: &History<Call, Ret>) -> TestResult {
    for server in ["primary", "replica"] {
        let seen = history.filter(|it| it.call != SetOp::Read || &*it.node == server);
        sets(&seen).into_result()?;
    }
    Ok(())
}

fn committed(history: &History<Call, Ret>) -> usize {
    let adds = history.operations().iter();
    adds.filter(|it| it.completion.is_ok()).count()
}

#[snowglobe::test(fixtures("postgresql"), timeout = "180s")]
fn committed_rows_are_at_the_primary_and_at_the_replica_after_a_power_cut() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let history = Pair::start(true)?.record_power_cut()?;
    keeps_at_each_server(&history)
}

#[snowglobe::test(fixtures("postgresql"), timeout = "180s")]
fn without_fsync_the_checker_finds_rows_that_were_committed_and_are_lost() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let mut pair = Pair::start(false)?;
    let history = pair.record_power_cut()?;
    let report = sets(&history).during(pair.lab.fault_intervals());
    assert!(report.has(AnomalyKind::LostWrite), "{report}");
    Ok(())
}

#[snowglobe::test(fixtures("postgresql"), timeout = "180s")]
fn a_full_disk_loses_no_committed_row_of_the_primary_or_the_replica() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let mut pair = Pair::start(true)?;
    let recorder = recorder();
    let mut full = None;
    pair.insert_until(&recorder, || {
        let fault = Fault::disk("primary", DiskFault::full());
        full = Some(pair.lab.inject(fault)?);
        Ok(())
    })?;
    // The clients go on for as long as commits fit into pages that have their space.
    let history = recorder.history();
    let refused = history
        .operations()
        .iter()
        .filter(|it| !it.completion.is_ok());
    assert_eq!(refused.count(), CLIENTS);
    let said = pair.node("primary")?.last_lines();
    assert!(said.contains("No space left on device"), "{said}");
    full.ok_or("the disk was not full")?.heal()?;
    pair.node("primary")?.kill_processes()?;
    pair.node("primary")?.restart()?;
    pair.serve("primary")?;
    pair.read("primary", &recorder)?;
    pair.promote()?;
    pair.read("replica", &recorder)?;
    let history = recorder.history();
    snowglobe::note(format!("{} rows were committed", committed(&history)));
    keeps_at_each_server(&history)
}
