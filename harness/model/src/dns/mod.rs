//! Names that a lab resolves: zones as text, the catalogue that answers, and the messages.
//!
//! A test says what a name server knows as a value, and the whole of it is judged before anything
//! starts. What an answer is, and what a fault makes of it, is decided here as well, so that the
//! server itself only moves bytes.
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a test asks of a name server: [`DnsSpec`], [`Zone`] |
//! | `name` | domain names, and what is wrong with them |
//! | `record` | records, and their lines in a zone |
//! | `tokens` | the words of such a line |
//! | `kind` | types of records |
//! | `check` | what is wrong with the zones of a topology |
//! | `catalog` | the answer to a question |
//! | `lab_names` | the names of the nodes, as the plan has them |
//! | `dns64` | IPv6 addresses for names that have IPv4 addresses alone |
//! | `error` | the reasons why a name, a record or a fault is invalid |
//! | `fault` | what makes answers late, wrong or missing |
//! | `query` | what was asked, and what was said |
//! | `message` | messages as bytes (RFC 1035, RFC 6891) |

pub mod catalog;
pub(crate) mod check;
pub mod dns64;
pub mod error;
pub mod fault;
pub mod kind;
pub mod lab_names;
pub mod message;
pub mod name;
pub mod query;
pub mod record;
pub mod spec;
#[cfg(test)]
mod tests;
mod tokens;

pub use dns64::Dns64Spec;
pub use error::{DnsFaultError, NameError, RecordError};
pub use fault::{DnsEffect, DnsFault};
pub use kind::{RecordKind, UnknownRecordKind};
pub use query::{DnsOutcome, DnsQuery};
pub use spec::{DnsSpec, Zone};
