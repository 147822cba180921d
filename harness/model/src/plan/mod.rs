//! What a topology means to a kernel, worked out before anything is asked of one.
//!
//! A topology says `alice` and `bob` are joined. A kernel wants namespaces, interfaces with names
//! and indices, addresses, routes and hosts files. The plan has all of these as plain data, so that
//! they can be tested without a kernel, compared, and carried out by the lab without further
//! decisions. What is new for a stack to have, such as a packet filter, is a variant in `stack_op`.
//!
//! | file | role |
//! |---|---|
//! | `plan` | the plan: segments, switches, cables, nodes |
//! | `stack` | a network stack of the plan: interfaces with all their settings |
//! | `stack_op` | the settings of a stack one by one, in order, and the difference of two stacks |
//! | `id` | ids of stacks, segments, interfaces and namespaces |
//! | `ifindex` | interface indices, from ranges that never meet |
//! | `build` | puts a plan together |
//! | `grow`, `kept` | the next plan of a running lab, which keeps what the lab has |
//! | `wiring` | which interface is on which segment |
//! | `addresses/` | subnets and addresses |
//! | `routing/` | networks apart from each other; routes along shortest paths; default routes |
//! | `hosts` | names as lines of hosts files |
//! | `resolv_conf` | the name server that each stack asks |
//! | `cables`, `switches` | ends of cables, bridges and trunks |
//! | `sysctls` | sysctls that interfaces and specifications ask for |
//! | `limits` | how large a topology may be |

mod addresses;
mod build;
mod cables;
mod grow;
mod hosts;
pub mod id;
pub mod ifindex;
mod kept;
mod limits;
#[expect(clippy::module_inception, reason = "the file of the plan itself")]
mod plan;
mod resolv_conf;
mod routing;
pub mod stack;
pub mod stack_op;
mod switches;
mod sysctls;
#[cfg(test)]
mod tests;
mod wiring;

pub use id::{InterfaceId, NetnsId, SegmentId, StackId};
pub use ifindex::InterfaceSlot;
pub use limits::{BRIDGE_PORTS, Limits, RAISE_OPEN_FILES};
pub use plan::{
    BridgeInterface, BridgePlan, CableEndPlan, CablePlan, Emulation, GroupForwarding, NodePlan,
    Plan, SegmentPlan, SwitchPlan,
};
pub use stack::{
    Address, Diversion, InterfacePlan, NearName, NeighbourPlan, NetfilterPlan, OwnSettings,
    RoutePlan, SourceRule, StackPlan, Sysctl,
};
pub use stack_op::{StackDiff, StackOp, diff};

pub(crate) use routing::check::named_with_subject;
pub(crate) use routing::realms::router;
