//! The output of a run, in whichever format was asked for.
//!
//! People, nextest, editors and CI servers each read test results in a form of their own. The
//! supervisor knows none of the forms: it tells the [`Printer`] what happens, and the printer tells
//! the [`Reporter`](reporter::Reporter) of the format, which writes.
//!
//! | file | role |
//! |---|---|
//! | `options.rs` | [`Format`], [`Color`] and the other wishes of a user |
//! | `formats.rs` | [`FORMATS`], the table of formats: name, value, constructor |
//! | `reporter.rs` | the trait that every format implements, and the events it is told |
//! | `pretty.rs`, `terse.rs`, `json.rs`, `junit.rs`, `failures.rs` | one format each |
//! | `json_line.rs` | one line of JSON |
//! | `describe.rs` | the description of a failed trial, in the order in which people ask |
//! | `sections.rs` | libtest's sections at the end of a run, and its last line |
//! | `style.rs` | colours |
//! | `printer.rs` | [`Printer`]: what is the same in all formats |
//! | `outbox.rs` | standard output that never makes its writer wait |

mod describe;
mod failures;
mod formats;
mod json;
mod json_line;
mod junit;
mod options;
mod outbox;
mod pretty;
mod printer;
mod reporter;
mod sections;
mod style;
mod terse;

#[cfg(feature = "toml")]
pub(crate) use describe::again;
pub(crate) use formats::format_names;
pub(in crate::runner) use json_line::JsonLine;
pub(crate) use options::ReportOptions;
pub use options::{Color, Format};
pub(crate) use printer::Printer;
pub(crate) use reporter::{FinishedTrial, RunStart};
