//! The network stack of a node or pod: its namespace, and what is attached to its interfaces.
//!
//! | file | role |
//! |---|---|
//! | `stack` | `Stack`: the namespace, its owner, its end |
//! | `namespace` | makes network namespaces in which no process lives |
//! | `neighbour_tables` | what all namespaces of the host share of neighbour tables |
//! | `settings` | the one interpreter of the settings that a plan gives a stack |
//! | `device` | interfaces of a plan, as netlink names them |
//! | `power` | what a power cut takes, and what a restart brings back |
//! | `carried` | what stands on an interface, given to one that takes its place |
//! | `ingress_filter` | filters of partitions at interfaces |
//! | `monitors` | listeners of captures and recordings |
//! | `listening` | TCP ports on which something listens |

pub(crate) mod carried;
pub(crate) mod device;
pub(crate) mod ingress_filter;
pub(crate) mod listening;
pub(crate) mod monitors;
pub(crate) mod namespace;
pub(crate) mod neighbour_tables;
pub(crate) mod power;
pub(crate) mod settings;
pub(crate) mod stack;
