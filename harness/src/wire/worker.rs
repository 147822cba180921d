//! A thread that carries wires.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use super::line::Line;
use super::parcel::Pool;
use crate::kernel::clock::monotonic;
use crate::kernel::frames::{BATCH, Inbox};
use crate::kernel::frames::{Poller, Ready, exact_timers};

/// What others want of a worker.
pub(super) enum Request {
    /// Carry a wire, and say which number it has.
    Carry(Box<Line>, SyncSender<io::Result<usize>>),
    /// Carry that wire no longer, and give it back.
    End(usize, SyncSender<Option<Box<Line>>>),
    /// Look after it.
    Do(usize, Work),
    /// See what its rules have ordered.
    Obey(usize),
    /// There are no wires any more.
    Stop,
}

/// Something to be done to a wire, at this time.
pub(super) type Work = Box<dyn FnOnce(&mut Line, u64) + Send>;

pub(super) struct Worker {
    poller: Arc<Poller>,
    requests: Receiver<Request>,
    /// By their numbers.
    lines: Vec<Option<Place>>,
    /// When a wire is to be looked after. One that is out of date does no harm.
    alarms: BinaryHeap<Reverse<(u64, usize)>>,
    inbox: Inbox,
    pool: Pool,
    /// How late a wait ends, typically.
    lag: u64,
}

/// A wire, and the earliest of its alarms.
struct Place {
    line: Box<Line>,
    alarm: Option<u64>,
}

/// How long a packet takes from a sender to here and from here to a receiver, so much less does it wait: a thread has to wake up at each end, which
/// takes about as long as it takes us, and this.
const PATH: u64 = 10_000;
const LONGEST_WAKE: u64 = 50_000;

/// How long a wait is spun for, if at all.
const SPIN: u64 = 100_000;

/// How many frames at once are taken for the beginning of many, and how long these may gather.
const MANY: usize = 8;
const GATHER: u64 = 20_000;

/// What is taken for the lag at first, and at most.
const FIRST_LAG: u64 = 30_000;
const MOST_LAG: u64 = 70_000;

impl Worker {
    pub(super) fn new(poller: Arc<Poller>, requests: Receiver<Request>) -> Worker {
        Worker {
            poller,
            requests,
            lines: Vec::new(),
            alarms: BinaryHeap::new(),
            inbox: Inbox::new(BATCH),
            pool: Pool::default(),
            lag: FIRST_LAG,
        }
    }

    /// Carries wires until told to stop.
    pub(super) fn run(mut self) {
        // Else timers are up to 50 µs late, and each wire's lateness says so.
        let _ = exact_timers();
        let mut ready = Ready::new();
        loop {
            self.deliver();
            self.wait(&mut ready);
            if ready.woken() && !self.obey() {
                return;
            }
            let most = ready.tokens().map(|token| self.receive(token)).max();
            // What fills a batch is as many as can go together.
            if (MANY..BATCH).contains(&most.unwrap_or(0)) {
                self.let_gather();
            }
        }
    }

    /// Leaves packets that come this fast a moment to gather, as network cards do: several at once cost little more than one. They are admitted
    /// that much later, which counts for nobody's lateness.
    fn let_gather(&self) {
        let next = self.alarms.peek();
        let rest = next.map(|Reverse((due, _))| self.rest(*due, monotonic()));
        if rest.is_none_or(|rest| rest > self.lag + GATHER) {
            thread::sleep(Duration::from_nanos(GATHER));
        }
    }

    /// Waits for packets, requests, and the next alarm.
    fn wait(&mut self, ready: &mut Ready) {
        let Some(&Reverse((due, index))) = self.alarms.peek() else {
            return self.poll(None, ready);
        };
        let now = monotonic();
        let rest = self.rest(due, now);
        let (early, least) = match self.spins(index) {
            true => (SPIN, 0),
            false => (self.lag, 1),
        };
        let limit = rest.saturating_sub(early).max(least);
        self.poll(Some(limit), ready);
        if limit > 1 && ready.tokens().next().is_none() && !ready.woken() {
            let lag = (monotonic() - now).saturating_sub(limit).min(MOST_LAG);
            self.lag = self.lag - self.lag / 16 + lag / 16;
        }
    }

    fn poll(&self, limit: Option<u64>, ready: &mut Ready) {
        self.poller
            .wait(limit, ready)
            .expect("a poller's own descriptor can be waited for");
    }

    /// Does what is wanted; false if that is to stop.
    fn obey(&mut self) -> bool {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Carry(line, reply) => {
                    let _ = reply.send(self.carry(line));
                }
                Request::End(index, reply) => {
                    let _ = reply.send(self.end(index));
                }
                Request::Do(index, work) => self.visit(index, |line, _, now| work(line, now)),
                Request::Obey(index) => self.visit(index, Line::obey),
                Request::Stop => return false,
            }
        }
        true
    }

    fn carry(&mut self, line: Box<Line>) -> io::Result<usize> {
        let free = self.lines.iter().position(Option::is_none);
        let index = free.unwrap_or(self.lines.len());
        for (end, port) in line.ports.iter().enumerate() {
            self.poller.add(port.as_fd(), token(index, end))?;
        }
        let place = Some(Place { line, alarm: None });
        match free {
            Some(index) => self.lines[index] = place,
            None => self.lines.push(place),
        }
        Ok(index)
    }

    fn end(&mut self, index: usize) -> Option<Box<Line>> {
        let line = self.lines.get_mut(index)?.take()?.line;
        for port in &line.ports {
            let _ = self.poller.remove(port.as_fd());
        }
        Some(line)
    }

    /// Takes what has come to a port; says how many frames of an ordinary length that was.
    fn receive(&mut self, token: u64) -> usize {
        let (index, end) = ((token / 2) as usize, (token % 2) as usize);
        let Some(Some(place)) = self.lines.get_mut(index) else {
            return 0;
        };
        let received = place
            .line
            .receive(end, &mut self.pool, &mut self.inbox, monotonic);
        if received.is_err() {
            // Its interface is gone, and would be reported as ready for ever.
            let _ = self.poller.remove(place.line.ports[end].as_fd());
        }
        self.set_alarm(index);
        received.unwrap_or(0)
    }

    /// Delivers what is due.
    fn deliver(&mut self) {
        if self.alarms.is_empty() {
            return;
        }
        let now = monotonic();
        while let Some(&Reverse((due, index))) = self.alarms.peek() {
            let until = now + self.head_start(index);
            if due > until {
                return;
            }
            self.alarms.pop();
            let Some(Some(place)) = self.lines.get_mut(index) else {
                continue;
            };
            if place.alarm == Some(due) {
                place.alarm = None;
                place.line.deliver(&mut self.pool, now, until);
                self.set_alarm(index);
            }
        }
    }

    /// How long before it is due a wire's packet is delivered at the earliest. Who does not spin cannot wait for less than the lag.
    fn head_start(&self, index: usize) -> u64 {
        match self.spins(index) {
            true => self.path(),
            false => self.path() + self.lag / 2,
        }
    }

    /// How long a packet that is due then is to stay here.
    fn rest(&self, due: u64, now: u64) -> u64 {
        due.saturating_sub(self.path()).saturating_sub(now)
    }

    fn path(&self) -> u64 {
        PATH + self.lag.min(LONGEST_WAKE)
    }

    fn spins(&self, index: usize) -> bool {
        let place = self.lines.get(index).and_then(Option::as_ref);
        place.is_some_and(|place| place.line.spin)
    }

    fn visit(&mut self, index: usize, work: impl FnOnce(&mut Line, &mut Pool, u64)) {
        if let Some(Some(place)) = self.lines.get_mut(index) {
            work(&mut place.line, &mut self.pool, monotonic());
            self.set_alarm(index);
        }
    }

    fn set_alarm(&mut self, index: usize) {
        let Some(Some(place)) = self.lines.get_mut(index) else {
            return;
        };
        let Some(due) = place.line.next_due() else {
            return;
        };
        if place.alarm.is_none_or(|alarm| due < alarm) {
            place.alarm = Some(due);
            self.alarms.push(Reverse((due, index)));
        }
    }
}

fn token(index: usize, end: usize) -> u64 {
    index as u64 * 2 + end as u64
}
