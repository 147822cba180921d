//! Clients of the register, two beside each member, recorded.

use snowglobe::history::models::{On, RegisterOp, RegisterRet};
use snowglobe::history::{Begun, Client, Completion, History, Recorder, recorder};
use snowglobe::lab::RunningCluster;
use snowglobe::prelude::*;

use crate::rounds::Rounds;

pub(crate) type Call = On<&'static str, RegisterOp<Option<u64>>>;
pub(crate) type Ret = RegisterRet<Option<u64>>;

/// Rounds after which a client gives up. A write that nothing disturbs takes two.
const GIVES_UP: u64 = 8;

/// All clients.
pub(crate) struct Clients {
    recorder: Recorder<Call, Ret>,
    all: Vec<Asker>,
    /// Number of requests so far.
    requests: u64,
    /// Number of operations that were acknowledged.
    acknowledged: u64,
}

/// A client, and the member that it asks.
struct Asker {
    client: Client<Call, Ret>,
    member: usize,
    reads: bool,
    dice: fastrand::Rng,
    open: Option<Open>,
}

/// An operation without an answer yet.
struct Open {
    request: u64,
    /// The round in which it was asked.
    since: u64,
    begun: Begun<Call, Ret>,
}

impl Clients {
    /// Makes the clients. The keys come from the trial's seed.
    pub(crate) fn new(cluster: &RunningCluster) -> Self {
        let recorder = recorder();
        let mut all = Vec::new();
        for (member, node) in cluster.members().enumerate() {
            // A member that leads no more lets writers wait, and readers perhaps not.
            for reads in [true, false] {
                let seed = snowglobe::seed() ^ ((all.len() as u64 + 1) << 32);
                all.push(Asker {
                    client: recorder.client(node.name()),
                    member,
                    reads,
                    dice: fastrand::Rng::with_seed(seed),
                    open: None,
                });
            }
        }
        Self {
            recorder,
            all,
            requests: 0,
            acknowledged: 0,
        }
    }

    /// Returns what was done so far.
    pub(crate) fn history(&self) -> History<Call, Ret> {
        self.recorder.history()
    }

    /// Returns the number of operations that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Lets each client that waits for nothing ask its member.
    pub(crate) fn ask(&mut self, rounds: &mut Rounds<'_>) -> TestResult {
        for asker in &mut self.all {
            let is_alive = rounds.is_alive(asker.member);
            // What is dropped without an answer has an unknown outcome.
            asker
                .open
                .take_if(|open| !is_alive || rounds.number() >= open.since + GIVES_UP);
            if asker.open.is_some() || !is_alive {
                continue;
            }
            self.requests += 1;
            let request = self.requests;
            let key = ["x", "y"][asker.dice.usize(..2)];
            let (call, text) = match asker.reads {
                true => (RegisterOp::Read, format!("get {key}")),
                // No value is written twice, so that a read tells which write it has seen.
                false => (
                    RegisterOp::Write(Some(request)),
                    format!("set {key} {request}"),
                ),
            };
            asker.open = Some(Open {
                request,
                since: rounds.number(),
                begun: asker.client.begin(On::new(key, call)),
            });
            rounds.ask(asker.member, request, &text)?;
        }
        Ok(())
    }

    /// Takes an answer such as `7 value 5`.
    pub(crate) fn hear(&mut self, answer: &str) -> TestResult {
        let (request, text) = answer.split_once(' ').ok_or("no answer")?;
        let request: u64 = request.parse()?;
        let is_it = |open: &mut Open| open.request == request;
        let mut askers = self.all.iter_mut();
        let Some(open) = askers.find_map(|asker| asker.open.take_if(is_it)) else {
            // Its client has given up.
            return Ok(());
        };
        let completion = match text.split_once(' ') {
            None if text == "done" => Completion::Ok(RegisterRet::Done),
            None if text == "nothing" => Completion::Ok(RegisterRet::Value(None)),
            Some(("value", value)) => Completion::Ok(RegisterRet::Value(Some(value.parse()?))),
            Some(("no", _)) => Completion::Failed(text.to_owned()),
            _ => return Err(format!("no such answer: {text}").into()),
        };
        self.acknowledged += u64::from(matches!(completion, Completion::Ok(_)));
        open.begun.complete(completion);
        Ok(())
    }
}
