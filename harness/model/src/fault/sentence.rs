//! Faults as text for people.

use std::fmt;

use super::fault::Fault;
use super::refs::NodeRef;
use crate::impair::text::show_duration;
use crate::impair::{Impairment, Percent};

/// Tells the fault on one line: ``cut of link `alice–bob`, a→b``.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut {
                link,
                direction: None,
            } => write!(f, "cut of link {link}"),
            Self::Cut {
                link,
                direction: Some(direction),
            } => {
                write!(f, "cut of link {link}, {direction}")
            }
            Self::Flap { link, period } => write!(f, "flapping of link {link} every {period:?}"),
            Self::Degrade { link, impairment } => {
                write!(f, "degradation of link {link}{}", harm(impairment))
            }
            Self::Partition {
                left,
                right,
                one_way,
            } => {
                let way = if *one_way { ", one way" } else { "" };
                write!(f, "partition of {} from {}{way}", list(left), list(right))
            }
            Self::Pause { node } => write!(f, "pause of node {node}"),
            Self::KillProcesses { node } => write!(f, "kill of all processes of node {node}"),
            Self::Crash { node } => write!(f, "crash of node {node}"),
            Self::Clock { node, change } => write!(f, "clock of node {node} {change}"),
            Self::Disk {
                node,
                volume: None,
                what,
            } => write!(f, "disk of node {node}: {what}"),
            Self::Disk {
                node,
                volume: Some(volume),
                what,
            } => write!(f, "disk `{volume}` of node {node}: {what}"),
            Self::Dns { node, answers } => write!(f, "name server {node}: {answers}"),
            Self::Sever { pairs } => {
                let pairs: Vec<String> =
                    pairs.iter().map(|[a, b]| format!("{a} and {b}")).collect();
                write!(f, "no word between {}", pairs.join(", "))
            }
            Self::Restart { node } => write!(f, "restart of node {node}"),
            Self::KillProgram { node, program } => {
                write!(f, "kill of program `{program}` of node {node}")
            }
            Self::PauseProgram { node, program } => {
                write!(f, "pause of program `{program}` of node {node}")
            }
            Self::Slow { node, share } => {
                write!(f, "slowdown of node {node} to {share} of the time")
            }
            Self::Descriptors { node, limit } => {
                write!(
                    f,
                    "at most {limit} open files for each process of node {node}"
                )
            }
            Self::Memory { node, spare_kb: 0 } => write!(f, "no more memory for node {node}"),
            Self::Memory { node, spare_kb } => {
                write!(
                    f,
                    "no more than {spare_kb} kB of memory for each process of node {node}"
                )
            }
            Self::Action { action, node: None } => write!(f, "action `{action}`"),
            Self::Action {
                action,
                node: Some(node),
            } => write!(f, "action `{action}` on node {node}"),
        }
    }
}

fn list(nodes: &[NodeRef]) -> String {
    let nodes: Vec<String> = nodes.iter().map(NodeRef::to_string).collect();
    match nodes.is_empty() {
        true => "nobody".to_owned(),
        false => nodes.join(", "),
    }
}

/// Returns what of a link gets worse, as far as a sentence has room for it.
fn harm(worse: &Impairment) -> String {
    // Without `..`, so that the compiler names this place for a new impairment.
    let Impairment {
        delay,
        loss,
        duplicate,
        reorder,
        corrupt,
        rate,
        // The line would be too long with these, or other fields already say most of it.
        jitter: _,
        loss_bursts: _,
        lose_every: _,
        burst: _,
        queue: _,
        mtu: _,
        trace: _,
    } = worse;
    let shares = [
        ("loss", *loss),
        ("duplicates", *duplicate),
        ("reordered", reorder.percent),
        ("corrupt", *corrupt),
    ];
    let delay = (!delay.is_zero()).then(|| format!("delay {}", show_duration(*delay)));
    let rate = rate.map(|rate| format!("rate {rate}"));
    let shares = shares
        .into_iter()
        .filter(|(_, share)| *share != Percent::ZERO);
    let shares = shares.map(|(name, share)| format!("{name} {share}"));
    let parts: Vec<String> = delay.into_iter().chain(rate).chain(shares).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join(", ")),
    }
}
