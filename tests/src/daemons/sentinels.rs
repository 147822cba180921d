//! redis with a sentinel beside it, and a client that speaks redis' protocol.

use std::io::{self, BufReader, Error, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Duration;

use snowglobe::history::Completion;
use snowglobe::lab::{Node, RunningCluster};
use snowglobe::topology::{NodeSpec, StartCommand};
use snowglobe::{Cluster, Fixture, TestResult};

use crate::connection::{connect, line};

/// Port of redis.
pub const STORE: u16 = 6379;

/// Port of sentinels.
const SENTINEL: u16 = 26379;

const CONFIGURATION: &str = "port 26379
protected-mode no
sentinel resolve-hostnames yes
sentinel monitor store r0 6379 2
sentinel down-after-milliseconds store 500
sentinel failover-timeout store 3000
";

/// Starts the nodes `r0` to `r2`, and returns when their sentinels know each other.
pub fn three_redis() -> TestResult<RunningCluster> {
    let redis = Fixture::find("redis")?;
    let members = (0..3).map(|number| redis_with_sentinel(number, &redis));
    let members: Vec<NodeSpec> = members.collect::<TestResult<_>>()?;
    let cluster = Cluster::of(3, |number| members[number].clone());
    let cluster = cluster.ready(|node| {
        let mut sentinel = own_sentinel(node, Duration::from_millis(500))?;
        let told = format!("{:?}", sentinel.ask("INFO sentinel"));
        // All know each other: two replicas, and three sentinels with this one.
        match told.contains("slaves=2,sentinels=3") {
            true => Ok(()),
            false => Err(told),
        }
    });
    Ok(cluster.start()?)
}

/// Makes the node `r` with this number: a redis that replicates `r0`, or `r0` itself, and a
/// sentinel that watches over `r0` as `store`.
fn redis_with_sentinel(number: usize, redis: &Fixture) -> TestResult<NodeSpec> {
    let dir = std::env::temp_dir().join(format!("sentinel{number}"));
    std::fs::create_dir_all(&dir)?;
    // A sentinel rewrites its configuration.
    std::fs::write(dir.join("sentinel.conf"), CONFIGURATION)?;
    let mut store = StartCommand::new("redis-server")
        .args(["--bind", "0.0.0.0", "--protected-mode", "no"])
        .args(["--save", "", "--dir", "/tmp"])
        .ready_port(STORE);
    if number > 0 {
        store = store.args(["--replicaof", "r0", "6379"]);
    }
    let sentinel = StartCommand::new("redis-server")
        .args(["/run/sentinel/sentinel.conf", "--sentinel", "--dir", "/tmp"])
        .ready_port(SENTINEL);
    Ok(NodeSpec::new(format!("r{number}"))
        .rootfs(redis)
        .bind("/run/sentinel", dir)
        .command(store)
        .command(sentinel))
}

/// An answer of redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A text, or a number as text.
    Text(String),
    /// Several answers.
    List(Vec<Reply>),
    /// Nothing.
    Nil,
}

impl Reply {
    /// Returns the texts of a list.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(all) => all.iter().flat_map(Self::texts).collect(),
            Self::Nil => Vec::new(),
        }
    }
}

/// A connection to a redis or a sentinel.
#[derive(Debug)]
pub struct RedisConnection {
    stream: BufReader<TcpStream>,
}

impl RedisConnection {
    /// Connects from a node; answers are waited for so long.
    ///
    /// # Errors
    /// Nobody listens, or the node is down.
    pub fn open(from: &Node, to: (IpAddr, u16), limit: Duration) -> io::Result<Self> {
        let stream = connect(from, to.into(), limit)?;
        Ok(Self { stream })
    }

    /// Sends one command, and returns its answer. What redis refuses has not happened; after a
    /// broken connection nobody knows.
    pub fn ask(&mut self, command: &str) -> Completion<Reply> {
        let sent = self
            .stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes());
        match sent.and_then(|()| self.reply()) {
            Ok(Ok(reply)) => Completion::Ok(reply),
            Ok(Err(refused)) => Completion::Failed(refused),
            Err(error) => Completion::Unknown(error.to_string()),
        }
    }

    /// Reads an answer: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
    fn reply(&mut self) -> io::Result<Result<Reply, String>> {
        let line = line(&mut self.stream)?;
        let (kind, rest) = line.split_at_checked(1).ok_or(ErrorKind::InvalidData)?;
        let count = || {
            rest.parse::<i64>()
                .map_err(|_| Error::from(ErrorKind::InvalidData))
        };
        let reply = match kind {
            "+" | ":" => Reply::Text(rest.to_owned()),
            "-" => return Ok(Err(rest.to_owned())),
            "$" | "*" if count()? < 0 => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; count()? as usize + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => {
                let mut all = Vec::new();
                for _ in 0..count()? {
                    match self.reply()? {
                        Ok(reply) => all.push(reply),
                        Err(refused) => return Ok(Err(refused)),
                    }
                }
                Reply::List(all)
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        };
        Ok(Ok(reply))
    }
}

/// Connects to the sentinel of a node, from within the node.
fn own_sentinel(node: &Node, limit: Duration) -> Result<RedisConnection, String> {
    let sentinel = RedisConnection::open(node, (Ipv4Addr::LOCALHOST.into(), SENTINEL), limit);
    sentinel.map_err(|error| error.to_string())
}

/// Returns the address of the master, as the sentinel of a node knows it.
///
/// # Errors
/// The sentinel does not answer, or knows of no master.
pub fn master(node: &Node, limit: Duration) -> Result<IpAddr, String> {
    let answer = own_sentinel(node, limit)?.ask("SENTINEL GET-MASTER-ADDR-BY-NAME store");
    let master = answer.ok().and_then(|it| it.texts().first()?.parse().ok());
    master.ok_or_else(|| format!("{answer:?}"))
}
