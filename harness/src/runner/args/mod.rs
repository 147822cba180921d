//! The command line of a test program: libtest's, and a little more.
//!
//! | file | role |
//! |---|---|
//! | `arguments.rs` | [`Arguments`], the command line and the environment as one value |
//! | `flags.rs` | the options, one block an option |
//! | `rerun.rs` | a process that another run has started for one trial |
//! | `switches.rs` | variables that turn something on, and for which there is no option |
//! | `values.rs` | values of options |

mod arguments;
mod flags;
mod rerun;
mod switches;
mod values;

pub use arguments::Arguments;
#[cfg(feature = "toml")]
pub(crate) use rerun::RERUN;
pub(crate) use rerun::{TRIAL_PATH, keep_settings, settings};
pub(crate) use switches::{CORE, REQUIRE, is_on};
pub use values::Stress;
