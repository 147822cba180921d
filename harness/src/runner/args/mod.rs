//! The command line of a test program: libtest's, and a little more.
//!
//! | file | role |
//! |---|---|
//! | `arguments.rs` | [`Arguments`], the command line and the environment as one value |
//! | `flags.rs` | the options, one block an option |
//! | `rerun.rs` | a process that another run has started for one trial |
//! | `values.rs` | values of options |

mod arguments;
mod flags;
mod rerun;
mod values;

pub use arguments::Arguments;
#[cfg(feature = "toml")]
pub(crate) use rerun::RERUN;
pub(crate) use rerun::TRIAL_PATH;
pub use values::Stress;
