//! Two runs of a trial with one seed, and the first thing in which they differ.
//!
//! What comes from the seed is the same in both runs; the order in which several programs of a lab
//! do something is not. So a record has lines of several sources, as one stream of one program,
//! and the lines of each source are compared by themselves.

use std::collections::HashMap;
use std::fmt;

/// Something that a run has left in its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Kind of what is recorded.
    pub kind: LineKind,
    /// The source, as ``stdout of `nginx` on `web` ``.
    pub source: String,
    /// The text on one line.
    pub text: String,
}

/// The kinds of what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// A fault of a schedule.
    Schedule,
    /// An address of a lab.
    Address,
    /// An event of a lab.
    Event,
    /// An event of something that goes on until it is stopped: at the end of a run, the last of
    /// these may be missing.
    OpenEnded,
}

/// The kinds, each with the letter that stands for it in the text of a record.
const LETTERS: [(char, LineKind); 4] = [
    ('s', LineKind::Schedule),
    ('a', LineKind::Address),
    ('e', LineKind::Event),
    ('o', LineKind::OpenEnded),
];

impl RecordLine {
    /// Returns the line as text without a line break.
    pub fn to_text(&self) -> String {
        let letter = LETTERS.iter().find(|(_, kind)| *kind == self.kind);
        let letter = letter.map_or('e', |(letter, _)| *letter);
        let plain = |text: &str| text.replace(['\n', '\r', '\t'], " ");
        format!("{letter}\t{}\t{}", plain(&self.source), plain(&self.text))
    }

    /// Reads a line that [`to_text`](Self::to_text) has made.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '\t');
        let letter = parts.next()?.chars().next()?;
        let (_, kind) = LETTERS.iter().find(|(known, _)| *known == letter)?;
        Some(Self {
            kind: *kind,
            source: parts.next()?.to_owned(),
            text: parts.next()?.to_owned(),
        })
    }
}

impl fmt::Display for LineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schedule => "schedule",
            Self::Address => "address",
            Self::Event | Self::OpenEnded => "event",
        })
    }
}

/// The first difference between two runs.
///
/// ```
/// use snowglobe_model::twice::{Difference, LineKind, RecordLine};
///
/// let note = |text: &str| RecordLine {
///     kind: LineKind::Event,
///     source: "the test".to_owned(),
///     text: text.to_owned(),
/// };
/// let found = Difference::first(&[note("a"), note("b")], &[note("a"), note("c")]).unwrap();
/// let said = "event 2 of the test:\n  first run:  b\n  second run: c";
/// assert_eq!(found.to_string(), said);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    kind: LineKind,
    source: String,
    /// Number of the line in its source, from 1.
    number: usize,
    lines: [Option<String>; 2],
}

impl Difference {
    /// Compares the records of two runs, and returns the first line of one of them that the other
    /// one does not have in its place. Times are left out of what programs wrote.
    pub fn first(first: &[RecordLine], second: &[RecordLine]) -> Option<Self> {
        let sources = [by_source(first), by_source(second)];
        let mut places: HashMap<(LineKind, &str), usize> = HashMap::new();
        // In the order of the first run; then what only the second run has.
        for line in first.iter().chain(second) {
            let key = (line.kind, line.source.as_str());
            let place = places.entry(key).or_default();
            let of = |run: usize| -> Option<&str> {
                let lines: &Vec<&str> = sources[run].get(&key)?;
                lines.get(*place).copied()
            };
            let lines = [of(0), of(1)];
            *place += 1;
            let differ = match lines {
                // The times of a schedule come from the seed.
                [Some(one), Some(other)] if line.kind == LineKind::Schedule => one != other,
                [Some(one), Some(other)] => without_times(one) != without_times(other),
                [None, None] => false,
                [Some(_), None] | [None, Some(_)] => line.kind != LineKind::OpenEnded,
            };
            if differ {
                return Some(Self {
                    kind: line.kind,
                    source: line.source.clone(),
                    number: *place,
                    lines: lines.map(|line| line.map(str::to_owned)),
                });
            }
        }
        None
    }
}

type Sources<'a> = HashMap<(LineKind, &'a str), Vec<&'a str>>;

fn by_source(record: &[RecordLine]) -> Sources<'_> {
    let mut sources = Sources::new();
    for line in record {
        let key = (line.kind, line.source.as_str());
        sources.entry(key).or_default().push(&line.text);
    }
    sources
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.lines;
        let shown = |line: &Option<String>| line.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{} {} of {}:\n  first run:  {}\n  second run: {}",
            self.kind,
            self.number,
            self.source,
            shown(first),
            shown(second)
        )
    }
}

/// Returns a text with `…` in the place of each time of day, date and duration: two runs never have
/// the same.
///
/// ```
/// use snowglobe_model::twice::without_times;
///
/// assert_eq!(without_times("2026-11-29T18:56:25.123Z took 1.5ms, 3 of 7"), "… took …, 3 of 7");
/// ```
pub fn without_times(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let is_part = |c: char| c.is_ascii_alphanumeric() || ".:-+_/µ".contains(c);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|c| !is_part(c)) {
            Some(0) => first.len_utf8(),
            Some(length) => length,
            None => rest.len(),
        };
        let (word, others) = rest.split_at(length);
        // A full stop or a colon at the end belongs to the sentence.
        let bare = word.trim_end_matches(['.', ':']);
        if is_time(bare) {
            short.push('…');
            short.push_str(&word[bare.len()..]);
        } else {
            short.push_str(word);
        }
        rest = others;
    }
    short
}

/// Returns whether a word is a date, a time of day, a duration with its unit, or so long a number
/// that it counts from 1970.
fn is_time(word: &str) -> bool {
    const UNITS: [&str; 6] = ["ns", "us", "µs", "ms", "s", "m"];
    let is_number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && text.bytes().any(|b| b.is_ascii_digit())
    };
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '+') {
        return false;
    }
    let word = word.trim_start_matches('+');
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_clock = word.split(':').count() == 3 && is_number(&word[..1]) && digits(word) >= 5;
    let is_date = [('-', 3), ('/', 3)].iter().any(|(by, count)| {
        let parts: Vec<&str> = word.split(*by).collect();
        parts.len() >= *count
            && digits(parts[0]).max(digits(parts[2])) >= 2
            && digits(parts[1]) == 2
            && is_number(parts[0])
            && is_number(parts[1])
    });
    let is_duration = UNITS
        .iter()
        .any(|unit| word.strip_suffix(unit).is_some_and(is_number));
    let is_epoch = is_number(word) && word.split('.').next().is_some_and(|it| it.len() >= 10);
    is_clock || is_date || is_duration || is_epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: LineKind, source: &str, text: &str) -> RecordLine {
        RecordLine {
            kind,
            source: source.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for kind in LETTERS.map(|(_, kind)| kind) {
            let line = line(kind, "`a` on `b`", "x: y");
            assert_eq!(RecordLine::from_text(&line.to_text()), Some(line));
        }
        let broken = line(LineKind::Event, "a", "b\nc\td").to_text();
        assert_eq!(broken, "e\ta\tb c d");
        for text in ["", "x\ta\tb", "e", "e\ta"] {
            assert_eq!(RecordLine::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn the_order_between_sources_does_not_count() {
        let event = |source, text| line(LineKind::Event, source, text);
        let first = [event("a", "1"), event("b", "1"), event("a", "2")];
        let second = [event("b", "1"), event("a", "1"), event("a", "2")];
        assert_eq!(Difference::first(&first, &second), None);
        let second = [event("b", "1"), event("a", "2"), event("a", "1")];
        let found = Difference::first(&first, &second).unwrap();
        assert_eq!(found.lines, [Some("1".to_owned()), Some("2".to_owned())]);
    }

    #[test]
    fn what_one_run_lacks_is_a_difference_unless_it_was_cut_off() {
        let address = [line(LineKind::Address, "a", "10.0.0.1")];
        let found = Difference::first(&[], &address).unwrap();
        assert_eq!(
            found.to_string(),
            "address 1 of a:\n  first run:  nothing\n  second run: 10.0.0.1"
        );
        let open = |text| line(LineKind::OpenEnded, "a", text);
        assert_eq!(
            Difference::first(&[open("1"), open("2")], &[open("1")]),
            None
        );
        assert!(Difference::first(&[open("1"), open("2")], &[open("2")]).is_some());
    }

    #[test]
    fn times_are_left_out_and_other_numbers_are_not() {
        for (text, short) in [
            ("2026-11-29 18:56:25", "… …"),
            (
                "[29/Nov/2026:18:56:25 +0000] GET / 200",
                "[29/Nov/2026:18:56:25 +0000] GET / 200",
            ),
            ("took 12ms.", "took …."),
            ("+0.5s", "…"),
            ("at 1764442585123", "at …"),
            (
                "10.0.0.1:80 sent 512 of 1024",
                "10.0.0.1:80 sent 512 of 1024",
            ),
            ("fe80::1 2001:db8::7", "fe80::1 2001:db8::7"),
            ("02:00:00:00:00:01", "02:00:00:00:00:01"),
            ("", ""),
        ] {
            assert_eq!(without_times(text), short, "{text}");
        }
    }
}
