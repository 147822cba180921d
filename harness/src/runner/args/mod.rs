//! The command line of a test program: libtest's, and a little more.
//!
//! | file | role |
//! |---|---|
//! | `arguments.rs` | [`Arguments`], what the command line and the environment ask for |
//! | `values.rs` | values of options |
//! | `help.rs` | the help |

mod arguments;
mod help;
mod values;

pub use arguments::{Arguments, Color, Format};
pub(crate) use help::HELP;
