//! What changes while a lab runs.

use crate::lab::Lab;
use crate::lab::bring_up::network::New;
use crate::lab::bring_up::start::limits;
use crate::lab::change::follow::Before;
use crate::lab::error::{LabError, Result};
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
        let mut topology = self.topology.clone();
        let value = edit(&mut topology);
        let plan = self.plan.follow(&topology, &self.removed(), None)?;
        if plan.nodes.len() < self.nodes.len() || plan.cables.len() < self.links.len() {
            return Err(LabError::other(
                "a lab can grow only by what is added to its topology",
            ));
        }
        topology.check_limits(&limits())?;
        let new = New {
            switches: self.plan.switches.len()..plan.switches.len(),
            cables: self.links.len()..plan.cables.len(),
            ..New::nothing(&self.plan)
        };
        let first = self.nodes.len();
        let mut before = Before::of(self);
        self.plan = plan;
        self.topology = topology;
        let grown = self
            .make(&new)
            .and_then(|()| self.follow(&mut before, &new))
            .and_then(|()| self.run_commands(first));
        match grown {
            Ok(()) => Ok(value),
            Err(error) => {
                self.take_back(before, &new);
                Err(error)
            }
        }
    }

    /// Takes a node and its links away. Its name still resolves, to where nobody is; routes that led over it go other ways, where
    /// there are any.
    pub fn remove_node(&mut self, id: NodeId) -> Result<()> {
        let node = &self.nodes[id.index()];
        node.report_surprises();
        node.stop_runtime();
        node.running().iter().for_each(|running| running.expect());
        let alone = self.topology.pod_of(id).is_none();
        if alone {
            for link in self
                .links
                .iter()
                .filter(|link| self.topology.ends(link.id()).contains(&id.into()))
            {
                link.remove()?;
            }
            node.stack().remove();
        } else if !node.birth.own_pids {
            node.crash()?;
        }
        node.kill();
        node.mark_removed();
        self.reroute()
    }

    /// Takes a cable away. Routes that led over it go other ways, where there are any.
    pub fn remove_link(&mut self, id: LinkId) -> Result<()> {
        self.links[id.index()].remove()?;
        self.reroute()
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
        let link = &self.links[id.index()];
        let refuse = |why: &str| Err(LabError::other(format!("link `{}` {why}", link.name())));
        if link.is_removed() {
            return refuse("was removed");
        }
        let Some(port) = link.line.port() else {
            return refuse("does not lead from a node to a switch; only such a cable can be moved");
        };
        let mut topology = self.topology.clone();
        topology.replug(id, port, to);
        let plan = self.plan.follow(&topology, &self.removed(), Some(id))?;
        let new = New::nothing(&plan);
        let mut before = Before::of(self);
        self.plan = plan;
        self.topology = topology;
        self.links[id.index()].refresh(&self.plan);
        let moved = self.links[id.index()].replug(port);
        let moved = moved
            .and_then(|()| self.follow(&mut before, &new))
            .and_then(|()| self.links[id.index()].announce())
            .and_then(|()| self.relieve());
        if moved.is_err() {
            self.take_back(before, &new);
            let _ = self.links[id.index()].replug(port);
        }
        moved
    }
}
