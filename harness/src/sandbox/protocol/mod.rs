//! The messages between our own processes.
//!
//! | file | who speaks with whom |
//! |---|---|
//! | `trial` | the supervisor with the nursery, the zygotes and the inits; a test body with its init |
//! | `node` | a lab with the trial's init and with the first processes of nodes |

pub(crate) mod node;
pub(crate) mod trial;
