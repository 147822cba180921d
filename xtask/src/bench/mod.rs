//! A benchmark's figure says little by itself: machines differ, and one machine differs from hour
//! to hour. So `cargo xtask bench` measures ratios: ours and others take turns in one run, and each
//! turn waits until the machine is quiet.
//!
//! | file | role |
//! |---|---|
//! | `options.rs` | the command line |
//! | `run.rs` | all groups, and what is done with their rows |
//! | `row.rs`, `rows.rs` | one comparison and its target; those of a group, and what failed |
//! | `runner.rs`, `fixtures.rs`, `lab.rs`, `wire.rs`, `adoption.rs` | the groups |
//! | `adoption/` | a first build, and the suite of a published crate |
//! | `chaos/` | the group of faults: histories, clocks, disks, seeds |
//! | `internet/` | the group of routers, translation and name servers |
//! | `build.rs` | the programs that are measured |
//! | `measure.rs` | taking turns, medians, and figures that programs print |
//! | `quiet.rs`, `strangers.rs` | the rest of the machine: waiting, and subtracting its work |

mod adoption;
mod build;
mod chaos;
mod fixtures;
mod internet;
mod lab;
mod measure;
mod options;
mod quiet;
mod row;
mod rows;
mod run;
mod runner;
mod strangers;
mod wire;

pub(crate) use run::bench;
