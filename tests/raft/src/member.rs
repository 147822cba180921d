//! A member: Raft decides, the journal remembers, and the register holds the values.

use std::collections::BTreeMap;
use std::error::Error;

use raft::eraftpb::{Entry, HardState};
use raft::storage::MemStorage;
use raft::{Config, RawNode, ReadState, SoftState, StateRole};

use crate::journal::Journal;
use crate::options::{Bug, Options};
use crate::peers::Peers;

/// Rounds between two heartbeats of a leader. Raft's clock ticks once in each round.
const HEARTBEAT: usize = 1;

/// Least rounds without a leader after which a member wants to lead.
const ELECTION: usize = 6;

/// Rounds by which the members' time-outs differ at least. A vote takes two rounds: another
/// candidate within that time would split the votes.
const APART: usize = 3;

/// The thing that a client asks for.
pub(crate) enum Wanted {
    /// The value of a key.
    Get(String),
    /// A key is to have a value.
    Set(String, String),
}

/// A read that waits until the register has all that was written before the read began.
struct Read {
    key: String,
    /// Number of the request.
    request: u64,
    /// Index of the entry that the register must have; none while a majority is asked.
    index: Option<u64>,
}

/// A member that runs.
pub(crate) struct Member<'o> {
    options: &'o Options,
    raft: RawNode<MemStorage>,
    journal: Journal,
    register: BTreeMap<String, String>,
    /// Index of the last entry that the register has.
    applied: u64,
    /// Requests for writes, by the bytes that Raft keeps with the entry.
    writes: BTreeMap<Vec<u8>, u64>,
    reads: BTreeMap<Vec<u8>, Read>,
    last_vote: (u64, u64),
    /// Lines for the driver.
    lines: String,
}

impl<'o> Member<'o> {
    /// Makes a member of what its journal holds.
    ///
    /// # Errors
    /// The journal cannot be opened, or Raft refuses what it holds.
    pub(crate) fn restore(options: &'o Options) -> Result<Self, Box<dyn Error>> {
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
        Ok(Self {
            raft: RawNode::new(&config, store, &silent)?,
            options,
            journal,
            register: BTreeMap::new(),
            applied: 0,
            writes: BTreeMap::new(),
            reads: BTreeMap::new(),
            last_vote,
            lines: String::new(),
        })
    }

    /// Reacts to what was gathered, and to a tick of the clock.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(crate) fn do_round(&mut self, peers: &mut Peers) -> Result<(), Box<dyn Error>> {
        for message in peers.take_gathered() {
            // Raft refuses messages that make no sense; nothing is to be done about them.
            let _ = self.raft.step(message);
        }
        self.time_elections();
        self.raft.tick();
        while self.raft.has_ready() {
            self.do_what_is_ready(peers)?;
        }
        Ok(())
    }

    /// Returns the lines for the driver since the last time.
    pub(crate) fn take_lines(&mut self) -> String {
        std::mem::take(&mut self.lines)
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

    /// Takes a request, or answers why it is not taken.
    pub(crate) fn take(&mut self, request: u64, wanted: Wanted) {
        if let Err(why) = self.try_to_take(request, wanted) {
            self.answer(request, &format!("no {why}"));
        }
    }

    fn try_to_take(&mut self, request: u64, wanted: Wanted) -> Result<(), String> {
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
        // The driver numbers all requests to all members.
        let id = request.to_le_bytes().to_vec();
        match wanted {
            Wanted::Set(key, value) => {
                let data = format!("{key} {value}").into_bytes();
                let proposed = self.raft.propose(id.clone(), data);
                proposed.map_err(|error| error.to_string())?;
                self.writes.insert(id, request);
            }
            Wanted::Get(key) if self.options.bug == Some(Bug::StaleRead) => {
                self.answer_read(request, &key);
            }
            Wanted::Get(key) => {
                let read = Read {
                    key,
                    request,
                    index: None,
                };
                self.raft.read_index(id.clone());
                self.reads.insert(id, read);
            }
        }
        Ok(())
    }

    /// Writes, sends and applies what Raft has made of the inputs.
    fn do_what_is_ready(&mut self, peers: &mut Peers) -> Result<(), Box<dyn Error>> {
        let mut ready = self.raft.ready();
        // What a leader sends does not depend on its own disk: its own vote for an entry counts
        // when the entry is written.
        peers.send(ready.take_messages())?;
        if let Some(state) = ready.ss() {
            self.tell_role(state);
        }
        self.reads_may_go_on(ready.take_read_states());
        self.apply(ready.take_committed_entries());
        let hard_state = ready.hs().cloned();
        self.write(hard_state.as_ref(), ready.entries(), ready.must_sync())?;
        peers.send(ready.take_persisted_messages())?;
        if let Some(hard_state) = &hard_state {
            self.tell_vote(hard_state);
        }
        let mut light = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            let store = self.raft.store();
            store.wl().mut_hard_state().commit = commit;
        }
        peers.send(light.take_messages())?;
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
    fn tell_role(&mut self, state: &SoftState) {
        let term = self.raft.raft.term;
        let what = match state.raft_state {
            StateRole::Leader => "leads".to_owned(),
            StateRole::Candidate | StateRole::PreCandidate => "wants to lead".to_owned(),
            StateRole::Follower if state.leader_id == 0 => "has no leader".to_owned(),
            StateRole::Follower => format!("follows {}", self.options.name_of(state.leader_id)),
        };
        self.say(&format!("term {term}: {what}"));
    }

    /// Writes a line to the log, and to the driver.
    fn say(&mut self, what: &str) {
        println!("{what}");
        self.lines += &format!("says {what}\n");
    }

    fn answer(&mut self, request: u64, text: &str) {
        self.lines += &format!("answer {request} {text}\n");
    }

    fn tell_vote(&mut self, hard_state: &HardState) {
        let vote = (hard_state.term, hard_state.vote);
        if vote != self.last_vote && hard_state.vote != 0 {
            let candidate = self.options.name_of(hard_state.vote);
            self.say(&format!("term {}: votes for {candidate}", hard_state.term));
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
            if let Some(request) = self.writes.remove(&entry.context[..]) {
                self.answer(request, "done");
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
        let due: Vec<(Vec<u8>, Read)> = self.reads.extract_if(.., is_due).collect();
        for (_, read) in due {
            self.answer_read(read.request, &read.key);
        }
    }

    fn answer_read(&mut self, request: u64, key: &str) {
        let text = match self.register.get(key) {
            Some(value) => format!("value {value}"),
            None => "nothing".to_owned(),
        };
        self.answer(request, &text);
    }
}
