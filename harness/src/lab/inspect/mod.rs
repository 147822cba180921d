//! A running lab, seen from outside.
//!
//! | file | role |
//! |---|---|
//! | `inspection` | one node: interfaces, addresses, routes, sockets, processes, mounts |
//! | `settings` | settings of a node's network that are not the kernel's own |
//! | `namespaces` | every namespace of a lab |

pub(crate) mod inspection;
pub(crate) mod namespaces;
pub(crate) mod settings;
