//! Clients of etcd that read, write and swap registers, each in the node of the member that it
//! asks.

use std::thread;

use snowglobe::history::models::{Map, On, Register, RegisterOp, RegisterRet};
use snowglobe::history::{Client, Completion, History, Recorder, recorder};
use snowglobe::lab::{Node, RunningCluster};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::etcd::EtcdClient;

/// A register that nobody has written has no value.
pub(crate) type Value = Option<u64>;
pub(crate) type Call = On<u64, RegisterOp<Value>>;
pub(crate) type Ret = RegisterRet<Value>;

/// Returns what the clients ask etcd to be.
pub(crate) fn model() -> Map<u64, Register<Value>> {
    Map::new(Register::new(None))
}

/// Time for which a client waits for an answer: less than an election takes.
const ANSWER: Duration = Duration::from_millis(700);

/// A description of what the clients do.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// Number of registers.
    pub(crate) keys: u64,
    /// Time that a client lets pass after each operation: without it, the clients take all
    /// processors from the members.
    pub(crate) pause: Duration,
    /// Whether members answer reads by themselves.
    pub(crate) may_be_stale: bool,
}

/// The clients, and what they have recorded.
pub(crate) struct Registers {
    workload: Workload,
    recorder: Recorder<Call, Ret>,
}

impl Registers {
    pub(crate) fn new(workload: Workload) -> Self {
        Self {
            workload,
            recorder: recorder(),
        }
    }

    /// Lets two clients of each member work until the time for it is over.
    pub(crate) fn work(&self, cluster: &RunningCluster, is_over: impl Fn() -> bool + Sync) {
        let is_over = &is_over;
        thread::scope(|scope| {
            for member in cluster.members() {
                // A write that nobody answers keeps the client that only reads from nothing.
                for writes in [true, false] {
                    let mut client = self.client(member);
                    scope.spawn(move || {
                        while !is_over() {
                            client.step(writes);
                            thread::sleep(self.workload.pause);
                        }
                    });
                }
            }
        });
    }

    /// Reads all registers at each member, once the cluster is whole again.
    pub(crate) fn read_all(&self, cluster: &RunningCluster) -> TestResult {
        for member in cluster.members() {
            let mut client = self.client(member);
            for key in 0..self.workload.keys {
                cluster.wait_until(|| match client.read(key) {
                    Completion::Ok(_) => Ok(()),
                    other => Err(format!("{other:?}")),
                })?;
            }
        }
        Ok(())
    }

    fn client<'l>(&self, member: &'l Node) -> RegisterClient<'l> {
        let client = self.recorder.client(member.name());
        let seed = snowglobe::seed() ^ u64::from(client.id().0) << 32;
        RegisterClient {
            dice: fastrand::Rng::with_seed(seed),
            written: 0,
            client,
            etcd: EtcdClient::new(member, ANSWER),
            workload: self.workload,
        }
    }

    pub(crate) fn history(&self) -> History<Call, Ret> {
        self.recorder.history()
    }
}

struct RegisterClient<'l> {
    client: Client<Call, Ret>,
    etcd: EtcdClient<'l>,
    workload: Workload,
    dice: fastrand::Rng,
    /// Number of values that the client has written, so that each is another one.
    written: u64,
}

impl<'l> RegisterClient<'l> {
    fn step(&mut self, writes: bool) {
        let key = self.dice.u64(..self.workload.keys);
        let write = writes && self.dice.u8(..10) < 3;
        if write {
            self.write(key);
            return;
        }
        let seen = self.read(key);
        let swap = writes && self.dice.bool();
        if let Completion::Ok(RegisterRet::Value(Some(seen))) = seen
            && swap
        {
            self.swap(key, seen);
        }
    }

    fn read(&mut self, key: u64) -> Completion<Ret> {
        let may_be_stale = self.workload.may_be_stale;
        self.call(key, RegisterOp::Read, |etcd, name| {
            etcd.get(name, may_be_stale).map(RegisterRet::Value)
        })
    }

    fn write(&mut self, key: u64) -> Completion<Ret> {
        let value = self.new_value();
        self.call(key, RegisterOp::Write(Some(value)), |etcd, name| {
            etcd.put(name, value).map(|()| RegisterRet::Done)
        })
    }

    fn swap(&mut self, key: u64, from: u64) -> Completion<Ret> {
        let to = self.new_value();
        let call = RegisterOp::Cas {
            from: Some(from),
            to: Some(to),
        };
        self.call(key, call, |etcd, name| {
            etcd.swap(name, from, to).map(|swapped| match swapped {
                true => RegisterRet::Swapped,
                false => RegisterRet::NotSwapped,
            })
        })
    }

    fn call(
        &mut self,
        key: u64,
        call: RegisterOp<Value>,
        ask: impl FnOnce(&mut EtcdClient<'l>, &str) -> Completion<Ret>,
    ) -> Completion<Ret> {
        let name = format!("register{key}");
        self.client
            .call(On::new(key, call), || ask(&mut self.etcd, &name))
    }

    fn new_value(&mut self) -> u64 {
        self.written += 1;
        u64::from(self.client.id().0 + 1) * 1_000_000 + self.written
    }
}
