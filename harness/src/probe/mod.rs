//! What the kernel can do here, found out by doing it.
//!
//! Neither a version nor a configuration tells whether a container, a seccomp filter or a missing
//! module stands in the way. So each feature is tried, in namespaces that are thrown away.
//!
//! | file | role |
//! |---|---|
//! | `feature` | one attempt for each [`Feature`](crate::Feature), and why one is missing |
//! | `throwaway` | sandboxes for one attempt: made, used and gone |

mod feature;
pub(crate) mod throwaway;

pub use feature::Missing;
pub(crate) use feature::NETWORK;
