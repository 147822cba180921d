//! The smallest Internet: a host behind a router, and a server.

use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// A lab with a node `host` behind a router, and a server on the Internet.
#[derive(Debug)]
pub struct BehindRouter {
    /// The lab.
    pub lab: Lab,
    /// The host behind the router.
    pub host: NodeId,
    /// The router, whose uplink leads to the Internet.
    pub router: NodeId,
    /// The server.
    pub server: NodeId,
}

impl BehindRouter {
    /// Starts the lab with this router, this uplink of it, and this server.
    ///
    /// # Errors
    /// The lab does not start.
    pub fn start(router: RouterSpec, uplink: LinkSpec, server: NodeSpec) -> TestResult<Self> {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(router);
        topology.uplink_with(router, internet, uplink);
        let host = topology.node("host");
        topology.link(host, router);
        let server = topology.node(server);
        topology.link(server, internet);
        Ok(Self {
            lab: topology.start()?,
            host,
            router,
            server,
        })
    }
}
