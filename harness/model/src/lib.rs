//! The pure part of snowglobe: everything that can be decided without asking a kernel.
//!
//! Most mistakes in a test network are mistakes in values: an address taken twice, a loss of 130
//! percent, a rule that picks the wrong packet. This crate finds such mistakes. The crate knows
//! packets, impairments, rules, topologies and the plans made from topologies. The crate has no
//! I/O, no clock, no threads and no `unsafe`, and knows nothing of trials, processes or labs.
//!
//! Programs use these types through the crate `snowglobe`, which re-exports what users name. The
//! rest is public for that crate alone, and may change at any time.
//!
//! | module | role |
//! |---|---|
//! | [`packet`] | headers of frames, frames that were seen or are made, super-frames |
//! | [`impair`] | what a bad link does to packets, and the channel that does so |
//! | [`nat`] | network address translation, by its behaviours |
//! | [`portmap`] | ports that hosts ask a router for: NAT-PMP, PCP, UPnP |
//! | [`rules`] | matches and verdicts on single packets, and the book of a link's rules |
//! | [`topology`] | nodes, links and switches as a test writes them, and their text forms |
//! | [`plan`] | what a topology means to a kernel: addresses, routes, interfaces, bridges |
//! | [`side`], [`direction`] | the two sides and the two directions of a link |
//! | [`baseline`] | the settings that each new network namespace begins with |
//! | [`clock`] | faults of clocks, and the time that a wrong clock shows |
//! | [`duration`], [`random`] | times as text, and seeds |
//! | [`order`] | sorting by one function for all types |
//! | [`time_scale`], [`starved`] | what a slow machine stretches, and when it was too busy |
//! | [`shrink`] | a search for fewer faults with which a test still fails |
//! | [`twice`] | the first difference between two runs with one seed |
//! | [`failure_rate`] | how often a test fails, as far as so many runs can tell |
//! | [`disk`] | a disk that can break, and that forgets what was not synced in a power cut |
//! | [`fault`], [`carrier`] | faults of a running lab, and what carries the packets of a link |
//! | [`dhcp`] | addresses by DHCP: messages, servers and clients |
//! | [`dhcp6`] | addresses and prefixes by DHCPv6: messages, servers and clients |
//! | [`ndp`] | router advertisements |
//! | [`v6`] | translation of IPv6: prefixes, NAT64, 464XLAT |
//! | [`dns`] | zones, answers, and faults of name servers |
//! | [`cli`] | options of command lines, from which parsers and helps are made |
//! | [`files`] | the one place that reads files, by a function which the program lends |
//! | [`panics`] | the message of a panic |
//! | `position` | the line and column of a byte in a text |
#![forbid(unsafe_code)]
// A new variant of an enum must be named by the compiler wherever the variant matters.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod baseline;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod dhcp;
pub mod dhcp6;
pub mod direction;
pub mod disk;
pub mod dns;
pub mod duration;
pub mod failure_rate;
pub mod fault;
pub mod files;
pub mod impair;
pub mod nat;
pub mod ndp;
pub mod order;
pub mod packet;
pub mod panics;
pub mod plan;
pub mod portmap;
mod position;
pub mod random;
pub mod rules;
pub mod shrink;
pub mod side;
pub mod starved;
pub mod time_scale;
pub mod topology;
pub mod twice;
pub mod v6;
