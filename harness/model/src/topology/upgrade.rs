//! The root filesystem and commands that a node has from its next start on: another version.

use super::error::{Site, TopologyError};
use super::id::NodeId;
use super::node::NodeSpec;
use super::problem::{ChangeProblem, FilesProblem, NamedPart};
use super::storage::Rootfs;
use super::validate::stack::wrong_tree;
use super::value::Topology;

impl Topology {
    /// Returns the specification with which a node can start again: the root filesystem and the
    /// commands may be others.
    ///
    /// ```
    /// use snowglobe_model::topology::{NodeSpec, StartCommand, Topology};
    ///
    /// let mut topology = Topology::new();
    /// let store = topology.node(NodeSpec::new("store").rootfs("images/store-1"));
    /// let next = NodeSpec::new("store").rootfs("images/store-2");
    /// let next = topology.upgraded(store, next.command(StartCommand::new("store")))?;
    /// assert_eq!(next.start_commands().len(), 1);
    /// assert!(topology.upgraded(store, "another").is_err());
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    ///
    /// # Errors
    /// Something else differs, or the new values are wrong.
    pub fn upgraded(
        &self,
        node: NodeId,
        next: impl Into<NodeSpec>,
    ) -> Result<NodeSpec, TopologyError> {
        let next = next.into();
        if let Some(setting) = differing_setting(&self[node], &next) {
            let problem = ChangeProblem::Upgrade {
                node: self.node_name(node),
                setting,
            };
            return Err(TopologyError::one(Site::new(node, setting), problem));
        }
        let mut topology = self.clone();
        topology.nodes[node.index()].spec = next.clone();
        topology.validate()?;
        Ok(next)
    }
}

impl NodeSpec {
    /// Returns the root filesystem, if the node has another one than the trial.
    pub fn root_filesystem(&self) -> Option<&Rootfs> {
        self.rootfs.as_ref()
    }
}

impl Rootfs {
    /// Checks the root filesystem that a node is to have.
    ///
    /// # Errors
    /// A path climbs upwards or is empty, or a fixture has no name.
    pub fn check(&self, node: NodeId, name: &str) -> Result<(), TopologyError> {
        let Some(mistake) = wrong_tree(self) else {
            return Ok(());
        };
        let problem = FilesProblem::Rootfs {
            node: NamedPart::Node(name.to_owned()),
            mistake,
        };
        Err(TopologyError::one(Site::new(node, "rootfs"), problem))
    }
}

/// Returns a setting, by its name in a topology's text, that differs and that an upgrade leaves as
/// it is.
fn differing_setting(before: &NodeSpec, after: &NodeSpec) -> Option<&'static str> {
    let NodeSpec {
        name,
        // In memory, the topology knows the pods of nodes.
        pod: _,
        // These two make a version.
        rootfs: _,
        commands: _,
        users,
        faulty_clock,
        mounts,
        dns,
        dhcp,
        addresses,
        dhcp6,
        addresses_v6,
        advertise,
        clat,
        autoconfigure,
        network,
    } = before;
    let settings = [
        ("name", *name == after.name),
        ("users", *users == after.users),
        ("faulty_clock", *faulty_clock == after.faulty_clock),
        ("mounts", *mounts == after.mounts),
        ("dns", *dns == after.dns),
        ("dhcp", *dhcp == after.dhcp),
        ("addresses", *addresses == after.addresses),
        ("dhcp6", *dhcp6 == after.dhcp6),
        ("addresses_v6", *addresses_v6 == after.addresses_v6),
        ("advertise", *advertise == after.advertise),
        ("clat", *clat == after.clat),
        ("autoconfigure", *autoconfigure == after.autoconfigure),
        ("network", *network == after.network),
    ];
    let mut settings = settings.into_iter();
    let differing = settings.find(|(_, is_same)| !is_same);
    differing.map(|(setting, _)| setting)
}
