//! One figure depends on what the machine did just before: contestants take turns, and medians
//! count.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::quiet;

/// Runs a contestant once and returns its figure; the error says why that failed.
pub(crate) type Contestant<'a> = Box<dyn FnMut() -> Result<f64, String> + 'a>;

/// Lets the contestants take turns, each on a quiet machine, and returns the median of each.
pub(crate) fn in_turns(
    rounds: usize,
    contestants: &mut [Contestant<'_>],
) -> Result<Vec<f64>, String> {
    let mut times = turns(rounds, contestants)?;
    Ok(times.iter_mut().map(|times| median(times)).collect())
}

/// Lets the contestants take turns, as [`in_turns`] does, and returns the least of each: for what
/// takes seconds longer by a chance that is none of ours.
pub(super) fn least_in_turns(
    rounds: usize,
    contestants: &mut [Contestant<'_>],
) -> Result<Vec<f64>, String> {
    let times = turns(rounds, contestants)?;
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    Ok(times.into_iter().map(least).collect())
}

/// Returns the times of each contestant.
///
/// Another contestant begins in each round, so that nobody always finds the machine as the same
/// predecessor has left it.
fn turns(rounds: usize, contestants: &mut [Contestant<'_>]) -> Result<Vec<Vec<f64>>, String> {
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for contestant in contestants.iter_mut() {
        contestant()?;
    }
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            let who = (round + turn) % contestants.len();
            quiet::wait();
            times[who].push(contestants[who]()?);
        }
    }
    Ok(times)
}

/// Returns the median of a contestant that is measured against a bound.
pub(super) fn alone(
    rounds: usize,
    contestant: impl FnMut() -> Result<f64, String>,
) -> Result<f64, String> {
    Ok(in_turns(rounds, &mut [Box::new(contestant)])?[0])
}

pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a command that must succeed; returns how many milliseconds it took.
pub(crate) fn time(command: &mut Command) -> Result<f64, String> {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let output = command
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let elapsed = started.elapsed();
    if output.status.success() {
        Ok(elapsed.as_secs_f64() * 1e3)
    } else {
        Err(format!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))
    }
}

/// Runs a command and returns the figure of that name that it prints.
pub(super) fn said(command: &mut Command, name: &str) -> Result<f64, String> {
    figure(&output(command)?, name)
}

/// Returns the number behind that word. The word stands without a number where a report names a
/// trial that is called like the figure.
pub(super) fn figure(text: &str, name: &str) -> Result<f64, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut pairs = words.windows(2).filter(|pair| pair[0] == name);
    let value = pairs.find_map(|pair| pair[1].parse().ok());
    value.ok_or_else(|| format!("no figure `{name}` was said: {text}"))
}

/// Returns the medians of several figures that one command prints.
pub(super) fn figures<const N: usize>(
    rounds: usize,
    command: impl Fn() -> Command,
    names: [&str; N],
) -> Result<[f64; N], String> {
    let mut all = [const { Vec::new() }; N];
    for _ in 0..rounds {
        quiet::wait();
        let text = output(&mut command())?;
        for (values, name) in all.iter_mut().zip(names) {
            values.push(figure(&text, name)?);
        }
    }
    Ok(all.map(|mut values| median(&mut values)))
}

/// Runs a command that must succeed, and returns what it prints.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!(
            "{command:?} failed: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
