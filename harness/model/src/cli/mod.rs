//! Keeps a command line and its help from telling different stories.
//!
//! A parser with a `match` over names and a help text beside it drift apart: nothing tells whoever
//! adds an option that it is missing in the help. Here each option is one [`Flag`], a block with
//! its names, its value, its sentence in the help and what it sets. Both the parser and the help of
//! a [`CommandLine`] are made from the same table of flags.
//!
//! | file | role |
//! |---|---|
//! | `flag.rs` | [`Flag`], one option |
//! | `given.rs` | [`GivenValue`], a value that somebody gave to an option, and its conversions |
//! | `command_line.rs` | [`CommandLine`], a table of flags: parses words and the environment |
//! | `help.rs` | the help of a command |
//! | `text.rs` | [`CommandText`], the texts without the types |
//! | `error.rs` | [`CliError`] |
//!
//! ```
//! use snowglobe_model::cli::{CommandLine, Operands};
//!
//! #[derive(Default)]
//! struct Options {
//!     quiet: bool,
//!     rounds: Option<usize>,
//!     names: Vec<String>,
//! }
//!
//! type Flag = snowglobe_model::cli::Flag<Options>;
//!
//! const COMMAND_LINE: CommandLine<Options> = CommandLine {
//!     about: "Usage: measure [OPTIONS] [NAME...]\n",
//!     operands: Operands::Each(|options, name| {
//!         options.names.push(name.text()?);
//!         Ok(())
//!     }),
//!     flags: &[
//!         Flag::switch("quiet", "Print errors only", |options| options.quiet = true).short('q'),
//!         Flag::value("rounds", "N", "Measure N times", |options, given| {
//!             options.rounds = Some(given.parse()?);
//!             Ok(())
//!         }),
//!     ],
//!     variables: &[],
//!     notes: "",
//! };
//!
//! let options = COMMAND_LINE.parse(["-q", "--rounds=3", "ping"]).unwrap();
//! assert!(options.quiet);
//! assert_eq!((options.rounds, options.names), (Some(3), vec!["ping".to_owned()]));
//! assert!(COMMAND_LINE.help().contains("--rounds N  Measure N times"));
//! ```

mod command_line;
mod error;
mod flag;
mod given;
mod help;
#[cfg(test)]
mod tests;
mod text;

pub use command_line::{CommandLine, GivenFlags, Operands};
pub use error::CliError;
pub use flag::Flag;
pub use given::GivenValue;
pub use text::{CommandText, OptionText};
