//! The values of options, each with the sentence that says what is wrong with one.

use std::ffi::OsString;
use std::time::Duration;

use super::{Color, Format};
use crate::model::duration::parse;
use crate::runner::error::{RunError, usage};

pub(super) fn value(parser: &mut lexopt::Parser) -> Result<OsString, RunError> {
    parser.value().map_err(|e| usage(e.to_string()))
}

pub(super) fn text(value: OsString) -> Result<String, RunError> {
    value
        .into_string()
        .map_err(|v| usage(format!("the argument {v:?} is not UTF-8")))
}

pub(super) fn unknown(option: &str) -> RunError {
    usage(format!(
        "there is no option `{option}`; --help lists those there are"
    ))
}

pub(super) fn unstable(what: &str) -> Result<(), RunError> {
    match what {
        "unstable-options" => Ok(()),
        other => Err(usage(format!(
            "`-Z {other}`: the only one there is is `-Z unstable-options`"
        ))),
    }
}

pub(super) fn threads(from: &str, text: &str) -> Result<usize, RunError> {
    match text.parse::<usize>() {
        Ok(0) => Err(usage(format!("{from} is 0: give 1 or more"))),
        Ok(n) => Ok(n),
        Err(_) => Err(usage(format!(
            "{from} is `{text}`: give a whole number, 1 or more"
        ))),
    }
}

pub(super) fn number(from: &str, text: &str) -> Result<u64, RunError> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| {
        usage(format!(
            "{from} is `{text}`: give a whole number, as in 42 or 0x2a"
        ))
    })
}

/// A time with its unit, as in `30s`, `500ms`, `2m`; a bare number is seconds.
pub(super) fn duration(from: &str, text: &str) -> Result<Duration, RunError> {
    match parse(text) {
        Some(limit) if !limit.is_zero() => Ok(limit),
        Some(_) => Err(usage(format!(
            "{from} is `{text}`: a time of zero lets nothing run"
        ))),
        None => Err(usage(format!(
            "{from} is `{text}`: give a time such as 30s, 500ms or 2m"
        ))),
    }
}

pub(super) fn color(text: &str) -> Result<Color, RunError> {
    match text {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err(usage(format!(
            "--color is `{text}`: give auto, always or never"
        ))),
    }
}

pub(super) fn format(text: &str) -> Result<Format, RunError> {
    match text {
        "pretty" => Ok(Format::Pretty),
        "terse" => Ok(Format::Terse),
        "json" => Ok(Format::Json),
        "junit" => Ok(Format::Junit),
        "failures" => Ok(Format::Failures),
        _ => Err(usage(format!(
            "--format is `{text}`: give pretty, terse, json, junit or failures"
        ))),
    }
}
