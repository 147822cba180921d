//! Mounts: the new mount API where a tree is carried about detached, the old one elsewhere.
//!
//! | file | role |
//! |---|---|
//! | `device` | a directory with one device |
//! | `filesystem` | fresh filesystems, overlays, and the root of a mount namespace |
//! | `path` | paths as system calls take them |
//! | `tree` | detached trees of mounts, and their attributes |

mod device;
mod filesystem;
mod path;
mod tree;

use path::c_path;

pub use device::device_directory;
pub use filesystem::{
    detach, fresh, fresh_at, fresh_read_only_sys, is_read_only, make_private, make_private_at,
    make_shared, overlay, pivot, write_back,
};
pub use tree::{
    MountAttributes, MountsBelow, NO_DEVICES, READ_ONLY, attach, detach_copy, set_attributes,
    set_attributes_at,
};
