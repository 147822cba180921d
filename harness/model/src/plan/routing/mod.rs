//! Which networks know of each other, and the routes between them.
//!
//! | file | role |
//! |---|---|
//! | `realms` | networks kept apart by a router that translates addresses |
//! | `route` | static routes along shortest paths, within a realm |
//! | `defaults` | default routes: of hosts to their router, and of routers over their uplinks |
//! | `check` | what is wrong with uplinks, realms and routes given by hand |

pub(crate) mod check;
pub(crate) mod defaults;
pub(crate) mod realms;
pub(crate) mod route;
