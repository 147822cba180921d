//! A member: Raft decides, the journal remembers, and the register holds the values.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use raft::eraftpb::{Entry, HardState, Message};
use raft::storage::MemStorage;
use raft::{Config, RawNode, ReadState, SoftState, StateRole};

use crate::clients::{Request, Wanted};
use crate::journal::Journal;
use crate::options::{Bug, Options};
use crate::peers::Peers;

/// Time between two ticks of Raft's clock.
const TICK: Duration = Duration::from_millis(10);

/// Ticks between two heartbeats of a leader.
const HEARTBEAT: usize = 3;

/// Least ticks without a leader after which a member wants to lead.
const ELECTION: usize = 15;

/// Ticks by which the members' time-outs differ at least. A vote takes one round trip, which a
/// trial makes some 50 ms long: another candidate within that time would split the votes.
const APART: usize = 8;

/// Something that a member reacts to.
pub(crate) enum Input {
    Peer(Message),
    Client(Request),
}

/// A read that waits until the register has all that was written before the read began.
struct Read {
    key: String,
    answer: Sender<String>,
    /// Index of the entry that the register must have; none while a majority is asked.
    index: Option<u64>,
}

/// A member that runs.
pub(crate) struct Member<'o> {
    options: &'o Options,
    raft: RawNode<MemStorage>,
    journal: Journal,
    peers: Peers,
    register: BTreeMap<String, String>,
    /// Index of the last entry that the register has.
    applied: u64,
    /// Bytes that no other request of this or an earlier run has, but for their last part.
    run: String,
    requests: u64,
    writes: HashMap<Vec<u8>, Sender<String>>,
    reads: HashMap<Vec<u8>, Read>,
    last_vote: (u64, u64),
}

impl<'o> Member<'o> {
    /// Makes a member of what its journal holds.
    ///
    /// # Errors
    /// The journal cannot be opened, or Raft refuses what it holds.
    pub(crate) fn restore(options: &'o Options, peers: Peers) -> Result<Self, Box<dyn Error>> {
        let (journal, recovered) = Journal::open(&options.data)?;
        let voters: Vec<u64> = (1..=options.members.len() as u64).collect();
        let store = MemStorage::new_with_conf_state((voters, vec![]));
        let hard_state = recovered.hard_state;
        let last_vote = (hard_state.term, hard_state.vote);
        store.wl().append(&recovered.entries)?;
        store.wl().set_hardstate(hard_state);
        let config = Config {
            id: options.id,
            election_tick: ELECTION,
            max_election_tick: ELECTION + APART * options.members.len(),
            heartbeat_tick: HEARTBEAT,
            max_size_per_msg: 16 * 1024,
            ..Config::default()
        };
        let silent = slog::Logger::root(slog::Discard, slog::o!());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Self {
            raft: RawNode::new(&config, store, &silent)?,
            run: format!("{}-{}", options.id, since.as_nanos()),
            options,
            journal,
            peers,
            register: BTreeMap::new(),
            applied: 0,
            requests: 0,
            writes: HashMap::new(),
            reads: HashMap::new(),
            last_vote,
        })
    }

    /// Reacts to messages, requests and the clock, for ever.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) -> Result<(), Box<dyn Error>> {
        let mut next_tick = Instant::now() + TICK;
        loop {
            self.time_elections();
            let left = next_tick.saturating_duration_since(Instant::now());
            match inputs.recv_timeout(left) {
                Ok(input) => self.react(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            inputs.try_iter().for_each(|input| self.react(input));
            let now = Instant::now();
            if now >= next_tick {
                self.raft.tick();
                // A member that was stopped for a while does not make up for the ticks meanwhile.
                next_tick = now + TICK;
            }
            while self.raft.has_ready() {
                self.do_what_is_ready()?;
            }
        }
    }

    /// Sets how long the member waits for a leader in its present term. Raft draws a time-out by
    /// itself, by chance; here the seed says in which order the members want to lead in each term,
    /// so that elections can be repeated.
    fn time_elections(&mut self) {
        let seed = self.options.seed ^ (self.raft.raft.term << 32);
        let mut order: Vec<u64> = (1..=self.options.members.len() as u64).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let before = order.into_iter().take_while(|id| *id != self.options.id);
        let ticks = ELECTION + before.count() * APART;
        self.raft.raft.set_randomized_election_timeout(ticks);
    }

    fn react(&mut self, input: Input) {
        match input {
            // Raft refuses messages that make no sense; nothing is to be done about them.
            Input::Peer(message) => drop(self.raft.step(message)),
            Input::Client(Request { wanted, answer }) => {
                if let Err(why) = self.take(wanted, &answer) {
                    // A client that is gone needs no answer.
                    let _ = answer.send(format!("no {why}"));
                }
            }
        }
    }

    /// Takes a request, or says why it is not taken.
    fn take(&mut self, wanted: Wanted, answer: &Sender<String>) -> Result<(), String> {
        let raft = &self.raft.raft;
        if raft.state != StateRole::Leader {
            return Err(match raft.leader_id {
                0 => "leader".to_owned(),
                id => format!("leader here: {} leads", self.options.name_of(id)),
            });
        }
        if !raft.commit_to_current_term() {
            return Err("entry of this term is committed yet".to_owned());
        }
        self.requests += 1;
        let id = format!("{}-{}", self.run, self.requests).into_bytes();
        match wanted {
            Wanted::Set { key, value } => {
                let data = format!("{key} {value}").into_bytes();
                let proposed = self.raft.propose(id.clone(), data);
                proposed.map_err(|error| error.to_string())?;
                self.writes.insert(id, answer.clone());
            }
            Wanted::Get { key } if self.options.bug == Some(Bug::StaleRead) => {
                self.answer_read(&key, answer);
            }
            Wanted::Get { key } => {
                let read = Read {
                    key,
                    answer: answer.clone(),
                    index: None,
                };
                self.raft.read_index(id.clone());
                self.reads.insert(id, read);
            }
        }
        Ok(())
    }

    /// Writes, sends and applies what Raft has made of the inputs.
    fn do_what_is_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let mut ready = self.raft.ready();
        // What a leader sends does not depend on its own disk: its own vote for an entry counts
        // when the entry is written.
        self.peers.send(ready.take_messages());
        if let Some(state) = ready.ss() {
            self.tell_role(state);
        }
        self.reads_may_go_on(ready.take_read_states());
        self.apply(ready.take_committed_entries());
        let hard_state = ready.hs().cloned();
        self.write(hard_state.as_ref(), ready.entries(), ready.must_sync())?;
        self.peers.send(ready.take_persisted_messages());
        if let Some(hard_state) = &hard_state {
            self.tell_vote(hard_state);
        }
        let mut light = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            let store = self.raft.store();
            store.wl().mut_hard_state().commit = commit;
        }
        self.peers.send(light.take_messages());
        self.apply(light.take_committed_entries());
        self.raft.advance_apply();
        Ok(())
    }

    /// Writes the term, the vote and entries to the memory that Raft reads, and to the journal.
    fn write(
        &mut self,
        hard_state: Option<&HardState>,
        entries: &[Entry],
        sync: bool,
    ) -> Result<(), Box<dyn Error>> {
        let mut store = self.raft.store().wl();
        store.append(entries)?;
        if let Some(hard_state) = hard_state {
            store.set_hardstate(hard_state.clone());
        }
        if self.options.bug == Some(Bug::ForgottenVote) && entries.is_empty() {
            // The planted bug: the answer to a candidate leaves without anything on the disk.
            return Ok(());
        }
        if hard_state.is_none() && entries.is_empty() {
            return Ok(());
        }
        let state = store.hard_state();
        self.journal.append(state, entries, sync)?;
        Ok(())
    }

    /// Tells the log who leads: those who test the service wait for such lines.
    fn tell_role(&self, state: &SoftState) {
        let term = self.raft.raft.term;
        match state.raft_state {
            StateRole::Leader => println!("term {term}: leads"),
            StateRole::Candidate | StateRole::PreCandidate => {
                println!("term {term}: wants to lead")
            }
            StateRole::Follower if state.leader_id == 0 => println!("term {term}: has no leader"),
            StateRole::Follower => {
                let leader = self.options.name_of(state.leader_id);
                println!("term {term}: follows {leader}");
            }
        }
    }

    fn tell_vote(&mut self, hard_state: &HardState) {
        let vote = (hard_state.term, hard_state.vote);
        if vote != self.last_vote && hard_state.vote != 0 {
            let candidate = self.options.name_of(hard_state.vote);
            println!("term {}: votes for {candidate}", hard_state.term);
        }
        self.last_vote = vote;
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.applied = entry.index;
            // A new leader begins with an empty entry.
            let text = String::from_utf8_lossy(&entry.data);
            if let Some((key, value)) = text.split_once(' ') {
                self.register.insert(key.to_owned(), value.to_owned());
            }
            if let Some(answer) = self.writes.remove(&entry.context[..]) {
                let _ = answer.send("done".to_owned());
            }
        }
        self.answer_reads();
    }

    /// A majority has said that this member led when the reads began.
    fn reads_may_go_on(&mut self, states: Vec<ReadState>) {
        for ReadState { index, request_ctx } in states {
            if let Some(read) = self.reads.get_mut(&request_ctx) {
                read.index = Some(index);
            }
        }
        self.answer_reads();
    }

    fn answer_reads(&mut self) {
        let applied = self.applied;
        let is_due = |_: &Vec<u8>, read: &mut Read| read.index.is_some_and(|it| it <= applied);
        let due: Vec<(Vec<u8>, Read)> = self.reads.extract_if(is_due).collect();
        for (_, read) in due {
            self.answer_read(&read.key, &read.answer);
        }
    }

    fn answer_read(&self, key: &str, answer: &Sender<String>) {
        let text = match self.register.get(key) {
            Some(value) => format!("value {value}"),
            None => "nothing".to_owned(),
        };
        let _ = answer.send(text);
    }
}
