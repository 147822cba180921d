//! Name servers: what they know, what breaks them, and what they were asked.
//!
//! | file | role |
//! |---|---|
//! | `dns` | [`Dns`]: a name server as a test sees it |
//! | `knowledge` | what it knows, what is wrong with it, and what it was asked |
//! | `server` | the sockets of a name server, and the thread that serves them |
//! | `stream` | questions that come over TCP |

#[expect(
    clippy::module_inception,
    reason = "the file of the name server itself"
)]
pub(crate) mod dns;
pub(crate) mod knowledge;
mod server;
mod stream;
