//! Which networks know of each other, and the routes between them.
//!
//! | file | role |
//! |---|---|
//! | `realms` | networks kept apart by a router that translates addresses |
//! | `route` | static routes along shortest paths, within a realm |
//! | `defaults` | default routes: of hosts to their router, and of routers over their uplinks |
//! | `announced` | prefixes that a router answers for, though no segment has them |
//! | `by_hand` | routes given by hand |
//! | `hairpin` | packets of hosts behind a router to its own external address |
//! | `check` | what is wrong with uplinks, and realms |

pub(crate) mod announced;
pub(crate) mod by_hand;
pub(crate) mod check;
pub(crate) mod defaults;
pub(crate) mod hairpin;
pub(crate) mod realms;
pub(crate) mod route;
