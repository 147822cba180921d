//! Drives the members in rounds, so that each run of a trial is the same.
//!
//! In a round, the clock of each member ticks once. Then each member gathers what the others have
//! sent to it. A message that a partition keeps away cannot be told from one that is late, so a
//! round waits for that, and only where a fault has begun or was healed: meanwhile, those hear each
//! other who did so before.

use std::io::{BufRead, BufReader};

use snowglobe::events::{EventKind, Events};
use snowglobe::fault::{Fault, NodeRef};
use snowglobe::lab::{Node, RunningCluster, wait_until};
use snowglobe::prelude::*;

/// Time of the members that passes in a round: a message takes one round.
pub(crate) const ROUND: Duration = Duration::from_millis(25);

/// Milliseconds after which a member that is not heard is cut off. A datagram between two nodes is
/// delivered while it is sent (netif_rx, net/core/dev.c), unless the machine is very busy.
const CUT_OFF: u64 = 200;

/// Milliseconds after which a member that was heard before is missing.
const MISSING: u64 = 30_000;

/// The members of a cluster, as they are driven.
pub(crate) struct Rounds<'c> {
    members: Vec<Driven<'c>>,
    events: Events,
    number: u64,
    /// Whether somebody may hear others than in the last round.
    looks: bool,
}

struct Driven<'c> {
    node: &'c Node,
    /// None while the member is dead.
    connection: Option<BufReader<TcpStream>>,
    /// Numbers of the members that this one hears, as the members count themselves.
    hears: String,
}

impl Driven<'_> {
    fn write(&mut self, line: &str) -> TestResult {
        let Some(connection) = &mut self.connection else {
            return Err(format!("{} is dead", self.node.name()).into());
        };
        connection
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }

    fn read(&mut self) -> TestResult<String> {
        let name = self.node.name();
        let connection = self.connection.as_mut().ok_or(format!("{name} is dead"))?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let line = line.strip_suffix('\n');
        Ok(line.ok_or(format!("{name} has ended"))?.to_owned())
    }

    /// Connects from within the member's node, where no partition is in between: a leader that has
    /// lost its followers has its clients still.
    fn connect(&mut self) -> TestResult {
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, 7000));
        let stream = wait_until(Duration::from_secs(10), || self.node.run(connect))?;
        stream.set_nodelay(true)?;
        // More than a member waits for another one.
        stream.set_read_timeout(Some(Duration::from_millis(2 * MISSING)))?;
        self.connection = Some(BufReader::new(stream));
        Ok(())
    }
}

impl<'c> Rounds<'c> {
    /// Takes the members over.
    pub(crate) fn new(cluster: &'c RunningCluster) -> TestResult<Self> {
        let driven = |node| Driven {
            node,
            connection: None,
            hears: String::new(),
        };
        let mut rounds = Self {
            members: cluster.members().map(driven).collect(),
            events: cluster.events(),
            number: 0,
            looks: true,
        };
        rounds.members.iter_mut().try_for_each(Driven::connect)?;
        Ok(rounds)
    }

    /// Returns the number of the last round.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number of members.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// Returns whether a member can be asked.
    pub(crate) fn is_alive(&self, member: usize) -> bool {
        self.members[member].connection.is_some()
    }

    /// Asks a member, which answers in a later round.
    pub(crate) fn ask(&mut self, member: usize, request: u64, what: &str) -> TestResult {
        self.members[member].write(&format!("ask {request} {what}"))
    }

    /// Lets all members do a round. Returns what they have said, each line with its member.
    pub(crate) fn next(&mut self) -> TestResult<Vec<(usize, String)>> {
        let looks = std::mem::take(&mut self.looks);
        self.number += 1;
        let alive = (0..self.members()).filter(|it| self.is_alive(*it));
        let alive: Vec<usize> = alive.collect();
        for member in &alive {
            self.members[*member].write(&format!("round {}", self.number))?;
        }
        let mut lines = Vec::new();
        for member in &alive {
            loop {
                let line = self.members[*member].read()?;
                if line == "done" {
                    break;
                }
                lines.push((*member, line));
            }
        }
        for member in &alive {
            let others = alive.iter().filter(|it| *it != member);
            let others: Vec<String> = others.map(|it| (it + 1).to_string()).collect();
            let driven = &mut self.members[*member];
            let order = match looks {
                true => format!("gather {} {CUT_OFF}", others.join(",")),
                false => format!("gather {} {MISSING}", driven.hears),
            };
            driven.write(&order)?;
        }
        for member in &alive {
            let driven = &mut self.members[*member];
            let heard = driven.read()?;
            let heard = heard
                .strip_prefix("heard ")
                .ok_or(heard.clone())?
                .to_owned();
            if !looks && heard != driven.hears {
                let name = driven.node.name();
                return Err(format!("{name} heard {}, and now {heard}", driven.hears).into());
            }
            driven.hears = heard;
        }
        Ok(lines)
    }

    /// Lets go of the members that were killed, and connects to those that were started, since a
    /// fault has begun or was healed.
    pub(crate) fn look_around(&mut self) -> TestResult {
        self.looks = true;
        for event in self.events.so_far() {
            let (fault, is_over) = match &event.kind {
                EventKind::FaultBegan { fault, .. } => (fault, false),
                EventKind::FaultEnded { fault, .. } => (fault, true),
                _ => continue,
            };
            let Fault::KillProgram { node, .. } = fault else {
                continue;
            };
            let is_meant = |it: &&mut Driven<'_>| *node == NodeRef::from(it.node.name());
            let driven = self.members.iter_mut().find(is_meant);
            let driven = driven.ok_or("no such member")?;
            match is_over {
                true => driven.connect()?,
                false => driven.connection = None,
            }
        }
        Ok(())
    }
}
