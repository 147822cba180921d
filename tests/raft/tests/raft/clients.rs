//! Clients of the register, two beside each member, recorded.

use std::io::{BufRead, BufReader, Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;

use snowglobe::history::models::{On, RegisterOp, RegisterRet};
use snowglobe::history::{Client, Completion};
use snowglobe::lab::Node;
use snowglobe::prelude::*;

pub(crate) type Call = On<&'static str, RegisterOp<Option<u64>>>;
pub(crate) type Ret = RegisterRet<Option<u64>>;

/// Time after which a client gives up. A write that nothing disturbs takes 50 ms.
const GIVES_UP: Duration = Duration::from_millis(200);

/// The clients' share in what goes on.
#[derive(Default)]
pub(crate) struct Work {
    /// Whether the clients are to stop.
    pub(crate) is_over: AtomicBool,
    /// Number of operations that were acknowledged.
    pub(crate) acknowledged: AtomicU64,
}

/// A connection to a member.
struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects from within the member's node, where no partition is in between: a leader that has
    /// lost its followers has its clients still.
    fn open(node: &Node) -> Option<Self> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 7000));
        let connect = || TcpStream::connect_timeout(&to, GIVES_UP);
        let stream = node.try_run(connect).ok()?.ok()?;
        stream.set_read_timeout(Some(GIVES_UP)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        let whole = answer.strip_suffix('\n');
        whole.map(str::to_owned).ok_or(Error::other("no answer"))
    }

    fn call(&mut self, On { key, call }: &Call) -> Completion<Ret> {
        let line = match call {
            RegisterOp::Write(Some(value)) => format!("set {key} {value}"),
            _ => format!("get {key}"),
        };
        let answer = match self.ask(&line) {
            Ok(answer) => answer,
            Err(error) => return Completion::Unknown(error.to_string()),
        };
        match answer.split_once(' ') {
            None if answer == "done" => Completion::Ok(RegisterRet::Done),
            None if answer == "nothing" => Completion::Ok(RegisterRet::Value(None)),
            Some(("value", value)) => Completion::Ok(RegisterRet::Value(value.parse().ok())),
            Some(("no", _)) => Completion::Failed(answer),
            _ => Completion::Unknown(answer),
        }
    }
}

/// Reads, or writes, until the work is over. The keys come from the trial's seed.
pub(crate) fn work(node: &Node, client: &Client<Call, Ret>, reads: bool, work: &Work) {
    let seed = snowglobe::seed() ^ (u64::from(client.id().0) << 32);
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut connection = None;
    for number in 0.. {
        if work.is_over.load(Ordering::Relaxed) {
            return;
        }
        connection = connection.or_else(|| Connection::open(node));
        let Some(open) = &mut connection else {
            sleep(Duration::from_millis(20));
            continue;
        };
        let key = ["x", "y"][dice.usize(..2)];
        let call = match reads {
            true => RegisterOp::Read,
            // No value is written twice, so that a read tells which write it has seen.
            false => RegisterOp::Write(Some(u64::from(client.id().0) * 1_000_000 + number)),
        };
        let call = On::new(key, call);
        match client.call(call, || open.call(&call)) {
            Completion::Ok(_) => {
                work.acknowledged.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(5));
            }
            // The member does not lead.
            Completion::Failed(_) => sleep(Duration::from_millis(20)),
            // An answer that comes later must not be taken for that to the next request.
            Completion::Unknown(_) => connection = None,
        }
    }
}
