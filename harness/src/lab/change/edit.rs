//! Changes that a test makes to a running lab: growth, removal and moves.

use crate::lab::attempt::NodeAttempt;
use crate::lab::bring_up::crowded_switch::enable_missing_gro;
use crate::lab::bring_up::make::{make, run_commands};
use crate::lab::bring_up::start::limits;
use crate::lab::change::follow::{Change, reroute};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::lab::Lab;
use crate::lab::unfit::{UnfitLab, UnfitLink};
use crate::topology::{LinkId, NodeId, SwitchId, Topology};

impl Lab {
    /// Adds nodes, switches, pods and links: all that `edit` adds to the topology is there and
    /// ready when this function returns. Existing nodes keep their addresses, and learn the new
    /// names and routes.
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
    /// The new topology is wrong or changes what exists, the kernel refuses something, or a command
    /// of a new node fails. The lab is then as it was before.
    pub fn grow<T>(&mut self, edit: impl FnOnce(&mut Topology) -> T) -> Result<T> {
        // The edit works on a copy: after an error the lab has the topology from before.
        let mut topology = self.topology().clone();
        let value = edit(&mut topology);
        let plan = self.plan().follow(&topology, &self.removed_links(), None)?;
        let first = self.all_nodes().len();
        // What was taken out of the topology would be left running.
        if plan.nodes.len() < first || plan.cables.len() < self.all_links().len() {
            return Err(LabError::unfit(Subject::Lab, UnfitLab::Shrinks));
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

    /// Removes a node and its links. The name still resolves, to an address where nobody is. Routes
    /// over the node go other ways, where there are any.
    ///
    /// # Errors
    /// The kernel refuses to delete a link, or to change routes.
    pub fn remove_node(&mut self, id: NodeId) -> Result<()> {
        let node = &self[id];
        node.programs().report_surprises();
        // A schedule may be about to stop the node, or to start it again.
        let life = node.life().lock();
        // Futures in the node would meet a network that is gone.
        node.end_threads();
        node.programs().expect_all();
        // The interfaces of a container belong to its pod, and stay with the others.
        let alone = self.topology().pod_of(id).is_none();
        if alone {
            let ends = |link: LinkId| self.topology().ends(link);
            let links = self.all_links().iter();
            for link in links.filter(|link| ends(link.id()).contains(&id.into())) {
                link.remove()?;
            }
            node.stack().remove();
        } else if !node.request().own_pids {
            node.end_all_processes(NodeAttempt::KillProcesses)?;
        }
        node.kill();
        node.mark_removed();
        drop(life);
        reroute(self)
    }

    /// Removes a link. Routes over the link go other ways, where there are any.
    ///
    /// # Errors
    /// The kernel refuses to delete the link, or to change routes.
    pub fn remove_link(&mut self, id: LinkId) -> Result<()> {
        self[id].remove()?;
        reroute(self)
    }

    /// Plugs a cable out of its switch and into another one, and returns when packets pass there.
    ///
    /// The node at the other end keeps its addresses where they fit: when the two switches are
    /// joined by a cable. Elsewhere the node gets new addresses, as a computer does that moves to
    /// another network; its name stands for the new ones, and routes follow. Back in the first
    /// switch the node has its first addresses again, unless another node got them meanwhile.
    ///
    /// A node whose addresses come over the wire asks for them anew, and has them when this
    /// function returns. A program that manages the addresses sees the carrier go and come back.
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
    /// The cable does not lead from a node to a switch, or addresses that were given by hand do not
    /// fit there. Nothing has changed then.
    pub fn move_link(&mut self, id: LinkId, to: SwitchId) -> Result<()> {
        let link = &self[id];
        if link.is_removed() {
            return Err(LabError::removed(link.ends().subject()));
        }
        let Some(port) = link.ends().only_port() else {
            return Err(LabError::unfit(link.ends().subject(), UnfitLink::NoPort));
        };
        let mut topology = self.topology().clone();
        topology.replug(id, port, to);
        let plan = self
            .plan()
            .follow(&topology, &self.removed_links(), Some(id))?;
        let mut change = Change::begin(self, topology, plan);
        // The link must know its new bridge before it can be plugged in there.
        let moved = self
            .refresh_link(id)
            .and_then(|()| self[id].replug(port))
            .and_then(|()| self[id].ends().forget_neighbours(port.other()))
            .and_then(|()| change.follow(self))
            .and_then(|()| self[id].announce())
            .and_then(|()| enable_missing_gro(self))
            .and_then(|()| self.ask_anew(id, port.other()));
        if moved.is_err() {
            change.take_back(self);
            // The plan is the one before the change again, so this plugs the cable back. The test
            // gets the error of the change.
            let _ = self[id].replug(port);
        }
        moved
    }
}
