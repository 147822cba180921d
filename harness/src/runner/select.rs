//! Selection of the trials that run, and their order.

use std::collections::HashMap;

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

/// Refuses names that stand twice, for neither of the two trials could be run alone, and names that
/// would spoil a list or be read as an option.
///
/// # Errors
/// Names the trials.
pub(crate) fn check_names(trials: &[Trial]) -> Result<(), RunError> {
    let mut seen: HashMap<&str, &Trial> = HashMap::with_capacity(trials.len());
    for trial in trials {
        if trial.name().is_empty() || trial.name().contains(['\n', '\r', '\0']) {
            return Err(usage(format!(
                "a trial's name is {:?}: give each a name, on one line",
                trial.name()
            )));
        }
        if trial.name().starts_with('-') {
            return Err(usage(format!(
                "a trial is named `{}` ({}): on a command line that is an option, and nextest would run something else; let the name begin with another character",
                trial.name(),
                place(trial)
            )));
        }
        if let Some(other) = seen.insert(trial.name(), trial) {
            return Err(usage(format!(
                "two trials are named `{}` ({} and {}): give one of them another name",
                trial.name(),
                place(other),
                place(trial)
            )));
        }
    }
    Ok(())
}

fn place(trial: &Trial) -> String {
    match trial.source() {
        Some(source) => format!("{}:{}", source.file, source.line),
        None => "added at run time".to_owned(),
    }
}

/// Applies the filters and the order. Trials that need the machine to themselves come last, so that
/// the others need not wait for each of them.
pub(crate) fn select(args: &Arguments, mut trials: Vec<Trial>) -> Selection {
    let all = trials.len();
    trials.retain(|trial| args.lets_through(trial.name()));
    if args.ignored {
        trials.retain(Trial::has_ignored_flag);
    }
    let filtered_out = all - trials.len();
    // The linker decides in which order registered trials come. The order of names is the same on
    // every machine, and a seed then gives the same random order.
    trials.sort_by(|a, b| a.name().cmp(b.name()));
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
        select(&args, trials(all))
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
        assert_eq!(names("", &all), all);
        let shuffled = names("--shuffle --shuffle-seed 3", &all);
        assert_ne!(shuffled, all);
        assert_eq!(shuffled, names("--shuffle-seed 3", &all));
        assert_ne!(shuffled, names("--shuffle-seed 4", &all));
    }

    #[test]
    fn names_that_stand_twice_are_refused() {
        assert!(check_names(&trials(&["a", "b"])).is_ok());
        let error = check_names(&trials(&["a", "b", "a"])).unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
        assert!(check_names(&trials(&[""])).is_err());
        assert!(check_names(&trials(&["a\nb"])).is_err());
        assert!(check_names(&trials(&["--list"])).is_err());
        assert!(check_names(&trials(&["a-b"])).is_ok());
    }
}
