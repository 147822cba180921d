//! What changes while a lab runs.

use crate::lab::bring_up::crowded_switch::enable_missing_gro;
use crate::lab::bring_up::make::{make, run_commands};
use crate::lab::bring_up::start::limits;
use crate::lab::change::follow::{Change, reroute};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::lab::Lab;
use crate::topology::{LinkId, NodeId, SwitchId, Topology};

impl Lab {
    /// Adds nodes, switches, pods and links: whatever `edit` adds to the topology is there and ready when this returns.
    /// What exists keeps its addresses; all nodes learn the new names, and the routes.
    ///
    /// ```no_run
    /// # use snowglobe::topology::shape;
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// let mut lab = shape::star(3).start()?;
    /// let late = lab.grow(|topology| {
    ///     let late = topology.node("late");
    ///     let lan = topology.find_switch("lan").unwrap();
    ///     topology.plug(late, lan);
    ///     late
    /// })?;
    /// println!("{}", lab[late].ip());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The new topology is wrong, or changes what exists, or the kernel refuses something, or a new node's command fails. The lab is
    /// then as it was before.
    pub fn grow<T>(&mut self, edit: impl FnOnce(&mut Topology) -> T) -> Result<T> {
        let mut topology = self.topology().clone();
        let value = edit(&mut topology);
        let plan = self.plan().follow(&topology, &self.removed_links(), None)?;
        let first = self.all_nodes().len();
        if plan.nodes.len() < first || plan.cables.len() < self.all_links().len() {
            let why = "can grow only by what is added to its topology";
            return Err(LabError::invalid(Subject::Lab, why));
        }
        topology.check_limits(&limits())?;
        let mut change = Change::begin(self, topology, plan);
        let grown = make(self, change.new_parts())
            .and_then(|()| change.follow(self))
            .and_then(|()| run_commands(self, first));
        match grown {
            Ok(()) => Ok(value),
            Err(error) => {
                change.take_back(self);
                Err(error)
            }
        }
    }

    /// Takes a node and its links away. Its name still resolves, to where nobody is; routes that led over it go other ways, where
    /// there are any.
    pub fn remove_node(&mut self, id: NodeId) -> Result<()> {
        let node = &self[id];
        node.programs().report_surprises();
        node.stop_runtime();
        node.programs().expect_all();
        let alone = self.topology().pod_of(id).is_none();
        if alone {
            let ends = |link: LinkId| self.topology().ends(link);
            let links = self.all_links().iter();
            for link in links.filter(|link| ends(link.id()).contains(&id.into())) {
                link.remove()?;
            }
            node.stack().remove();
        } else if !node.request().own_pids {
            node.crash()?;
        }
        node.kill();
        node.mark_removed();
        reroute(self)
    }

    /// Takes a cable away. Routes that led over it go other ways, where there are any.
    pub fn remove_link(&mut self, id: LinkId) -> Result<()> {
        self[id].remove()?;
        reroute(self)
    }

    /// Plugs a cable out of its switch and into another one, and returns when packets pass there.
    ///
    /// The node at its other end keeps its addresses where they fit: when the switches are joined by a cable. Elsewhere it gets new
    /// ones, as somebody who moves to another network does; its name stands for those from then on, and routes follow. Back in the
    /// first switch it has its first addresses again, unless they were given to somebody else meanwhile.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let mut topology = Topology::new();
    /// let (phone, server) = (topology.node("phone"), topology.node("server"));
    /// let (wifi, mobile) = (topology.switch("wifi"), topology.switch("mobile"));
    /// let cable = topology.plug(phone, wifi);
    /// topology.plug(server, wifi);
    /// topology.plug(server, mobile);
    /// let mut lab = topology.start()?;
    /// let before = lab[phone].ip();
    /// lab.move_link(cable, mobile)?;
    /// assert_ne!(lab[phone].ip(), before);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The cable does not lead from a node to a switch; or addresses that were given by hand do not fit there. Nothing has changed
    /// then.
    pub fn move_link(&mut self, id: LinkId, to: SwitchId) -> Result<()> {
        let link = &self[id];
        if link.is_removed() {
            return Err(LabError::removed(link.ends().subject()));
        }
        let Some(port) = link.ends().only_port() else {
            let why = "does not lead from a node to a switch; only such a cable can be moved";
            return Err(LabError::invalid(link.ends().subject(), why));
        };
        let mut topology = self.topology().clone();
        topology.replug(id, port, to);
        let plan = self
            .plan()
            .follow(&topology, &self.removed_links(), Some(id))?;
        let mut change = Change::begin(self, topology, plan);
        self.refresh_link(id);
        let moved = self[id]
            .replug(port)
            .and_then(|()| change.follow(self))
            .and_then(|()| self[id].announce())
            .and_then(|()| enable_missing_gro(self));
        if moved.is_err() {
            change.take_back(self);
            // The plan is the one before the change again, so this plugs the cable back. The test gets the
            // error of the change.
            let _ = self[id].replug(port);
        }
        moved
    }
}
