//! Topologies as text: read and written as TOML, and drawn for people.
//!
//! | file | role |
//! |---|---|
//! | `document` | topologies as TOML |
//! | `router` | a router of the TOML |
//! | `firewall` | a firewall of the TOML |
//! | `sketch` | a topology on a few lines of text |
//! | `diagram` | a topology for Mermaid and Graphviz |
//! | `graph` | what both drawings are made of |

mod diagram;
#[cfg(feature = "toml")]
mod document;
pub(crate) mod firewall;
mod graph;
#[cfg(feature = "toml")]
mod router;
mod sketch;
