//! From a topology to a running lab: nodes, cables, settings, and the wait until packets pass.
//!
//! | file | role |
//! |---|---|
//! | `addresses` | the addresses, for a trial that runs twice |
//! | `start` | `topology.start()` |
//! | `make` | the order of all steps, for a new lab and for one that grows |
//! | `new_parts` | the parts of a plan that are to be made |
//! | `pending` | which cables and stacks are ready, while nodes appear |
//! | `spawn_nodes` | requests nodes of the trial's init, and waits for them |
//! | `node_request` | what the init is told of a node or pod |
//! | `builder` | conversations with the kernel, one for each namespace |
//! | `cables` | bridges and cables |
//! | `interfaces` | settings of interfaces, and the wait until packets pass |
//! | `crowded_switch` | queues of their own behind switches with many ports |
//! | `sysctls` | sysctls of stacks |

mod addresses;
pub(crate) mod builder;
pub(crate) mod cables;
pub(crate) mod crowded_switch;
pub(crate) mod interfaces;
pub(crate) mod make;
pub(crate) mod new_parts;
pub(crate) mod node_request;
pub(crate) mod pending;
pub(crate) mod spawn_nodes;
pub(crate) mod start;
pub(crate) mod sysctls;
