//! The search for an order.

use std::collections::{HashMap, VecDeque};

use crate::linear::bits::Bits;
use crate::linear::prepared::{Item, Moment, Prepared};
use crate::model::{DeadEndTest, Model, SearchHint};

/// The result of a search.
pub(super) enum SearchOutcome {
    /// The search has found an order.
    Linearizable,
    /// No order reaches beyond this moment.
    Stuck(usize),
    /// The search gave up.
    Exhausted,
    /// The model knows that there is no order: the operations that contradict each other, by their
    /// places among those that are due, and a sentence.
    Contradiction { places: Vec<usize>, why: String },
}

/// Part of the order that is decided at a moment.
#[derive(Clone)]
struct Config<S> {
    state: S,
    /// Slots of operations that are in the order and have not returned yet.
    ordered: Bits,
    /// Slots of operations that have not returned and may have been overwritten unseen: they ran
    /// when the last overwriting operation was put into the order, so each of them may have its
    /// place right in front.
    unseen: Bits,
    /// Optional operations that are in the order.
    used: Bits,
    /// Whether an overwriting operation was put into the order last, at this moment, and answered
    /// nobody. Another overwriting one behind it would leave it unseen, which `unseen` stands for.
    bare: bool,
}

/// The next step that the search takes with a configuration.
#[derive(Clone, Copy)]
enum Try {
    /// The returning operation, where it stands already or was unseen.
    AsItIs,
    /// The returning operation next.
    Next,
    /// Another operation next.
    Other,
}

/// Configurations of one moment that were tried: by what is ordered and the state, the optional
/// operations they used and those that may be unseen.
type Tried<S> = HashMap<(Bits, S, bool), Vec<(Bits, Bits)>>;

/// A moment at which the search may come back to other choices.
struct Frame<S> {
    moment: usize,
    open: VecDeque<(Config<S>, Try)>,
}

struct Search<'p, 'h, M: Model> {
    model: &'p M,
    leads_nowhere: Option<DeadEndTest<'h, M>>,
    prepared: &'p Prepared<'h, M>,
    /// Configurations that arrived at each moment.
    arrived: Vec<Tried<M::State>>,
    /// Configurations on the way from each moment to the next.
    between: Vec<Tried<M::State>>,
    seen: usize,
    furthest: usize,
}

/// Searches an order of the operations, and gives up after `limit` configurations.
pub(super) fn search<M: Model>(
    model: &M,
    prepared: &Prepared<'_, M>,
    limit: usize,
) -> SearchOutcome {
    let moments = prepared.moments.len();
    let leads_nowhere = match model.search_hint(&prepared.known()) {
        SearchHint::Nothing => None,
        SearchHint::Test(leads_nowhere) => Some(leads_nowhere),
        SearchHint::Contradiction { places, why } => {
            return SearchOutcome::Contradiction { places, why };
        }
    };
    let mut search = Search {
        model,
        leads_nowhere,
        prepared,
        arrived: (0..moments).map(|_| HashMap::new()).collect(),
        between: (0..moments).map(|_| HashMap::new()).collect(),
        seen: 0,
        furthest: 0,
    };
    let first = Config {
        state: model.initial(),
        ordered: Bits::default(),
        unseen: Bits::default(),
        used: Bits::default(),
        bare: false,
    };
    let mut frames = Vec::new();
    if search.arrive(0, first, &mut frames) {
        return SearchOutcome::Linearizable;
    }
    while let Some(frame) = frames.last_mut() {
        let Some((config, attempt)) = frame.open.pop_front() else {
            frames.pop();
            continue;
        };
        if search.seen > limit {
            return SearchOutcome::Exhausted;
        }
        if let Some((moment, next)) = search.attempt(frame, config, attempt)
            && search.arrive(moment, next, &mut frames)
        {
            return SearchOutcome::Linearizable;
        }
    }
    SearchOutcome::Stuck(search.furthest)
}

impl<M: Model> Search<'_, '_, M> {
    /// Takes a configuration to a moment. Returns whether there is no further moment.
    fn arrive(
        &mut self,
        moment: usize,
        mut config: Config<M::State>,
        frames: &mut Vec<Frame<M::State>>,
    ) -> bool {
        if moment == self.prepared.moments.len() {
            return true;
        }
        self.furthest = self.furthest.max(moment);
        config.bare = false;
        self.answer(&self.prepared.moments[moment], &mut config);
        if self.is_new(moment, &config, true) {
            frames.push(Frame {
                moment,
                open: VecDeque::from([(config, Try::AsItIs)]),
            });
        }
        false
    }

    /// Takes the next step with a configuration of a frame. Returns the configuration that reaches
    /// the next moment, if the step leads there.
    fn attempt(
        &mut self,
        frame: &mut Frame<M::State>,
        config: Config<M::State>,
        attempt: Try,
    ) -> Option<(usize, Config<M::State>)> {
        let prepared = self.prepared;
        let moment = &prepared.moments[frame.moment];
        let returning = &prepared.due[frame.moment];
        let beyond = frame.moment + 1;
        match attempt {
            Try::AsItIs if config.ordered.contains(returning.slot) => {
                // Nothing more is due now, and whatever else is possible will be later.
                Some((beyond, returned(config, returning.slot)))
            }
            Try::AsItIs => {
                let unseen = config.unseen.contains(returning.slot) && !config.bare;
                frame.open.push_front((config.clone(), Try::Next));
                unseen.then(|| (beyond, returned(config, returning.slot)))
            }
            Try::Next => {
                let hidden = config.bare && returning.overwrites;
                let next = (!hidden && !returning.observes)
                    .then(|| self.order(moment, &config, returning, true))
                    .flatten();
                frame.open.push_front((config, Try::Other));
                next.map(|next| (beyond, returned(next, returning.slot)))
            }
            Try::Other => {
                self.expand(frame, &config);
                None
            }
        }
    }

    /// Adds the configurations that put one other operation into the order.
    fn expand(&mut self, frame: &mut Frame<M::State>, config: &Config<M::State>) {
        let prepared = self.prepared;
        let moment = &prepared.moments[frame.moment];
        let pending = moment.pending.iter().filter(|it| **it != frame.moment);
        let pending = pending.map(|place| (&prepared.due[*place], true));
        let optional = prepared.optional[..moment.optional].iter();
        let all = pending.chain(optional.map(|item| (item, false)));
        let (model, seers) = (self.model, seers(prepared, moment, config));
        let is_seen = |item: &Item<'_, M>| {
            let state = model.step(&config.state, item.call, item.ret);
            let sees = |state: &M::State, it: &Item<'_, M>| model.step(state, it.call, it.ret);
            state.is_some_and(|state| seers.iter().any(|it| sees(&state, it).is_some()))
        };
        for (item, due) in all {
            let slots = if due { &config.ordered } else { &config.used };
            let hidden = config.bare && item.overwrites;
            let later = item
                .twin
                .is_some_and(|twin| prepared.repeats || !config.used.contains(twin));
            // An operation that only observes was put into the order as soon as the state allowed
            // the operation.
            if item.observes || hidden || later || slots.contains(item.slot) {
                continue;
            }
            // What nobody sees now may as well be put into the order later. So hundreds of writes
            // with unknown outcomes are tried only where somebody may have read one.
            if item.overwrites && !is_seen(item) {
                continue;
            }
            let Some(next) = self.order(moment, config, item, due) else {
                continue;
            };
            if self.is_new(frame.moment, &next, false) {
                frame.open.push_back((next, Try::AsItIs));
            }
        }
    }

    /// Puts an operation into the order, if the model permits it in this state.
    fn order(
        &self,
        moment: &Moment,
        config: &Config<M::State>,
        item: &Item<'_, M>,
        due: bool,
    ) -> Option<Config<M::State>> {
        let state = self.model.step(&config.state, item.call, item.ret)?;
        if !due && state == config.state {
            return None;
        }
        let leads_nowhere = self.leads_nowhere.as_ref();
        if leads_nowhere.is_some_and(|it| it(&config.state, item.call, item.ret)) {
            return None;
        }
        let mut next = config.clone();
        next.state = state;
        next.bare = item.overwrites;
        if due {
            next.ordered.insert(item.slot);
            next.unseen.remove(item.slot);
        } else if !self.prepared.repeats {
            next.used.insert(item.slot);
        }
        if item.overwrites {
            for place in &moment.pending {
                let other = &self.prepared.due[*place];
                if other.overwrites && !next.ordered.contains(other.slot) {
                    next.unseen.insert(other.slot);
                }
            }
        }
        self.answer(moment, &mut next);
        Some(next)
    }

    /// Puts the observing operations into the order that the state answers.
    fn answer(&self, moment: &Moment, config: &mut Config<M::State>) {
        for place in &moment.pending {
            let item = &self.prepared.due[*place];
            if item.observes
                && !config.ordered.contains(item.slot)
                && self
                    .model
                    .step(&config.state, item.call, item.ret)
                    .is_some()
            {
                config.ordered.insert(item.slot);
                config.bare = false;
            }
        }
    }

    /// Returns whether no configuration that was tried is as good as this one, and remembers it.
    fn is_new(&mut self, moment: usize, config: &Config<M::State>, arrived: bool) -> bool {
        self.seen += 1;
        let tried = if arrived {
            &mut self.arrived[moment]
        } else {
            &mut self.between[moment]
        };
        let key = (config.ordered.clone(), config.state.clone(), config.bare);
        let known = tried.entry(key).or_default();
        // Fewer unknown operations in the order, and more that may be unseen, leave more freedom.
        let as_good = |(used, unseen): &(Bits, Bits)| {
            used.is_within(&config.used) && config.unseen.is_within(unseen)
        };
        if known.iter().any(as_good) {
            return false;
        }
        known.push((config.used.clone(), config.unseen.clone()));
        true
    }
}

/// Returns the operations that may stand next in the order and depend on the state there.
fn seers<'p, 'h, M: Model>(
    prepared: &'p Prepared<'h, M>,
    moment: &Moment,
    config: &Config<M::State>,
) -> Vec<&'p Item<'h, M>> {
    let pending = moment.pending.iter();
    let pending = pending.map(|place| (&prepared.due[*place], &config.ordered));
    let optional = prepared.optional[..moment.optional].iter();
    let all = pending.chain(optional.map(|item| (item, &config.used)));
    let free = all.filter(|(item, placed)| !item.overwrites && !placed.contains(item.slot));
    free.map(|(item, _)| item).collect()
}

/// Forgets an operation that has returned: another one may get its slot.
fn returned<S>(mut config: Config<S>, slot: usize) -> Config<S> {
    config.ordered.remove(slot);
    config.unseen.remove(slot);
    config
}
