//! Faults that last as long as a guard lives.
//!
//! | file | role |
//! |---|---|
//! | `on_links` | faults as methods of a link |
//! | `cut` | packets of a link vanish |
//! | `flap` | a link is cut and healed by turns |
//! | `degrade` | a link is worse than asked |
//! | `partition` | nodes do not hear each other |
//! | `guard` | what ends a fault, and reports what could not be healed |
//! | `on_dns` | faults of a name server |
//! | `on_labs` | faults as methods of a lab, from values too |

pub(crate) mod cut;
pub(crate) mod degrade;
pub(crate) mod flap;
pub(crate) mod guard;
mod on_dns;
pub(crate) mod on_labs;
pub(crate) mod on_links;
pub(crate) mod partition;
