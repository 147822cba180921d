//! Waits for a cluster that let other futures run meanwhile.

use std::future::ready;

use crate::lab::cluster::running::RunningCluster;
use crate::lab::error::Result;
use crate::lab::node::node::Node;
use crate::lab::wait::until_there_is_async;

/// Waits of futures, on a tokio runtime. Checks of readiness and closures that find a leader block
/// their thread for as long as a look takes them.
impl RunningCluster {
    /// Waits until all members are ready, as [`wait_ready`](RunningCluster::wait_ready) does.
    ///
    /// # Errors
    /// As [`wait_ready`](RunningCluster::wait_ready).
    pub async fn wait_ready_async(&self) -> Result<()> {
        let numbers: Vec<usize> = (0..self.members().count()).collect();
        self.wait_for_async(&numbers).await
    }

    /// Waits until a member is ready, as [`wait_member_ready`](RunningCluster::wait_member_ready)
    /// does.
    ///
    /// # Errors
    /// As [`wait_ready`](RunningCluster::wait_ready).
    pub async fn wait_member_ready_async(&self, number: usize) -> Result<()> {
        self.wait_for_async(&[number]).await
    }

    /// Returns the member that leads at present, as [`leader`](RunningCluster::leader) does, and
    /// waits until there is one.
    ///
    /// # Errors
    /// As [`leader`](RunningCluster::leader).
    pub async fn leader_async(&self) -> Result<&Node> {
        self.await_leader_async("a leader", |_| true).await
    }

    /// Waits until a member leads that is not this one, as
    /// [`leader_other_than`](RunningCluster::leader_other_than) does.
    ///
    /// # Errors
    /// As [`leader`](RunningCluster::leader).
    pub async fn leader_other_than_async(&self, before: &Node) -> Result<&Node> {
        let what = format!("a leader other than `{}`", before.name());
        let other = |leader: &Node| leader.id() != before.id();
        self.await_leader_async(&what, other).await
    }

    async fn await_leader_async(
        &self,
        what: &str,
        is_meant: impl Fn(&Node) -> bool,
    ) -> Result<&Node> {
        let look = self.look_for_leader(is_meant)?;
        let limit = self.patience_for_members();
        let found = until_there_is_async(what, limit, || ready(look())).await;
        found.map_err(|error| error.with_ended(|| self.ended_badly()))
    }
}
