//! All messages between our own processes, and the one codec by which they travel.
//!
//! Every process of a run is a copy of the same program, so the messages need no other
//! documentation than their types. They go over sockets that keep message boundaries; some carry
//! descriptors along, which their documentation says.
//!
//! | file | who speaks with whom |
//! |---|---|
//! | `codec` | nobody: how a message becomes bytes, and what is no message |
//! | `outer` | the supervisor and the first process of the outer sandbox, until that is ready |
//! | `zygote` | the supervisor to the nursery and to the zygotes |
//! | `resident` | a start of the program and the zygote that stays for all starts |
//! | `trial` | the supervisor and the init of a trial; the test body to its init |
//! | `disk` | a lab and the process that serves one of its disks |
//! | `node` | a lab and the trial's init, which makes nodes; a lab and a node's first process |

pub(crate) mod codec;
pub(crate) mod disk;
pub(crate) mod node;
pub(crate) mod outer;
pub(crate) mod resident;
pub(crate) mod trial;
pub(crate) mod zygote;

pub(crate) use codec::EdgeMessage;
