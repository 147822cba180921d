//! Packet filters of the kernel, changed in transactions.
//!
//! Without nftables, stopping the frames of a link needs a change of the link itself, which both
//! ends notice. A rule drops frames and leaves the link as it is. Requests are written into a
//! [`crate::netlink::Batch`], which `Netlink::commit` carries out as a whole.
//!
//! | file | role |
//! |---|---|
//! | `attributes` | names for the numbers of attributes |
//! | `conntrack` | connections that the kernel tracks, and their translation |
//! | `conversation` | a conversation about the packet filter of one network namespace |
//! | `expression` | the steps of a rule |
//! | `ingress_drop` | frames that an interface no longer receives |
//! | `owned_table` | a table that goes with the value that made it |
//! | `packet_log` | packets that rules tell of |
//! | `port_drop` | ports whose packets a network namespace does not take in |
//! | `ruleset` | the whole table of a router or firewall |
//! | `sender_drop` | frames of some senders, in a whole namespace at once |
//! | `shortcut` | frames that the kernel carries from one interface to another |
//! | `set` | values that a rule looks up |
//! | `table` | tables, chains and rules |
//! | `transaction` | all at once or not at all; counters |

mod attributes;
pub mod conntrack;
mod conversation;
mod expression;
mod ingress_drop;
mod owned_table;
mod packet_log;
mod port_drop;
mod ruleset;
mod sender_drop;
mod set;
mod shortcut;
mod table;
mod transaction;

pub use conversation::FilterConversation;
pub(crate) use expression::Expression;
pub use ingress_drop::IngressDrop;
pub use packet_log::{LoggedPacket, PacketLog};
pub use ruleset::{HookRule, RuleAction, RuleCounter, RuleHook, RuleMatch, state};
pub use sender_drop::{DropTime, ReceiverPorts, SenderDrop, Senders};
pub(crate) use table::{NftHook, NftTable};
