//! Single operations that not every kernel can do, each tried for real.
//!
//! A kernel's version and configuration do not tell what a container, a security module or a
//! missing module forbids. So the operation itself is tried, in namespaces that were made for the
//! attempt: nothing is undone.
//!
//! | file | role |
//! |---|---|
//! | `filesystem` | mounts |
//! | `identity` | host names and low ports |
//! | `inotify` | objects that watch files |
//! | `interface` | interfaces, queueing disciplines, packet sockets |
//! | `nft` | packet filters and address translation |

mod filesystem;
mod identity;
mod inotify;
mod interface;
mod nft;

pub use crate::errno::RefusedCall;
pub use filesystem::{idmapped, mqueue, overlay, tmpfs};
pub use identity::{hostname, low_port};
pub use inotify::{inotify, inotify_room};
pub use interface::{htb, link, netem, packet_socket, stacked_link, tap, tbf};
pub use nft::{nat, nft_table};
