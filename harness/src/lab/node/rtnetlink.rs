//! A node's network by the crate `rtnetlink`, for what this crate has no function for.

use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Node;

impl Node {
    /// Returns a handle of [`rtnetlink`] that speaks with the kernel about the network of this
    /// node.
    ///
    /// A task of the calling runtime carries the messages, and ends when the last clone of the
    /// handle is dropped. A lab does not know of what is changed so: it may set an interface that
    /// it made as the topology says again.
    ///
    /// ```no_run
    /// # use snowglobe::TestResult;
    /// # #[snowglobe::test]
    /// # async fn t() -> TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let handle = lab.node("alice").unwrap().rtnetlink()?;
    /// let dummy = rtnetlink::LinkDummy::new("dummy0").up().build();
    /// handle.link().add(dummy).execute().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The node is not running, the kernel refused the socket, or the caller is on no tokio
    /// runtime, as an `async` test is.
    pub fn rtnetlink(&self) -> Result<rtnetlink::Handle> {
        let failed = |error: &std::io::Error| {
            LabError::io(NodeAttempt::OpenNetlink.with(self.name()), error).about(self.subject())
        };
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| failed(&std::io::Error::other(error.to_string())))?;
        // A socket belongs to the network namespace in which it was opened, whoever uses it.
        let opened = self.try_run(|| {
            let _entered = runtime.enter();
            rtnetlink::new_connection()
        })?;
        let (connection, handle, _) = opened.map_err(|error| failed(&error))?;
        runtime.spawn(connection);
        Ok(handle)
    }
}
