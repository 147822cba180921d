//! The table of formats: the name and the reporter of each. The enum `Format` is in `options`.

use super::failures::Failures;
use super::json::Json;
use super::junit::Junit;
use super::options::{Format, ReportOptions};
use super::pretty::Pretty;
use super::reporter::Reporter;
use super::terse::Terse;

/// Makes the reporter of a format.
type Constructor = fn(&ReportOptions) -> Box<dyn Reporter>;

/// Formats by their names on the command line.
pub(crate) const FORMATS: [(&str, Format, Constructor); 5] = [
    ("pretty", Format::Pretty, |options| {
        Box::new(Pretty::new(options))
    }),
    ("terse", Format::Terse, |options| {
        Box::new(Terse::new(options))
    }),
    ("json", Format::Json, |_| Box::<Json>::default()),
    ("junit", Format::Junit, |_| Box::<Junit>::default()),
    ("failures", Format::Failures, |_| Box::<Failures>::default()),
];

/// Returns the formats by their names on the command line.
pub(crate) fn format_names() -> [(&'static str, Format); FORMATS.len()] {
    FORMATS.map(|(name, format, _)| (name, format))
}

/// Makes the reporter of the format that the user has chosen.
pub(crate) fn reporter(options: &ReportOptions) -> Box<dyn Reporter> {
    let of_format = FORMATS
        .iter()
        .find(|(_, format, _)| *format == options.format);
    let (_, _, construct) = of_format.expect("FORMATS holds every variant of Format");
    construct(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_in_the_table() {
        // The match names every variant, so a new one does not compile before it is counted here.
        let position = |format| match format {
            Format::Pretty => 0,
            Format::Terse => 1,
            Format::Json => 2,
            Format::Junit => 3,
            Format::Failures => 4,
        };
        for (index, (name, format, _)) in FORMATS.iter().enumerate() {
            assert_eq!(position(*format), index, "{name}");
        }
    }
}
