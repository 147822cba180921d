//! Queueing disciplines: what a device does with what it shall send.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_ECHO, NLM_F_REPLACE};
use nix::libc;

use super::options::{self, NetemOptions, TbfOptions};
use crate::netlink::batch::Batch;
use crate::netlink::connection::Netlink;
use crate::netlink::encoding;
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// Where a discipline hangs: at the device itself, or below another discipline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QdiscPosition {
    handle: u32,
    parent: u32,
}

impl QdiscPosition {
    /// `1:`, at the device.
    pub const ROOT: QdiscPosition = QdiscPosition {
        handle: 1 << 16,
        parent: 0xffff_ffff,
    };

    /// `2:`, below the one and only class of the root.
    pub const BELOW_ROOT: QdiscPosition = QdiscPosition {
        handle: 2 << 16,
        parent: (1 << 16) | 1,
    };
}

/// A discipline, to be set.
#[derive(Clone, Copy, Debug)]
pub enum Qdisc<'a> {
    /// With the table of its jitter's distribution; without one it keeps the table that it has, and at first that is none: uniform.
    Netem(&'a NetemOptions, Option<&'a [i16]>),
    /// With what is put below it as its queue.
    Tbf(TbfOptions),
    /// A hierarchical token bucket without classes.
    Htb,
}

/// A discipline as the kernel tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QdiscEntry {
    /// Name of the queueing discipline, such as `netem`.
    pub kind: String,
    /// To be read by [`NetemOptions::read`] or [`TbfOptions::read`].
    pub(super) options: Vec<u8>,
    /// Counters of the queueing discipline.
    pub statistics: QdiscStatistics,
}

/// What a discipline has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QdiscStatistics {
    /// Sent on.
    pub packets: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Held at the moment.
    pub queued_packets: u32,
    /// Bytes that wait in the queue.
    pub queued_bytes: u32,
    /// Thrown away, for whatever reason.
    pub drops: u32,
    /// Put in front of the queue; netem does that to what it reorders.
    pub requeues: u32,
}

const KIND: u16 = libc::TCA_KIND;
const OPTIONS: u16 = libc::TCA_OPTIONS;
const STATS2: u16 = libc::TCA_STATS2;

impl Batch {
    /// Puts a discipline in its place; what was there before goes, with all that it holds.
    pub fn replace_qdisc(&mut self, device: Device<'_>, place: QdiscPosition, qdisc: Qdisc<'_>) {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.qdisc(qdisc.words(), device, place, flags, qdisc);
    }

    /// Tells a discipline that is there other values; what it holds stays.
    pub fn change_qdisc(&mut self, device: Device<'_>, place: QdiscPosition, qdisc: Qdisc<'_>) {
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
        self.push_raw(operation, device.name, libc::RTM_NEWQDISC, flags, &payload);
    }
}

impl Netlink {
    /// A discipline as it is in force, with what it has counted.
    pub fn qdisc(
        &mut self,
        device: Device<'_>,
        place: QdiscPosition,
    ) -> Result<QdiscEntry, NetlinkError> {
        const OPERATION: &str = "read back the queueing discipline of";
        let payload = tcmsg(device, place);
        // Told to the one who asks only if he wants to hear what all are told.
        let found = self.get(
            OPERATION,
            device.name,
            libc::RTM_GETQDISC,
            NLM_F_ECHO,
            &payload,
            |message| {
                (message.kind == libc::RTM_NEWQDISC).then(|| QdiscEntry::read(message.payload))
            },
        )?;
        found.flatten().ok_or_else(|| {
            NetlinkError::malformed(OPERATION, device.name, "there is no answer in it")
        })
    }
}

/// `struct tcmsg`: family and padding, device, handle, parent, information.
fn tcmsg(device: Device<'_>, place: QdiscPosition) -> Vec<u8> {
    encoding::words(&[0, device.index, place.handle, place.parent, 0])
}

impl Qdisc<'_> {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Qdisc::Netem(..) => "netem",
            Qdisc::Tbf(_) => "tbf",
            Qdisc::Htb => "htb",
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Qdisc::Netem(..) => "set netem on",
            Qdisc::Tbf(_) => "set a token bucket filter on",
            Qdisc::Htb => "set a hierarchical token bucket on",
        }
    }

    fn options(&self) -> Vec<u8> {
        match self {
            Qdisc::Netem(options, table) => options.write(*table),
            Qdisc::Tbf(options) => options.write(),
            Qdisc::Htb => options::htb(),
        }
    }
}

impl QdiscEntry {
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
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
    /// From the attributes in `TCA_STATS2`.
    fn read(attributes: &[u8]) -> Option<Self> {
        const BASIC: u16 = 1;
        const QUEUE: u16 = 3;
        const PACKETS64: u16 = 8;
        let basic = encoding::find(attributes, BASIC)?;
        let queue = encoding::find(attributes, QUEUE)?;
        // There only when 32 bits are not enough.
        let packets =
            encoding::find(attributes, PACKETS64).and_then(|packets| encoding::u64_at(packets, 0));
        let of = |at: usize| encoding::u32_at(queue, 4 * at);
        Some(QdiscStatistics {
            packets: packets.or(encoding::u32_at(basic, 8).map(u64::from))?,
            bytes: encoding::u64_at(basic, 0)?,
            queued_packets: of(0)?,
            queued_bytes: of(1)?,
            drops: of(2)?,
            requeues: of(3)?,
        })
    }
}
