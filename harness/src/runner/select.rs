//! Selection of the trials that run, and their order.

use super::args::Arguments;
use super::error::{RunError, usage};
use crate::model::random::splitmix;
use crate::trial::{Trial, Weight};

/// Trials that remain after filtering.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Trials in the order in which they run, with those that are only shown as ignored.
    pub(crate) trials: Vec<Trial>,
    /// Number of trials that the filters left out.
    pub(crate) filtered_out: usize,
}

impl Arguments {
    /// Returns whether the filters let a trial of this name through.
    pub(crate) fn lets_through(&self, name: &str) -> bool {
        let matches = |filter: &String| {
            if self.exact {
                name == filter
            } else {
                name.contains(filter.as_str())
            }
        };
        (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skip.iter().any(matches)
    }

    /// Returns whether a trial that was let through runs, or else is shown as ignored.
    pub(crate) fn runs(&self, ignored: bool) -> bool {
        !self.bench && (!ignored || self.ignored || self.include_ignored)
    }
}

/// Sorts trials by name, and refuses names that stand twice, for neither of the two trials could be
/// run alone, and names that would spoil a list or be read as an option.
///
/// The linker decides in which order registered trials come. The order of names is the same on
/// every machine, and a seed then gives the same random order.
///
/// # Errors
/// Names the trials.
pub(crate) fn sort_and_check(trials: &mut [Trial]) -> Result<(), RunError> {
    for trial in &*trials {
        check_name(trial)?;
    }
    sort_by_name(trials);
    let twice = |pair: &&[Trial]| pair[0].name() == pair[1].name();
    match trials.windows(2).find(twice) {
        Some([first, second]) => Err(usage(format!(
            "two trials are named `{}` ({} and {}): give one of them another name",
            first.name(),
            place(first),
            place(second)
        ))),
        Some(_) | None => Ok(()),
    }
}

fn check_name(trial: &Trial) -> Result<(), RunError> {
    let name = trial.name();
    // Each start looks at each name. Without an end ahead of time the compiler makes vector
    // instructions of the loop.
    let ends_line = |bad: bool, byte: u8| bad | matches!(byte, b'\n' | b'\r' | 0);
    if name.is_empty() || name.bytes().fold(false, ends_line) {
        return Err(usage(format!(
            "a trial's name is {name:?}: give each a name, on one line"
        )));
    }
    if name.starts_with('-') {
        return Err(usage(format!(
            "a trial is named `{name}` ({}): on a command line that is an option, and nextest would run something else; let the name begin with another character",
            place(trial)
        )));
    }
    Ok(())
}

/// Sorts trials by name, and leaves those of one name in their order.
///
/// What is sorted is names and places. A trial is ten times as large as a name's address, and to
/// move ten thousand of them again and again touches memory that the kernel has to give first.
fn sort_by_name(trials: &mut [Trial]) {
    if trials.is_sorted_by(|a, b| a.name() <= b.name()) {
        return;
    }
    let mut names: Vec<(&str, usize)> = trials
        .iter()
        .enumerate()
        .map(|(at, trial)| (trial.name(), at))
        .collect();
    names.sort_by_key(|(name, _)| *name);
    let mut order: Vec<usize> = names.into_iter().map(|(_, at)| at).collect();
    for place in 0..trials.len() {
        let mut from = order[place];
        // What was there has been moved by an exchange with an earlier place.
        while from < place {
            from = order[from];
        }
        order[place] = from;
        trials.swap(place, from);
    }
}

fn place(trial: &Trial) -> String {
    match trial.source() {
        Some(source) => format!("{}:{}", source.file, source.line),
        None => "added at run time".to_owned(),
    }
}

/// Applies the filters to trials that [`sort_and_check`] has sorted, and the order that the
/// arguments ask for. Trials that need the machine to themselves come last, so that the others need
/// not wait for each of them.
pub(crate) fn select(args: &Arguments, mut trials: Vec<Trial>) -> Selection {
    let all = trials.len();
    trials.retain(|trial| args.lets_through(trial.name()));
    if args.ignored {
        trials.retain(Trial::has_ignored_flag);
    }
    let filtered_out = all - trials.len();
    if let Some(seed) = args.shuffle_seed {
        shuffle(&mut trials, seed);
    }
    // The sort is stable, so the order is kept otherwise.
    trials.sort_by_key(|trial| trial.options().weight == Weight::Machine);
    Selection {
        trials,
        filtered_out,
    }
}

/// Puts items into a random order, with the algorithm of Fisher and Yates. The same `state` gives
/// the same order.
fn shuffle<T>(items: &mut [T], mut state: u64) {
    for last in (1..items.len()).rev() {
        let other = splitmix(&mut state) % (last as u64 + 1);
        items.swap(last, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(names: &[&str]) -> Vec<Trial> {
        names.iter().map(|name| Trial::test(*name, || ())).collect()
    }

    fn names(line: &str, all: &[&str]) -> Vec<String> {
        let args = Arguments::parse_from(line.split_whitespace()).unwrap();
        let mut trials = trials(all);
        sort_and_check(&mut trials).unwrap();
        select(&args, trials)
            .trials
            .iter()
            .map(|t| t.name().to_owned())
            .collect()
    }

    #[test]
    fn filters_are_parts_of_names_or_whole_ones() {
        let all = ["tcp::a", "tcp::ab", "udp::a"];
        assert_eq!(names("tcp", &all), ["tcp::a", "tcp::ab"]);
        assert_eq!(names("tcp udp --skip b", &all), ["tcp::a", "udp::a"]);
        assert_eq!(names("--exact tcp::a", &all), ["tcp::a"]);
        assert_eq!(names("--exact a", &all), Vec::<String>::new());
        assert_eq!(
            names("tcp --exact --skip tcp::a", &all),
            Vec::<String>::new()
        );
    }

    #[test]
    fn order_is_by_name_or_by_seed() {
        let all: Vec<String> = (0..50).map(|i| format!("t{i:02}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for step in [1, 7, 31, 49] {
            let mixed: Vec<&str> = (0..50).map(|i| all[i * step % 50]).collect();
            assert_eq!(names("", &mixed), all, "{step}");
        }
        let shuffled = names("--shuffle --shuffle-seed 3", &all);
        assert_ne!(shuffled, all);
        assert_eq!(shuffled, names("--shuffle-seed 3", &all));
        assert_ne!(shuffled, names("--shuffle-seed 4", &all));
    }

    #[test]
    fn names_that_stand_twice_are_refused() {
        let check = |names: &[&str]| sort_and_check(&mut trials(names));
        assert!(check(&["b", "a"]).is_ok());
        let error = check(&["a", "b", "a"]).unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
        for bad in ["", "a\nb", "a\rb", "a\0b", "--list"] {
            assert!(check(&[bad]).is_err(), "{bad:?}");
        }
        assert!(check(&["a-b"]).is_ok());
    }
}
