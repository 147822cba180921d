//! The outer sandbox, made once per run.
//!
//! What every trial needs alike is made once, for a trial is short: a mount tree in which the
//! host's files can only be read, and a user namespace in which root is nobody on the host. Trials
//! then inherit that tree and add what is their own.
//!
//! In that tree are the host's files, read-only; the workspace, writable; a `/dev` of harmless
//! devices; and empty `/tmp` and `/run`. How it is made depends on the user:
//! - As an ordinary user it is the host's own tree, made read-only in place: in a new user
//!   namespace the mounts that came from the old one are locked together (`mount_namespaces(7)`).
//! - Started as root it is put together from copies that are *id-mapped*: root inside is then an
//!   unprivileged id on the host and still sees root's files as its own, and what it writes in the
//!   workspace belongs to root.
//!
//! | file | role |
//! |---|---|
//! | `make` | the maker's side: clones the first process, gives it ids and mounts |
//! | `kept` | an outer sandbox that outlives its maker, for the starts of a nextest run |
//! | `first_process` | the first process until it is ready |
//! | `idmapped_root` | root's mount tree: copies of the host's mounts, on both sides |
//! | `plain` | directories of the host with their true owners, for ordinary users |
//! | `devices` | the `/dev` |

mod devices;
mod first_process;
mod idmapped_root;
mod kept;
mod make;
mod plain;

pub(crate) use devices::{UnusableDevice, why_no_fuse};
pub(crate) use first_process::become_root;
pub(crate) use idmapped_root::tun_directory;
pub(crate) use kept::{BesideKept, Keeping, enter_kept, fork_beside_kept};
pub(crate) use make::{Outer, OuterOwner, Wanted, make};
pub(crate) use plain::plain_views;
