//! Default routes that the kernel has made from router advertisements.
//!
//! Only the kernel makes such a route, with the time at which it ends. On the next advertisement of
//! the router, the kernel makes the route anew if the metric has changed (net/ipv6/ndisc.c,
//! ndisc_router_discovery). So the router is asked to advertise itself.

use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::kernel::frames::PortSocket;
use crate::kernel::netlink::{IpFamily, Netlink};
use crate::kernel::netns::Netns;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::wait::until;
use crate::model::dhcp6::network::link_local;
use crate::model::ndp::advertisement::solicitation;
use crate::topology::LinkId;
use crate::topology::plan::{InterfacePlan, StackId};
use crate::trial::running::note_if_failed;

/// Time after which a router is asked again, since its advertisement may be lost.
const AGAIN: Duration = Duration::from_millis(500);

impl Lab {
    /// Sets the metric of the plan on the default routes over a link that the kernel has made from
    /// router advertisements.
    pub(super) fn renew_advertised_routes(&self, link: LinkId) -> Result<()> {
        if self[link].is_removed() || self[link].is_down() {
            return Ok(());
        }
        for id in self.plan().stack_ids() {
            let stack = &self.plan()[id];
            let mut interfaces = stack.interfaces.iter();
            let (Some(interface), true) =
                (interfaces.find(|it| it.link == link), stack.autoconfigures)
            else {
                continue;
            };
            // A program that manages the addresses makes routes of its own.
            let nodes = self.all_nodes().iter().zip(&self.plan().nodes);
            let by_program = nodes
                .filter(|(_, planned)| planned.stack == id)
                .any(|(node, _)| node.own_services().addresses_by_program);
            if !by_program && self.stack(id).has_power() {
                self.renew_at(id, interface)?;
            }
        }
        Ok(())
    }

    fn renew_at(&self, id: StackId, interface: &InterfacePlan) -> Result<()> {
        let (Some(netns), Some(from)) = (self.stack(id).netns(), link_local(interface)) else {
            return Ok(());
        };
        let netns = netns.as_fd();
        // Without a route there is nothing to wait for.
        if !is_outdated(netns, interface)? {
            return Ok(());
        }
        let open = || PortSocket::open_for_solicitations(interface.index);
        let socket = Netns::visit(netns, open)
            .flatten()
            .map_err(|e| LabError::io(NetworkAttempt::AskRouter, &e.into()))?;
        // Nobody answers over a link that is cut, or from a network on which nobody else runs.
        if self[interface.link].state().is_cut() || !self.is_anybody_at(id, interface) {
            note_kept(interface, &"nobody can be heard there");
            return Ok(());
        }
        let question = solicitation(interface.mac, from);
        let mut asked: Option<std::time::Instant> = None;
        let renewed = until(self.patience.limit(), || {
            if asked.is_none_or(|it| it.elapsed() >= AGAIN) {
                // A question that cannot be sent is followed by another.
                let _ = socket.send(&question);
                asked = Some(std::time::Instant::now());
            }
            is_outdated(netns, interface).is_ok_and(|it| !it)
        });
        // The link may be cut, or the router down. Then the kernel takes the metric from the next
        // advertisement that it hears.
        if let Err(error) = renewed {
            note_kept(interface, &error);
        }
        Ok(())
    }

    /// Returns whether another node runs on the network of an interface.
    fn is_anybody_at(&self, id: StackId, interface: &InterfacePlan) -> bool {
        let mut nodes = self.all_nodes().iter().zip(&self.plan().nodes);
        nodes.any(|(node, planned)| {
            let mut interfaces = self.plan()[planned.stack].interfaces.iter();
            planned.stack != id
                && node.is_running()
                && interfaces.any(|it| it.segment == interface.segment)
        })
    }
}

fn note_kept(interface: &InterfacePlan, why: &dyn Display) {
    note_if_failed(format!(
        "the default route over `{}` keeps its metric until its router advertises itself: {why}",
        interface.name
    ));
}

/// Returns whether an interface has a default route from a router advertisement whose metric is not
/// that of the plan.
fn is_outdated(netns: BorrowedFd<'_>, interface: &InterfacePlan) -> Result<bool> {
    let failed = |e| LabError::network("the routes of a node", e);
    let mut netlink = Netlink::open_in(netns).map_err(failed)?;
    let routes = netlink.routes().map_err(failed)?;
    let here = routes
        .iter()
        .filter(|it| it.interface == Some(interface.index));
    let mut advertised =
        here.filter(|it| it.family == IpFamily::V6 && it.prefix == 0 && it.protocol == "ra");
    // A metric of 0 is 1 here, as in `ndp/host.rs` of the model.
    Ok(advertised.any(|it| it.metric != Some(interface.metric.max(1))))
}
