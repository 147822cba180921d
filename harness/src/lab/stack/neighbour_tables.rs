//! The neighbour tables of the host, which all network namespaces share.
//!
//! The host decides on the parameters with which interfaces begin, and on how many neighbours can
//! be learned. The first is put right on each interface. The second cannot be changed from a trial:
//! a connection to a neighbour for which there is no room times out, and nothing says why. The
//! kernel counts such refusals, so a trial that fails can say it.

use std::sync::OnceLock;

use crate::kernel::netlink::{NeighbourTable, Netlink, SharedTable};
use crate::trial::running;

/// Returns the tables as the first lab of the trial has found them.
fn initial_tables() -> &'static [SharedTable] {
    static AT_FIRST: OnceLock<Vec<SharedTable>> = OnceLock::new();
    AT_FIRST.get_or_init(|| {
        running::suspect(overflow);
        read_tables()
    })
}

fn read_tables() -> Vec<SharedTable> {
    // A kernel that does not tell is left alone.
    let tables = Netlink::open().and_then(|mut netlink| netlink.neighbour_tables());
    tables.unwrap_or_default()
}

/// Returns the tables for which the host has other parameters than the kernel's own.
pub(crate) fn with_other_parameters() -> impl Iterator<Item = NeighbourTable> {
    let tables = initial_tables().iter();
    tables
        .filter(|it| it.defaults != it.table.own_parameters())
        .map(|it| it.table)
}

/// Returns a sentence if a table had no room for a neighbour since the first lab began.
fn overflow() -> Option<String> {
    let refusals = |table: &SharedTable| {
        let first = initial_tables()
            .iter()
            .find(|first| first.table == table.table);
        first.map_or(0, |first| table.refusals.saturating_sub(first.refusals))
    };
    let found = read_tables()
        .into_iter()
        .find(|table| refusals(table) > 0)?;
    let family = match found.table {
        NeighbourTable::Arp => "ipv4",
        NeighbourTable::Ndisc => "ipv6",
    };
    let name = format!("net.{family}.neigh.default.gc_thresh3");
    Some(format!(
        "while the trial ran, the host had no room for {} neighbours: {name} is {}, for all labs on this host; `sudo sysctl -w {name}={}`, or run with fewer --test-threads, or let the topology know its neighbours (`Neighbours::Fixed`)",
        refusals(&found),
        found.most,
        found.most.saturating_mul(16).max(16_384)
    ))
}
