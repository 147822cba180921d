//! A node with a disk, and what tests do in it.

use std::path::Path;

use snowglobe::Lab;
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::Unsynced;
pub(crate) use snowglobe_tests::has_fuse;

/// Returns a topology with the node `db`, whose disk is at `/tmp/data`.
pub(crate) fn disk(unsynced: Unsynced) -> Topology {
    let mut topology = Topology::new();
    let data = Volume::named("data").with_unsynced(unsynced);
    topology.node(NodeSpec::new("db").volume("/tmp/data", data));
    topology
}

pub(crate) fn db(lab: &Lab) -> &Node {
    lab.node("db").expect("the topology has the node")
}

/// Writes a file in the node and syncs it.
pub(crate) fn write_synced(node: &Node, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    node.run(|| {
        let mut file = std::fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

pub(crate) fn read(node: &Node, path: impl AsRef<Path> + Send) -> std::io::Result<Vec<u8>> {
    node.run(|| std::fs::read(path))
}
