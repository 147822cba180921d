//! The command line of a test program: libtest's, and a little more.
//!
//! | file | role |
//! |---|---|
//! | `arguments.rs` | [`Arguments`], the command line and the environment as one value |
//! | `flags.rs` | the options, one block an option |
//! | `values.rs` | values of options |

mod arguments;
mod flags;
mod values;

pub use arguments::Arguments;
pub use values::Stress;
