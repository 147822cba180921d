//! A running lab, seen from outside.
//!
//! | file | role |
//! |---|---|
//! | `inspection` | one node: interfaces, addresses, routes, sockets, processes, mounts |
//! | `namespaces` | every namespace of a lab |

pub(crate) mod inspection;
pub(crate) mod namespaces;
