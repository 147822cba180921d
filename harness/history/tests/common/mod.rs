//! Histories made by a model, so that their verdict is known, and a checker that tries each order.

mod random;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use random::Random;
use snowglobe_history::models::{
    Counter, CounterOp, CounterRet, Queue, QueueOp, QueueRet, Register, RegisterOp, RegisterRet,
    SetOp, SetRet, WholeSet,
};
use snowglobe_history::{ClientId, Completion, History, Model, Operation, OperationId};

/// A model with a server that behaves as the model says, and clients that ask it things.
pub(crate) trait Workload: Model {
    fn call(&self, random: &mut Random, number: u64) -> Self::Call;
    fn serve(&self, state: &mut Self::State, call: &Self::Call) -> Self::Ret;
    /// Returns another answer to the same question.
    fn wrong(&self, random: &mut Random, ret: &Self::Ret) -> Self::Ret;
}

impl Workload for Register<u64> {
    fn call(&self, random: &mut Random, _: u64) -> RegisterOp<u64> {
        match random.below(5) {
            0 | 1 => RegisterOp::Read,
            2 | 3 => RegisterOp::Write(random.below(4)),
            _ => RegisterOp::Cas {
                from: random.below(4),
                to: random.below(4),
            },
        }
    }

    fn serve(&self, state: &mut u64, call: &RegisterOp<u64>) -> RegisterRet<u64> {
        match call {
            RegisterOp::Read => RegisterRet::Value(*state),
            RegisterOp::Write(value) => {
                *state = *value;
                RegisterRet::Done
            }
            RegisterOp::Cas { from, to } if from == state => {
                *state = *to;
                RegisterRet::Swapped
            }
            RegisterOp::Cas { .. } => RegisterRet::NotSwapped,
        }
    }

    fn wrong(&self, random: &mut Random, ret: &RegisterRet<u64>) -> RegisterRet<u64> {
        match ret {
            RegisterRet::Value(value) => RegisterRet::Value((value + 1 + random.below(3)) % 4),
            RegisterRet::Done => RegisterRet::Done,
            RegisterRet::Swapped => RegisterRet::NotSwapped,
            RegisterRet::NotSwapped => RegisterRet::Swapped,
        }
    }
}

/// A register each of whose writes has a value of its own, as tests of real servers write.
pub(crate) struct Distinct(pub(crate) Register<u64>);

impl Model for Distinct {
    type Call = RegisterOp<u64>;
    type Ret = RegisterRet<u64>;
    type State = u64;
    type Key = ();

    fn initial(&self) -> u64 {
        self.0.initial()
    }

    fn key(&self, _: &RegisterOp<u64>) {}

    fn step(&self, state: &u64, call: &Self::Call, ret: Option<&Self::Ret>) -> Option<u64> {
        self.0.step(state, call, ret)
    }

    fn observes(&self, call: &Self::Call, ret: Option<&Self::Ret>) -> bool {
        self.0.observes(call, ret)
    }

    fn overwrites(&self, call: &Self::Call, ret: Option<&Self::Ret>) -> bool {
        self.0.overwrites(call, ret)
    }
}

impl Workload for Distinct {
    fn call(&self, random: &mut Random, number: u64) -> RegisterOp<u64> {
        match random.below(10) {
            0..4 => RegisterOp::Read,
            4..7 => RegisterOp::Write(number + 1),
            // A client swaps what it has read a short while ago.
            _ => RegisterOp::Cas {
                from: number.saturating_sub(random.below(10)),
                to: number + 1,
            },
        }
    }

    fn serve(&self, state: &mut u64, call: &RegisterOp<u64>) -> RegisterRet<u64> {
        self.0.serve(state, call)
    }

    fn wrong(&self, random: &mut Random, ret: &RegisterRet<u64>) -> RegisterRet<u64> {
        match ret {
            RegisterRet::Value(value) => RegisterRet::Value(value.saturating_sub(1)),
            other => self.0.wrong(random, other),
        }
    }
}

impl Workload for WholeSet<u64> {
    fn call(&self, random: &mut Random, _: u64) -> SetOp<u64> {
        let element = random.below(3);
        match random.below(5) {
            0 | 1 => SetOp::Add(element),
            2 => SetOp::Remove(element),
            3 => SetOp::Contains(element),
            _ => SetOp::Read,
        }
    }

    fn serve(&self, state: &mut BTreeSet<u64>, call: &SetOp<u64>) -> SetRet<u64> {
        let told = |there| {
            if there {
                SetRet::WasThere
            } else {
                SetRet::WasMissing
            }
        };
        match call {
            SetOp::Add(element) => told(!state.insert(*element)),
            SetOp::Remove(element) => {
                state.remove(element);
                SetRet::Done
            }
            SetOp::Contains(element) => told(state.contains(element)),
            SetOp::Read => SetRet::Elements(state.iter().copied().collect()),
        }
    }

    fn wrong(&self, random: &mut Random, ret: &SetRet<u64>) -> SetRet<u64> {
        match ret {
            SetRet::Done => SetRet::Done,
            SetRet::WasThere => SetRet::WasMissing,
            SetRet::WasMissing => SetRet::WasThere,
            SetRet::Elements(elements) => {
                let mut elements = elements.clone();
                elements.push(random.below(3));
                SetRet::Elements(elements)
            }
        }
    }
}

impl Workload for Queue<u64> {
    fn call(&self, random: &mut Random, number: u64) -> QueueOp<u64> {
        if random.one_in(2) {
            QueueOp::Enqueue(number)
        } else {
            QueueOp::Dequeue
        }
    }

    fn serve(&self, state: &mut VecDeque<u64>, call: &QueueOp<u64>) -> QueueRet<u64> {
        match call {
            QueueOp::Enqueue(element) => {
                state.push_back(*element);
                QueueRet::Done
            }
            QueueOp::Dequeue => state.pop_front().map_or(QueueRet::Empty, QueueRet::Element),
        }
    }

    fn wrong(&self, random: &mut Random, ret: &QueueRet<u64>) -> QueueRet<u64> {
        match ret {
            QueueRet::Done => QueueRet::Done,
            QueueRet::Element(_) if random.one_in(2) => QueueRet::Empty,
            QueueRet::Element(element) => QueueRet::Element(element + 1),
            QueueRet::Empty => QueueRet::Element(random.below(4)),
        }
    }
}

impl Workload for Counter {
    fn call(&self, random: &mut Random, _: u64) -> CounterOp {
        match random.below(3) {
            0 => CounterOp::Read,
            _ => CounterOp::Add(random.below(5) as i64 - 1),
        }
    }

    fn serve(&self, state: &mut i64, call: &CounterOp) -> CounterRet {
        match call {
            CounterOp::Add(number) => {
                *state += number;
                if number % 2 == 0 {
                    CounterRet::Done
                } else {
                    CounterRet::Sum(*state)
                }
            }
            CounterOp::Read => CounterRet::Sum(*state),
        }
    }

    fn wrong(&self, random: &mut Random, ret: &CounterRet) -> CounterRet {
        match ret {
            CounterRet::Done => CounterRet::Done,
            CounterRet::Sum(sum) => CounterRet::Sum(sum + 1 + random.below(2) as i64),
        }
    }
}

/// Makes a history that is linearizable, since a model made it: each operation takes effect at one
/// moment. `odd` is how rare a lost answer is, one in so many.
pub(crate) fn generate<W: Workload>(
    workload: &W,
    random: &mut Random,
    clients: u32,
    count: u64,
    odd: u64,
) -> History<W::Call, W::Ret> {
    let mut free = vec![0; clients as usize];
    let mut planned = Vec::new();
    for number in 0..count {
        let client = random.below(clients.into()) as usize;
        let invoked = free[client] + random.below(20);
        let effect = invoked + random.below(20);
        let end = effect + random.below(20);
        free[client] = end + 1;
        let call = workload.call(random, number);
        // A request that was lost, one that was refused, and one that comes late or has no answer.
        let (effect, completion) = match random.below(odd * 3) {
            0 => (None, Completion::Unknown("lost".to_owned())),
            1 => (None, Completion::Failed("refused".to_owned())),
            2 => (
                Some(effect + random.below(200)),
                Completion::Unknown("late".to_owned()),
            ),
            _ => (Some(effect), Completion::Ok(())),
        };
        planned.push((effect, invoked, end, client, call, completion));
    }
    planned.sort_by_key(|(effect, ..)| *effect);
    let mut state = workload.initial();
    let mut operations = Vec::new();
    for (number, (effect, invoked, end, client, call, completion)) in
        planned.into_iter().enumerate()
    {
        let ret = effect.map(|_| workload.serve(&mut state, &call));
        let completion = match (completion, ret) {
            (Completion::Ok(()), Some(ret)) => Completion::Ok(ret),
            (Completion::Failed(why), _) => Completion::Failed(why),
            (Completion::Unknown(why), _) => Completion::Unknown(why),
            (Completion::Ok(()), None) => unreachable!("an operation without effect has no answer"),
        };
        operations.push(Operation {
            id: OperationId(number as u64),
            client: ClientId(client as u32),
            node: Arc::from("node"),
            invoked: Duration::from_nanos(invoked),
            completed: Some(Duration::from_nanos(end)),
            call,
            completion,
        });
    }
    History::new(operations)
}

/// Returns the history with one answer replaced by a wrong one.
pub(crate) fn mutate<W: Workload>(
    workload: &W,
    random: &mut Random,
    history: &History<W::Call, W::Ret>,
) -> History<W::Call, W::Ret> {
    let mut operations = history.operations().to_vec();
    let place = random.below(operations.len() as u64) as usize;
    if let Completion::Ok(ret) = &operations[place].completion {
        let wrong = workload.wrong(random, ret);
        operations[place].completion = Completion::Ok(wrong);
    }
    History::new(operations)
}

/// Tries each order of the operations.
pub(crate) fn brute_force<M: Model>(model: &M, history: &History<M::Call, M::Ret>) -> bool {
    let open: Vec<_> = history
        .operations()
        .iter()
        .filter(|it| !it.completion.is_failed())
        .collect();
    any_order(model, &model.initial(), &open)
}

fn any_order<M: Model>(model: &M, state: &M::State, open: &[&Operation<M::Call, M::Ret>]) -> bool {
    if open.iter().all(|it| it.completion.is_unknown()) {
        return true;
    }
    (0..open.len()).any(|place| {
        let next = open[place];
        let late = open.iter().any(|other| other.precedes(next));
        let after = model.step(state, &next.call, next.completion.ok());
        let mut rest = open.to_vec();
        rest.remove(place);
        !late && after.is_some_and(|after| any_order(model, &after, &rest))
    })
}
