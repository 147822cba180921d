//! `--shrink`: a failed trial is run again and again, with ever smaller schedules of faults.
//!
//! Each run is this same program, started for the one trial, with the schedule in a file that
//! `SNOWGLOBE_SCHEDULE` names: so a run has the world and the verdict that the trial had.
//!
//! | file | role |
//! |---|---|
//! | `shrinking` | [`Shrinking`]: the search for one trial, and what the report says of it |
//! | `reruns` | runs of the trial, side by side |

mod reruns;
mod shrinking;

pub(crate) use shrinking::{FailedRun, Shrinking};
