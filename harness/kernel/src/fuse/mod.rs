//! Filesystems that are programs of ours: the device, the mount, and the messages (`fuse(4)`).
//!
//! The protocol is that of `include/uapi/linux/fuse.h`, version 7.31 (Linux 5.4 and later).
//!
//! | file | role |
//! |---|---|
//! | `device` | the device: requests of the kernel, answers, notices; and the mount |
//! | `request` | a request, read |
//! | `reply` | answers, written |

mod device;
mod reply;
mod request;

pub use device::{Connection, DEVICE, MAX_WRITE, mount, open};
pub use reply::{
    FileAttributes, attributes, entry, init, list_entry, offset, opened, space, written,
};
pub use request::{FuseOperation, Request, SetAttributes};
