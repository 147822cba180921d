//! nftables: tables, chains, rules and sets, made all at once or not at all.
//!
//! | file | role |
//! |---|---|
//! | `ingress_drop` | frames that an interface no longer receives |
//! | `rule` | tables, chains, rules and sets |

mod ingress_drop;
mod rule;

pub use ingress_drop::{DropFrom, IngressDrop};
pub use rule::{Expression, Hook, OWNED, Set, SetKind, Table};
