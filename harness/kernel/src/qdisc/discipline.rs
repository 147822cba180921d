//! Queueing disciplines, set and read back with their counters (`tc(8)`).
//!
//! What was set is read back because kernels ignore attributes that they do not know.

use nix::libc;

use super::options::{self, NetemOptions, TbfOptions};
use crate::netlink::batch::Batch;
use crate::netlink::connection::{Netlink, Question};
use crate::netlink::encoding::{self, NLM_F_CREATE, NLM_F_ECHO, NLM_F_REPLACE};
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// Position of a discipline: at the interface itself, or below another discipline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QdiscPosition {
    handle: u32,
    parent: u32,
}

impl QdiscPosition {
    /// Position `1:`, at the interface.
    pub const ROOT: QdiscPosition = QdiscPosition {
        handle: 1 << 16,
        parent: 0xffff_ffff,
    };

    /// Position `2:`, below the only class of the root, `1:1`.
    pub const BELOW_ROOT: QdiscPosition = QdiscPosition {
        // The major number is in the upper half; the minor number of a discipline is 0 (tc(8)).
        handle: 2 << 16,
        parent: (1 << 16) | 1,
    };
}

/// A discipline with the options to be set.
#[derive(Clone, Copy, Debug)]
pub enum Qdisc<'a> {
    /// netem with its options, and maybe a table of the distribution of jitter.
    ///
    /// Without a table netem keeps the one that it has. At first there is none, and jitter is
    /// uniform.
    Netem(&'a NetemOptions, Option<&'a [i16]>),
    /// A token bucket filter. A discipline below it becomes its queue.
    Tbf(TbfOptions),
    /// A hierarchical token bucket without classes.
    Htb,
    /// A queue of so many packets, first in, first out, which counts what passes.
    Fifo(u32),
}

/// A discipline as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QdiscEntry {
    /// Name of the queueing discipline, such as `netem`.
    pub kind: String,
    /// Options, for [`NetemOptions::read`] or [`TbfOptions::read`].
    pub(super) options: Vec<u8>,
    /// Counters of the queueing discipline.
    pub statistics: QdiscStatistics,
}

/// Counters of a discipline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QdiscStatistics {
    /// Packets that were sent.
    pub packets: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Packets that wait in the queue.
    pub queued_packets: u32,
    /// Bytes that wait in the queue.
    pub queued_bytes: u32,
    /// Packets that were dropped, for any reason.
    pub drops: u32,
    /// Packets that were put in front of the queue, as netem does in order to reorder packets.
    pub requeues: u32,
}

const KIND: u16 = libc::TCA_KIND;
const OPTIONS: u16 = libc::TCA_OPTIONS;
const STATS2: u16 = libc::TCA_STATS2;

impl Batch {
    /// Puts a discipline into a position, in place of the interface's default one.
    pub fn replace_qdisc(&mut self, device: Device<'_>, place: QdiscPosition, qdisc: Qdisc<'_>) {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.qdisc(qdisc.words(), device, place, flags, qdisc);
    }

    /// Changes the options of the discipline in a position. The packets that it holds stay.
    pub fn change_qdisc(&mut self, device: Device<'_>, place: QdiscPosition, qdisc: Qdisc<'_>) {
        // Without NLM_F_CREATE the kernel refuses where there is no discipline, so a lost one is
        // noticed.
        self.qdisc(qdisc.words(), device, place, 0, qdisc);
    }

    fn qdisc(
        &mut self,
        operation: &'static str,
        device: Device<'_>,
        place: QdiscPosition,
        flags: u16,
        qdisc: Qdisc<'_>,
    ) {
        let mut payload = tcmsg(device, place);
        encoding::attribute(
            &mut payload,
            KIND,
            &[qdisc.kind().as_bytes(), &[0]].concat(),
        );
        encoding::attribute(&mut payload, OPTIONS, &qdisc.options());
        self.push(operation, device.name, libc::RTM_NEWQDISC, flags, &payload);
    }
}

impl Netlink {
    /// Reads back the discipline in a position, with its counters.
    ///
    /// # Errors
    /// There is no discipline, or the answer cannot be read.
    pub fn qdisc(
        &mut self,
        device: Device<'_>,
        place: QdiscPosition,
    ) -> Result<QdiscEntry, NetlinkError> {
        const OPERATION: &str = "read back the queueing discipline of";
        let payload = tcmsg(device, place);
        // The kernel answers by a notification to all listeners. The asking socket gets the
        // notification only if the request has NLM_F_ECHO (net/sched/sch_api.c, qdisc_notify).
        let question = Question {
            operation: OPERATION,
            subject: device.name,
            kind: libc::RTM_GETQDISC,
            flags: NLM_F_ECHO,
            payload: &payload,
        };
        let found = self.get(&question, |message| {
            (message.kind == libc::RTM_NEWQDISC).then(|| QdiscEntry::read(message.payload))
        })?;
        found.flatten().ok_or_else(|| {
            NetlinkError::malformed(OPERATION, device.name, "there is no answer in it")
        })
    }
}

/// Returns a `struct tcmsg`: family and padding, index, handle, parent, information.
fn tcmsg(device: Device<'_>, place: QdiscPosition) -> Vec<u8> {
    encoding::words(&[0, device.index, place.handle, place.parent, 0])
}

impl Qdisc<'_> {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Qdisc::Netem(..) => "netem",
            Qdisc::Tbf(_) => "tbf",
            Qdisc::Htb => "htb",
            Qdisc::Fifo(_) => "pfifo",
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Qdisc::Netem(..) => "set netem on",
            Qdisc::Tbf(_) => "set a token bucket filter on",
            Qdisc::Htb => "set a hierarchical token bucket on",
            Qdisc::Fifo(_) => "set a queue on",
        }
    }

    fn options(&self) -> Vec<u8> {
        match self {
            Qdisc::Netem(options, table) => options.write(*table),
            Qdisc::Tbf(options) => options.write(),
            Qdisc::Htb => options::htb(),
            // `struct tc_fifo_qopt` has this one number (linux/pkt_sched.h).
            Qdisc::Fifo(limit) => limit.to_ne_bytes().to_vec(),
        }
    }
}

impl QdiscEntry {
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        // The attributes follow a `struct tcmsg`.
        let attributes = payload.get(20..)?;
        Some(QdiscEntry {
            kind: encoding::text(encoding::find(attributes, KIND)?),
            options: encoding::find(attributes, OPTIONS)
                .unwrap_or_default()
                .to_vec(),
            statistics: encoding::find(attributes, STATS2)
                .and_then(QdiscStatistics::read)
                .unwrap_or_default(),
        })
    }
}

impl QdiscStatistics {
    /// Reads the attributes in `TCA_STATS2` (`linux/gen_stats.h`).
    fn read(attributes: &[u8]) -> Option<Self> {
        const BASIC: u16 = 1;
        const QUEUE: u16 = 3;
        const PACKETS64: u16 = 8;
        let basic = encoding::find(attributes, BASIC)?;
        let queue = encoding::find(attributes, QUEUE)?;
        // The kernel sends this one only if 32 bits are not enough (net/core/gen_stats.c).
        let packets =
            encoding::find(attributes, PACKETS64).and_then(|packets| encoding::u64_at(packets, 0));
        // `struct gnet_stats_queue`: queue length, backlog, drops, requeues, overlimits.
        let of = |at: usize| encoding::u32_at(queue, 4 * at);
        Some(QdiscStatistics {
            // `struct gnet_stats_basic`: bytes, then packets as 32 bits.
            packets: packets.or(encoding::u32_at(basic, 8).map(u64::from))?,
            bytes: encoding::u64_at(basic, 0)?,
            queued_packets: of(0)?,
            queued_bytes: of(1)?,
            drops: of(2)?,
            requeues: of(3)?,
        })
    }
}
