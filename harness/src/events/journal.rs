//! The events of one lab: kept for those who ask later, and handed on to those who wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::clock::since_start;
use super::event::{Event, EventKind, FaultId, ShownIn};
use super::forbidden::ForbiddenTexts;
use super::recorded;
use crate::kernel::sync::{Lock, Notifier};
use crate::model::carrier::Carrier;
use crate::trial::running;

/// Number of events that a journal keeps. A chatty program writes some ten thousand lines; more
/// would only cost memory, and a reader that keeps up misses nothing.
const KEPT: usize = 10_000;

/// The events of a lab, in the order in which they were recorded.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    state: Lock<State>,
    changed: Notifier,
    /// Number of faults that have begun.
    faults: AtomicU64,
    forbidden: ForbiddenTexts,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Arc<Event>>,
    /// Number of the next event.
    next: u64,
    /// Whether the lab is gone, so that no event will follow.
    closed: bool,
}

impl State {
    fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }
}

/// The next event for a reader, or the reason why there is none.
pub(super) enum Next {
    /// The event that follows.
    Event(Arc<Event>),
    /// The deadline has passed; the last event of the journal, if there is one.
    TimedOut(Option<Arc<Event>>),
    /// The lab is gone.
    Closed,
}

/// The journals of all labs of this process. A note of the test belongs to each of them.
static JOURNALS: Lock<Vec<Weak<Journal>>> = Lock::new(Vec::new());

/// Records an event that belongs to no single lab in the journals of all labs.
pub(crate) fn note_in_all(kind: EventKind) {
    tell(&kind);
    keep_in_all(&kind);
}

fn keep_in_all(kind: &EventKind) {
    let mut journals = JOURNALS.lock();
    journals.retain(|journal| journal.strong_count() > 0);
    for journal in journals.iter().filter_map(Weak::upgrade) {
        journal.keep(kind.clone());
    }
}

/// Records a note of the test, which the runner shows by itself.
fn keep_note(text: &str) {
    keep_in_all(&EventKind::Note(text.to_owned()));
}

/// Shows an event to those who do not read journals: beside the verdict, or in the trial's output.
fn tell(kind: &EventKind) {
    match kind.shown_in() {
        ShownIn::Verdict => {
            running::note(&kind.to_string());
        }
        ShownIn::Output => eprintln!("{kind}"),
        ShownIn::JournalOnly => {}
    }
}

impl Journal {
    /// Starts the journal of a new lab.
    pub(crate) fn start() -> Arc<Self> {
        running::on_note(keep_note);
        let journal = Arc::new(Self::default());
        JOURNALS.lock().push(Arc::downgrade(&journal));
        journal
    }

    /// Records that something has happened now, and shows it where people look for it.
    pub(crate) fn record(&self, kind: EventKind) {
        tell(&kind);
        self.keep(kind);
    }

    /// Records the carriers of new links. People are shown each, or, where one carrier has many
    /// links, the first and the last.
    pub(crate) fn record_carriers(&self, links: &[(String, Carrier)]) {
        const MANY: usize = 8;
        let mut shown = BTreeMap::<String, Vec<&str>>::new();
        for (link, carrier) in links {
            shown.entry(carrier.to_string()).or_default().push(link);
            self.keep(carried(link, *carrier));
        }
        for (carrier, names) in shown {
            match names[..] {
                [first, .., last] if names.len() > MANY => {
                    let count = names.len();
                    eprintln!("{count} links, `{first}` to `{last}`, are carried by {carrier}");
                }
                _ => names.iter().for_each(|name| {
                    eprintln!("link `{name}` is carried by {carrier}");
                }),
            }
        }
    }

    /// Records what was shown to people already, or concerns only those who read events.
    pub(crate) fn keep(&self, kind: EventKind) {
        self.keep_all([kind]);
    }

    /// Records several such events, which have happened by now, at once.
    pub(crate) fn keep_all(&self, kinds: impl IntoIterator<Item = EventKind>) {
        let mut state = self.state.lock();
        // The time is read under the lock, so that the order of the numbers is that of the times.
        let time = since_start();
        for kind in kinds {
            recorded::add(&kind);
            let number = state.next;
            if state.kept.len() == KEPT {
                state.kept.pop_front();
            }
            state.kept.push_back(Arc::new(Event { number, time, kind }));
            state.next += 1;
        }
        self.changed.notify_all();
    }

    /// Returns the texts that programs must not write.
    pub(crate) fn forbidden(&self) -> &ForbiddenTexts {
        &self.forbidden
    }

    /// Forbids texts to programs, in what they have written already as well.
    pub(crate) fn forbid(&self, texts: Vec<String>) {
        self.forbidden.forbid(texts);
        for event in self.since(0) {
            if let EventKind::ProcessSaid {
                process,
                stream,
                line,
            } = &event.kind
            {
                self.forbidden
                    .judge(process, *stream, std::slice::from_ref(line), "");
            }
        }
    }

    /// Returns the number of the next fault.
    pub(crate) fn next_fault(&self) -> FaultId {
        FaultId(1 + self.faults.fetch_add(1, Ordering::Relaxed))
    }

    /// Tells all readers that no event will follow.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Returns the events that are kept, from the number `from` on.
    pub(super) fn since(&self, from: u64) -> Vec<Arc<Event>> {
        let state = self.state.lock();
        let skip = from.saturating_sub(state.first());
        state.kept.iter().skip(skip as usize).cloned().collect()
    }

    /// Waits for the first event whose number is at least `from`.
    pub(super) fn wait(&self, from: u64, deadline: Instant) -> Next {
        let mut state = self.state.lock();
        loop {
            let skip = from.saturating_sub(state.first());
            if let Some(event) = state.kept.get(skip as usize) {
                return Next::Event(Arc::clone(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed {
                return Next::Closed;
            }
            if left.is_zero() {
                return Next::TimedOut(state.kept.back().cloned());
            }
            state = self.changed.wait_timeout(state, left);
        }
    }
}

fn carried(link: &str, to: Carrier) -> EventKind {
    EventKind::CarrierChanged {
        link: link.to_owned(),
        from: None,
        to,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::events::Events;
    use crate::trial::patience::Patience;

    fn note(text: &str) -> EventKind {
        EventKind::Note(text.to_owned())
    }

    fn texts(events: &[Arc<Event>]) -> Vec<String> {
        events.iter().map(|event| event.kind.to_string()).collect()
    }

    #[test]
    fn each_reader_has_a_place_of_its_own() {
        let journal = Journal::start();
        journal.record(note("one"));
        let mut first = Events::new(&journal, Patience::of(Duration::ZERO));
        assert_eq!(texts(&first.so_far()), ["one"]);
        journal.record(note("two"));
        let mut second = Events::new(&journal, Patience::of(Duration::ZERO));
        assert_eq!(texts(&first.so_far()), ["two"]);
        assert_eq!(texts(&second.so_far()), ["one", "two"]);
        let times: Vec<_> = second
            .clone()
            .so_far()
            .iter()
            .map(|event| event.time)
            .collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn a_reader_waits_for_an_event_that_another_thread_records() {
        let journal = Journal::start();
        let mut events = Events::new(&journal, Patience::of(Duration::from_secs(30)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                journal.record(note("not this one"));
                journal.record(note("this one"));
            });
            let this = |event: &Event| event.kind == note("this one");
            let found = events.wait_for("a note", this).unwrap();
            assert_eq!(found.number, 1);
        });
    }

    #[test]
    fn an_event_that_does_not_come_is_an_error_with_the_last_one() {
        let journal = Journal::start();
        journal.record(note("another"));
        let mut events = Events::new(&journal, Patience::of(Duration::ZERO));
        let error = events.wait_for("the flood", |_| false).unwrap_err();
        assert!(error.is_timeout());
        let text = error.to_string();
        assert!(
            text.starts_with("waited 0ns in vain for the flood; the last event was: +"),
            "{text}"
        );
        assert!(text.ends_with("s another"), "{text}");
        journal.close();
        let error = events.next_event().unwrap_err();
        assert_eq!(
            error.to_string(),
            "an event cannot come any more: the lab was dropped"
        );
    }

    #[test]
    fn a_reader_is_told_how_much_it_has_missed() {
        let journal = Journal::start();
        let mut events = Events::new(&journal, Patience::of(Duration::ZERO));
        for number in 0..KEPT + 7 {
            journal.record(note(&number.to_string()));
        }
        assert_eq!(events.so_far().len(), KEPT);
        assert_eq!(events.missed(), 7);
    }
}
