//! Routes given by hand.

use snowglobe_derive::{Deserialize, Serialize};

/// A route that a node has besides the automatic ones, or in place of one to the same network.
///
/// ```
/// use snowglobe_model::topology::{NodeSpec, RouteSpec};
///
/// let phone = NodeSpec::new("phone")
///     .route(RouteSpec::new("198.51.100.0/24", "r2"))
///     .route(RouteSpec::new("0.0.0.0/0", "10.0.1.1").from("10.0.1.0/24"));
/// # drop(phone);
/// ```
///
/// In TOML: `network.routes = [{ to = "198.51.100.0/24", via = "r2" }]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    pub(crate) to: String,
    pub(crate) via: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metric: Option<u32>,
}

impl RouteSpec {
    /// Returns a route to a network, such as `10.0.0.0/8`, over a neighbour: the name of a node or
    /// pod, or its address.
    pub fn new(to: impl ToString, via: impl ToString) -> Self {
        Self {
            to: to.to_string(),
            via: via.to_string(),
            from: None,
            metric: None,
        }
    }

    /// Limits the route to packets whose source is in a network (a policy by source). For such
    /// packets, it goes before all routes that are not limited.
    pub fn from(mut self, network: impl ToString) -> Self {
        self.from = Some(network.to_string());
        self
    }

    /// Sets the metric. Of several routes to the same network, the one with the lowest is used.
    pub fn metric(mut self, metric: u32) -> Self {
        self.metric = Some(metric);
        self
    }
}
