//! What changes while a lab runs, and how it ends.
//!
//! | file | role |
//! |---|---|
//! | `anew` | addresses that come over the wire, on another network |
//! | `edit` | growth, removal and moves, as methods of the lab |
//! | `follow` | from one plan to the next, and back if that fails |
//! | `end` | the end of a lab |

mod anew;
mod edit;
pub(crate) mod end;
pub(crate) mod follow;
