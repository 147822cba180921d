//! The network that a test is about, as a value.
//!
//! A test says which nodes there are and how they are joined. Names, links and settings are kept
//! here as they were written, and judged; [`plan`](crate::plan) works out what they mean to a
//! kernel.
//!
//! The guide to these values is in `snowglobe::topology`.
//!
//! | file | role |
//! |---|---|
//! | `value`, `id` | the topology and the ids that it hands out |
//! | `node`, `link`, `storage`, `subnet` | specifications of nodes, pods, links, switches, mounts |
//! | `command` | programs that a node runs when it starts |
//! | `router/` | specifications of routers |
//! | `regions` | named places, and the times between them |
//! | `services` | servers and clients of a node |
//! | `shape` | topologies that are often wanted |
//! | `situation` | two peers, their networks and a server, as they are often met |
//! | `start` | how a topology is started by a crate that this one does not know |
//! | `upgrade` | the root filesystem and commands that a node has from its next start on |
//! | `name` | which names nodes, interfaces and aliases may have |
//! | `validate/` | what is wrong with a topology |
//! | `text/` | topologies as TOML, as a line of text and as a diagram |
//! | `error` | the error of all these |
//! | `problem/` | what can be wrong, as data, and its sentences |

pub mod command;
pub mod error;
pub mod id;
pub mod link;
pub mod name;
pub mod node;
pub(crate) mod problem;
pub mod regions;
pub mod router;
mod services;
pub mod shape;
pub mod situation;
mod start;
pub mod storage;
pub mod subnet;
mod text;
mod upgrade;
pub(crate) mod validate;
pub mod value;

pub use command::{StartCommand, StartUser};
pub use error::{TopologyError, TopologySubject};
pub use id::{Endpoint, LinkId, NodeId, Owner, PodId, SwitchId};
pub use link::{EndSpec, Engine, Families, LinkSpec, Mac, MacError, SwitchSpec};
pub use node::{NodeSpec, PodSpec, Users};
pub use problem::TopologyErrorKind;
pub use regions::{RegionMap, Regions};
pub use router::{
    CaptivePortal, Dscp, Ecn, Firewall, FirewallAction, FirewallProtocol, FirewallRule, Heading,
    PORTAL_PORT, PathMtu, RouteSpec, RouterSettings, RouterSpec,
};
pub use start::StartAs;
pub use storage::{Mount, MountError, MountSource, Rootfs, Size, SizeError, Volume};
pub use subnet::{Subnet, SubnetError};
pub use validate::firewall::network_of;
pub use value::{Neighbours, Routing, Topology};
