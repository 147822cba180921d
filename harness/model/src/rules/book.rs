//! The rules of one wire, and their ruling on each packet.
//!
//! A wire asks its book about every frame, so a book without rules costs one load of an atomic.
//! Rules come and go while the wire runs, and a match may call closures of the test: no lock is
//! held while one of them runs.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::matches::{InvalidMatch, Match};
use super::verdict::Verdict;
use crate::direction::Direction;
use crate::packet::reset;
use crate::packet::{Headers, Packet, PacketView};
use crate::panics::panic_message;

/// The number of a rule in its book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(u64);

/// The decision of a rule on a packet. The verdict is never [`Verdict::Pass`], which decides
/// nothing.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// Treatment of the packet.
    pub verdict: Verdict,
    /// The rule that decided so.
    pub rule: RuleId,
    why: Arc<str>,
}

/// Writes a line like `drop by rule: tcp, syn-ack, number 1`, as captures have it.
impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Ruling {
    /// Returns the verdict and the match of the rule, as [`Display`](fmt::Display) writes them.
    pub fn reason(&self) -> &Arc<str> {
        &self.why
    }
}

/// A thing that a wire has to do besides judging packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The packets that were held by this rule go on now, in the order in which they came.
    Release(RuleId),
    /// This frame goes out in this direction, undelayed and unjudged.
    Send {
        /// Direction in which the frame is to travel.
        direction: Direction,
        /// The frame, from its Ethernet header on.
        frame: Vec<u8>,
    },
}

/// The rules of one wire.
pub struct RuleBook {
    link: Arc<str>,
    /// Start of the trial, in nanoseconds of CLOCK_MONOTONIC.
    start: u64,
    /// Number of `rules`, which can be read without a lock.
    count: AtomicUsize,
    next: AtomicU64,
    rules: RwLock<Arc<[Arc<Rule>]>>,
    orders: Mutex<Vec<Order>>,
    waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
    ruling_listener: OnceLock<RulingListener>,
}

/// A function that hears of each ruling, and of the direction of the packet.
type RulingListener = Box<dyn Fn(Direction, &Ruling) + Send + Sync>;

impl RuleBook {
    /// Returns a book without rules. The trial started at `start`, in nanoseconds of
    /// CLOCK_MONOTONIC.
    pub fn new(link: &str, start: u64) -> Arc<RuleBook> {
        Arc::new(RuleBook {
            link: link.into(),
            start,
            count: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            rules: RwLock::new(Arc::default()),
            orders: Mutex::default(),
            waker: OnceLock::new(),
            ruling_listener: OnceLock::new(),
        })
    }

    /// Returns whether there are no rules, so that every packet passes.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Returns the ruling on a frame, or nothing if the frame passes. `now` is in nanoseconds of
    /// CLOCK_MONOTONIC.
    ///
    /// Each rule counts for itself the packets that match it. The oldest rule that picks the
    /// packet, and does not let it pass, decides, and is the only one of those rules that counts a
    /// hit.
    pub fn judge(&self, direction: Direction, frame: &[u8], now: u64) -> Option<Ruling> {
        if self.is_empty() {
            return None;
        }
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let view = PacketView {
            link: &self.link,
            direction,
            at: Duration::from_nanos(now.saturating_sub(self.start)),
            headers: Headers::of(frame),
            frame,
        };
        let mut ruling = None;
        for rule in rules.iter() {
            if !rule.match_and_count(&view) {
                continue;
            }
            if rule.verdict.only_counts() {
                rule.hit(&view);
            } else if ruling.is_none() && rule.hit(&view) {
                ruling = Some(rule.ruling());
            }
        }
        let ruling = ruling?;
        match ruling.verdict {
            Verdict::Reset => self.order_resets(&view),
            // The wire itself does the rest.
            Verdict::Pass
            | Verdict::Drop
            | Verdict::Delay(_)
            | Verdict::Duplicate
            | Verdict::Corrupt
            | Verdict::Hold => {}
        }
        if let Some(listener) = self.ruling_listener.get() {
            listener(direction, &ruling);
        }
        Some(ruling)
    }

    fn order_resets(&self, view: &PacketView<'_>) {
        let Some(resets) = reset::of(view.frame, &view.headers) else {
            return;
        };
        let [onward, back] = resets;
        self.order([
            Order::Send {
                direction: view.direction,
                frame: onward,
            },
            Order::Send {
                direction: view.direction.reverse(),
                frame: back,
            },
        ]);
    }

    /// Takes the orders for the wire, which asks for them after it was woken.
    ///
    /// A packet is held from the moment it was judged. So a wire asks on the thread that judges, or
    /// while it keeps other threads from judging. Otherwise the wire could carry out a release
    /// before it has put aside the packet that is to be released.
    pub fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers the function that wakes the wire after an order was given. Only the first call
    /// counts.
    pub fn set_waker(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.waker.set(Box::new(wake));
    }

    /// Registers the function that hears of each ruling. Only the first call counts.
    ///
    /// The function is called on the thread that carries packets: it must neither block nor panic.
    pub fn on_ruling(&self, listener: impl Fn(Direction, &Ruling) + Send + Sync + 'static) {
        self.ruling_listener.get_or_init(|| Box::new(listener));
    }

    fn order(&self, orders: impl IntoIterator<Item = Order>) {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(orders);
        if let Some(wake) = self.waker.get() {
            wake();
        }
    }

    /// Returns the name of the link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Adds a rule, which also remembers packets that it does not pick.
    ///
    /// # Errors
    /// No packet can ever match.
    pub fn add(&self, matching: Match, verdict: Verdict) -> Result<Arc<Rule>, InvalidMatch> {
        matching.validate()?;
        let rule = Arc::new(Rule {
            id: RuleId(self.next.fetch_add(1, Ordering::Relaxed)),
            why: format!("{verdict} by rule: {matching}").into(),
            matching,
            verdict,
            matched: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        self.edit(|rules| rules.push(Arc::clone(&rule)));
        Ok(rule)
    }

    /// Removes a rule and lets go what the rule holds.
    pub fn remove(&self, rule: &Rule) {
        self.edit(|rules| rules.retain(|other| other.id != rule.id));
        rule.state().over = true;
        self.release(rule);
    }

    /// Lets go what a rule holds, and says how many packets that are.
    pub fn release(&self, rule: &Rule) -> u64 {
        let held = std::mem::take(&mut rule.state().held);
        if held > 0 {
            self.order([Order::Release(rule.id)]);
        }
        held
    }

    fn edit(&self, change: impl FnOnce(&mut Vec<Arc<Rule>>)) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let mut edited = rules.to_vec();
        change(&mut edited);
        self.count.store(edited.len(), Ordering::Release);
        *rules = edited.into();
    }
}

impl fmt::Debug for RuleBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleBook")
            .field("link", &self.link)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// A match and its verdict, with the packets that it has seen.
#[derive(Debug)]
pub struct Rule {
    id: RuleId,
    why: Arc<str>,
    /// Packets that the rule is about.
    pub matching: Match,
    verdict: Verdict,
    /// Packets for which all conditions held.
    matched: AtomicU64,
    state: Mutex<RuleState>,
    /// Notified after each change of the state.
    pub changed: Condvar,
}

/// The packets that a rule has seen, and its end.
#[derive(Debug, Default)]
pub struct RuleState {
    /// Number of packets that the rule picked.
    pub hits: u64,
    /// Last packets that the rule picked.
    pub events: VecDeque<Packet>,
    /// Number of packets held since the last release.
    held: u64,
    /// Whether the guard of the rule is gone. A packet that is being judged just now must not be
    /// held any more.
    over: bool,
    /// Number of packets that the rule saw and did not pick.
    pub unpicked: u64,
    /// Last packets that the rule saw and did not pick.
    pub recent_unpicked: VecDeque<Packet>,
    /// Message of the panic that ended the rule, if a closure of the match panicked.
    pub panic: Option<String>,
}

/// Number of picked packets that a rule remembers.
const EVENTS: usize = 1000;
/// Number of packets that were not waited for and that a message shows.
const RECENT_UNPICKED: usize = 10;

impl Rule {
    /// Locks the state of the rule.
    pub fn state(&self) -> MutexGuard<'_, RuleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ruling(&self) -> Ruling {
        Ruling {
            verdict: self.verdict,
            rule: self.id,
            why: Arc::clone(&self.why),
        }
    }

    /// Returns whether the rule picks this packet, and counts the packet among those that match.
    ///
    /// A closure that panics fails the trial, which the panic hook sees to, and ends this rule. The
    /// wire goes on.
    fn match_and_count(&self, view: &PacketView<'_>) -> bool {
        if self.state().panic.is_some() {
            return false;
        }
        let holds = catch_unwind(AssertUnwindSafe(|| self.matching.holds(view)));
        let picked = match holds {
            Ok(true) => self
                .matching
                .picks(self.matched.fetch_add(1, Ordering::Relaxed) + 1),
            Ok(false) => false,
            Err(payload) => {
                self.state().panic = Some(panic_message(&*payload));
                self.changed.notify_all();
                false
            }
        };
        if !picked {
            let mut state = self.state();
            state.unpicked += 1;
            remember(&mut state.recent_unpicked, RECENT_UNPICKED, view);
        }
        picked
    }

    /// Takes note of a packet that the rule picks, or returns false if its guard is gone.
    fn hit(&self, view: &PacketView<'_>) -> bool {
        let mut state = self.state();
        if state.over {
            return false;
        }
        state.hits += 1;
        state.held += u64::from(self.verdict.keeps_back());
        remember(&mut state.events, EVENTS, view);
        self.changed.notify_all();
        true
    }
}

fn remember(packets: &mut VecDeque<Packet>, limit: usize, view: &PacketView<'_>) {
    if packets.len() == limit {
        packets.pop_front();
    }
    packets.push_back(view.to_packet());
}
