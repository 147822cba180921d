//! Faults that last as long as a guard lives.
//!
//! | file | role |
//! |---|---|
//! | `on_links` | faults as methods of a link |
//! | `clock` | the time of day of a node is wrong |
//! | `cut` | packets of a link vanish |
//! | `flap` | a link is cut and healed by turns |
//! | `degrade` | a link is worse than asked |
//! | `partition` | nodes do not hear each other |
//! | `on_nodes` | nodes are stopped, and what the test has given a name is done |
//! | `in_processes` | programs are killed, or lack what they ask the kernel for |
//! | `guard` | what ends a fault, and reports what could not be healed |
//! | `on_dns` | faults of a name server |
//! | `view` | the nodes and links that a fault may be about |
//! | `roles`, `resolve` | what the test has given a name, and which nodes have a role now |
//! | `inject` | faults from values |
//! | `on_labs` | faults as methods of a lab, from values too |

pub(crate) mod clock;
pub(crate) mod cut;
pub(crate) mod degrade;
pub(crate) mod flap;
pub(crate) mod guard;
pub(crate) mod in_processes;
pub(crate) mod inject;
mod on_dns;
pub(crate) mod on_labs;
pub(crate) mod on_links;
pub(crate) mod on_nodes;
pub(crate) mod partition;
pub(crate) mod resolve;
pub(crate) mod roles;
pub(crate) mod view;
