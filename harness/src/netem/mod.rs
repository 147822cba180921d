//! Links by the kernel's own netem.
//!
//! At the device that sends out of the middle of a link hangs a token bucket filter, and below it netem. netem holds all that
//! the link holds, what is under way and what waits, so that its limit is that of the queue; the filter lets packets out of it. It is there
//! without a `burst` too, at a rate that nothing reaches, since a link that is to get one later would otherwise lose what it holds.
//!
//! What is set is read back, each value. (But the table of a jitter: the kernel tells nobody.)
//!
//! netem decides about what it is handed, and that may be a batch of 64 KB. So whatever sends *into* the link
//! must be told to send packets one by one: `Batch::set_largest_batch`.

mod cannot;
mod compare;
mod options;
#[cfg(test)]
mod tests;

use std::os::fd::BorrowedFd;

use crate::impair::{Cause, Counters, Impairment, Lost, Percent, Traffic};
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError};
use crate::kernel::qdisc::{Attachment, NetemOptions, Qdisc, TbfOptions};
use crate::model::random::{GOLDEN, seed_for};
pub(crate) use cannot::cannot;
use compare::{compare, filter_values, netem_values};
use options::{filter, options, table};

/// What a frame is longer than its packet.
const ETHERNET: u32 = 14;

/// What one device does to what it sends.
#[derive(Debug)]
pub(crate) struct Netem {
    netlink: Netlink,
    index: u32,
    name: String,
    seed: u64,
    /// How often it was changed: each time chance starts anew.
    changes: u64,
    /// Whether netem has a table for its jitter.
    has_table: bool,
    /// Whether it has ever sent packets twice.
    duplicates: bool,
    impairment: Impairment,
    /// What was dropped so far, and the kernel's count at that time.
    lost: Lost,
    drops: u32,
    most_queued: Traffic,
}

impl Netem {
    /// Has the device do this to what it sends. The impairment is valid, and in force when this returns.
    ///
    /// # Errors
    /// What netem [cannot] do, what the kernel refused, or which value it has taken for another one.
    pub(crate) fn apply(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        impairment: &Impairment,
        seed: u64,
    ) -> Result<Netem, NetlinkError> {
        let mut netem = Netem {
            netlink: Netlink::open_in(netns)?,
            index: device.index,
            name: device.name.to_owned(),
            // The kernel's generator makes much the same of seeds that are close to each other.
            seed: seed_for(seed, "netem"),
            changes: 0,
            has_table: false,
            duplicates: impairment.duplicate != Percent::ZERO,
            impairment: impairment.clone(),
            lost: Lost::default(),
            drops: 0,
            most_queued: Traffic::default(),
        };
        netem.set(impairment, Batch::replace_qdisc)?;
        Ok(netem)
    }

    /// Changes what is done to packets from now on. What is under way comes out as it was decided.
    ///
    /// # Errors
    /// As for [`apply`](Netem::apply).
    pub(crate) fn change(&mut self, impairment: &Impairment) -> Result<(), NetlinkError> {
        self.look()?;
        self.changes += 1;
        self.set(impairment, Batch::change_qdisc)?;
        self.duplicates |= impairment.duplicate != Percent::ZERO;
        self.impairment = impairment.clone();
        Ok(())
    }

    /// What has passed by now, as far as it can be told from the kernel's statistics and from what has entered the link.
    ///
    /// The kernel has one number for all that it drops: it counts as loss where packets are lost by chance, and else as dropped by a full queue.
    /// Nothing tells what was corrupted. Where packets are duplicated, the lengths of duplicates are taken to be those of all packets.
    pub(crate) fn counters(&mut self, entered: Traffic) -> Result<Counters, NetlinkError> {
        let mut counters = self.look()?;
        let lost = counters.lost.total().packets;
        let out = |of: fn(Traffic) -> u64| of(counters.delivered) + of(counters.queued);
        let (packets, bytes) = (out(|of| of.packets), out(|of| of.bytes));
        if self.duplicates {
            let twice = (packets + lost).saturating_sub(entered.packets);
            counters.duplicated = Traffic {
                packets: twice,
                bytes: match lost {
                    0 => bytes.saturating_sub(entered.bytes),
                    _ => twice * entered.bytes / entered.packets.max(1),
                },
            };
        }
        let twice = counters.duplicated;
        if lost > 0 {
            let gone = (entered.bytes + twice.bytes).saturating_sub(bytes);
            share_out(gone, &mut counters.lost);
        }
        counters.sent = Traffic {
            packets: packets + lost - twice.packets,
            bytes: (bytes + counters.lost.total().bytes).saturating_sub(twice.bytes),
        };
        Ok(counters)
    }

    /// What the kernel's statistics say.
    fn look(&mut self) -> Result<Counters, NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        let all = self.netlink.qdisc(device, Attachment::ROOT)?.statistics;
        let netem = self
            .netlink
            .qdisc(device, Attachment::BELOW_ROOT)?
            .statistics;
        let cause = match &self.impairment {
            of if of.loss != Percent::ZERO => Cause::Loss,
            of if of.bursts.is_some() => Cause::Burst,
            _ => Cause::Queue,
        };
        self.lost.of(cause).packets += u64::from(all.drops.wrapping_sub(self.drops));
        self.drops = all.drops;
        let queued = Traffic {
            packets: all.queued_packets.into(),
            bytes: all.queued_bytes.into(),
        };
        let most = &mut self.most_queued;
        most.packets = most.packets.max(queued.packets);
        most.bytes = most.bytes.max(queued.bytes);
        Ok(Counters {
            delivered: Traffic {
                packets: all.packets,
                bytes: all.bytes,
            },
            lost: self.lost,
            reordered: Traffic {
                packets: netem.requeues.into(),
                bytes: 0,
            },
            queued,
            most_queued: self.most_queued,
            ..Counters::default()
        })
    }

    fn set(
        &mut self,
        impairment: &Impairment,
        put: fn(&mut Batch, Device<'_>, Attachment, Qdisc<'_>),
    ) -> Result<(), NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        let unlike = |what| NetlinkError::unlike("impair", device.name, what);
        // It matters to a burst alone, and is a question to the kernel.
        let mtu = match impairment.burst {
            Some(_) => self.netlink.interface(device)?.mtu,
            None => 0,
        };
        if let Some(what) = cannot(impairment, mtu) {
            return Err(unlike(format!("netem cannot do {what}")));
        }
        let seed = self.seed.wrapping_add(self.changes.wrapping_mul(GOLDEN));
        let (filter, netem) = (filter(impairment), options(impairment, seed));
        let table = table(&impairment.jitter, self.has_table);
        let mut batch = Batch::new();
        put(&mut batch, device, Attachment::ROOT, Qdisc::Tbf(filter));
        put(
            &mut batch,
            device,
            Attachment::BELOW_ROOT,
            Qdisc::Netem(&netem, table),
        );
        self.netlink.execute(batch)?;
        self.has_table |= table.is_some();

        let found = self.netlink.qdisc(device, Attachment::ROOT)?;
        let found = TbfOptions::read(&found).ok_or_else(|| unlike(nothing("tbf", &found.kind)))?;
        compare(&filter_values(&filter, &found)).map_err(unlike)?;
        let found = self.netlink.qdisc(device, Attachment::BELOW_ROOT)?;
        let found =
            NetemOptions::read(&found).ok_or_else(|| unlike(nothing("netem", &found.kind)))?;
        compare(&netem_values(&netem, &found)).map_err(unlike)
    }
}

/// Gives each cause its share of the bytes, by its packets.
fn share_out(bytes: u64, lost: &mut Lost) {
    let packets = lost.total().packets;
    let mut left = bytes;
    for cause in Cause::ALL {
        let of = lost.of(cause);
        of.bytes = match of.packets == packets {
            true => bytes,
            false => left.min(bytes * of.packets / packets),
        };
        left -= of.bytes;
    }
}

fn nothing(wanted: &str, found: &str) -> String {
    format!(
        "the kernel has a `{found}` where it was told to have a `{wanted}`, or says nothing of its values"
    )
}
