//! Another carrier for a link that is in use, with all that is attached to the link.

use crate::events::EventKind;
use crate::impair::Direction;
use crate::lab::error::Result;
use crate::lab::link::carrier::choose::choose;
use crate::lab::link::carrier::keep::{KeptSide, bind_services_again, side_to_keep};
use crate::lab::link::carrier::replace::{CarrierRequest, NewEnds, replace_carrier};
use crate::lab::link::state::LinkState;
use crate::lab::stack::carried::Restored;
use crate::lab::stack::monitors::Monitor;
use crate::model::carrier::Carrier;
use crate::model::side::Side;
use crate::topology::Engine;

impl LinkState {
    /// Changes the carrier to one for `engine`, and attaches again what is attached to the link.
    /// The module `carrier` explains the order of the steps.
    pub(in crate::lab::link) fn change_carrier(&mut self, engine: Engine) -> Result<()> {
        let wanted = Direction::BOTH.map(|direction| self.wanted(direction));
        // What can be refused is asked first, while the link is as it was.
        let carrier = choose(self.ends(), self.services.wire_namespace(), engine, &wanted)?;
        let kept = self.choose_kept_side()?;
        // The counts of a link begin anew with its carrier. The filters of cuts drop frames until
        // the new carrier cuts by itself.
        let filters = self.cuts.give_up_filters();
        // The last frames for monitors are read while the interfaces exist.
        self.monitors.iter_mut().for_each(Monitor::detach);
        // Nobody carries the link until the new carrier is there: an error must not leave a carrier
        // that is half gone.
        let before = self.carried.take();
        let from = before.kind();
        let (ends, namespace) = (self.carried.ends(), self.services.wire_namespace());
        let request = CarrierRequest {
            carrier,
            is_down: self.down,
            kept,
        };
        let NewEnds {
            pending,
            restored,
            made_again,
        } = replace_carrier(ends, namespace, before, request)?;
        // Faults come back before the first frame passes, and before monitors, so that no capture
        // shows a frame that a fault keeps out.
        for side in made_again.iter().copied() {
            if let Some(stack) = self.carried.ends().stack(side) {
                stack.reattach_filters(self.carried.ends().device(side).index)?;
            }
        }
        let joined = pending.join(self.carried.ends(), &wanted, &mut self.cuts)?;
        // The new carrier cuts by itself by now, and no frame has passed between.
        drop(filters);
        self.carried.put(joined);
        if let Some(restored) = restored {
            self.take_restored(restored, &made_again);
        }
        // Where a link at a switch is down, `splice` has left its port down. The new carrier stands
        // between the port and the node, so the node is told by itself.
        if self.down {
            self.carried.without_shortcut()?.set_node_lower_up(false)?;
        }
        for side in made_again {
            if let Some(stack) = self.ends().stack(side) {
                bind_services_again(self.ends(), side)?;
                stack.reattach_monitors(self.ends().device(side))?;
            }
        }
        self.reattach_monitors()?;
        self.services.journal().record(EventKind::CarrierChanged {
            link: self.ends().name().to_owned(),
            from: Some(from),
            to: self.carrier(),
        });
        Ok(())
    }

    /// Chooses the interface that stays, where the interfaces of a plain link are in two nodes, and
    /// reads what is to be there afterwards. The monitors of the link and of the other interface
    /// are off then.
    fn choose_kept_side(&mut self) -> Result<Option<KeptSide>> {
        if self.carrier() != Carrier::Veth {
            return Ok(None);
        }
        // The packet sockets of our own captures are attached again, and do not count.
        self.monitors.iter_mut().for_each(Monitor::detach);
        for side in Side::BOTH {
            if let Some(stack) = self.ends().stack(side) {
                stack.detach_monitors(self.ends().device(side));
            }
        }
        let ends = self.ends();
        let kept = side_to_keep(ends)
            .and_then(|side| side.map(|side| KeptSide::read(ends, side)).transpose());
        let sides = match &kept {
            // The interface of the other side is made anew. `change_carrier` attaches the monitors
            // of that interface afterwards.
            Ok(Some(kept)) => vec![kept.side],
            Ok(None) | Err(_) => Side::BOTH.to_vec(),
        };
        if kept.is_err() {
            self.reattach_monitors()?;
        }
        for side in sides {
            if let Some(stack) = self.ends().stack(side) {
                stack.reattach_monitors(self.ends().device(side))?;
            }
        }
        kept
    }

    /// Takes over the memberships that keep an interface as it was, and records what the kernel
    /// refused to restore.
    fn take_restored(&mut self, restored: Restored, made_again: &[Side]) {
        let Restored { members, refused } = restored;
        self.members.extend(members);
        let node = made_again
            .first()
            .and_then(|side| self.ends().hostname(*side));
        for refusal in refused {
            self.services.journal().record(EventKind::FellBack {
                node: node.unwrap_or_default().to_owned(),
                sentence: format!("an interface that was made anew lacks something: {refusal}"),
            });
        }
    }
}
