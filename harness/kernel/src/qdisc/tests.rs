//! The bytes of queueing disciplines: what is sent, and what is read. Whether a kernel takes them
//! is asked where there is one that has them.

use super::*;
use crate::netlink::encoding::{Attributes, words};
use crate::netlink::{Batch, Device};

const DEVICE: Device<'static> = Device {
    index: 7,
    name: "b'",
};

fn options() -> NetemOptions {
    NetemOptions {
        latency: 50_000_000,
        jitter: 6_400,
        limit: 1000,
        loss: 1,
        bursts: None,
        duplicate: 2,
        reorder: 3,
        gap: 4,
        corrupt: 5,
        rate: 125_000,
        seed: Some(6),
    }
}

/// Makes what a kernel would say: the options as they are set, which is how it says netem's.
fn told(message: &[u8], statistics: Attributes) -> QdiscEntry {
    let payload = [&message[16..], &Attributes::new().nest(7, statistics).0].concat();
    QdiscEntry::read(&payload).expect("readable")
}

#[test]
fn netem_is_told_in_these_bytes() {
    let mut batch = Batch::new();
    let table = [-8192, 0, 8192];
    batch.change_qdisc(
        DEVICE,
        QdiscPosition::BELOW_ROOT,
        Qdisc::Netem(&options(), Some(&table)),
    );
    let attributes = Attributes(words(&[781_250, 1000, 1, 4, 2, 100]))
        .with(1, &words(&[0, 0, 0]))
        .with(3, &words(&[3, 0]))
        .with(4, &words(&[5, 0]))
        .with(6, &words(&[125_000, 0, 0, 0]))
        .with(10, &50_000_000i64.to_ne_bytes())
        .with(11, &6_400i64.to_ne_bytes())
        .with(14, &6u64.to_ne_bytes())
        .with(2, &[0x00, 0xe0, 0, 0, 0x00, 0x20]);
    let text = Attributes::new().text(1, "netem").nest(2, attributes);
    let payload = [words(&[0, 7, 0x2_0000, 0x1_0001, 0]), text.0].concat();
    assert_eq!(batch.slice(&(0..1))[16..], payload);
    assert_eq!(
        batch.slice(&(0..1))[4..8],
        [36, 0, 1, 0],
        "RTM_NEWQDISC, a request"
    );
    assert_eq!(
        NetemOptions::read(&told(batch.slice(&(0..1)), Attributes::new())),
        Some(options())
    );
}

#[test]
fn bursts_and_great_rates_have_attributes_of_their_own() {
    let bursts = NetemLossModel {
        begin: 1,
        end: 2,
        pass_in_bad: 3,
        loss_in_good: 4,
    };
    let options = NetemOptions {
        bursts: Some(bursts),
        rate: 1 << 33,
        seed: None,
        ..options()
    };
    let mut batch = Batch::new();
    batch.replace_qdisc(
        DEVICE,
        QdiscPosition::BELOW_ROOT,
        Qdisc::Netem(&options, None),
    );
    let contains = |attribute: Attributes| {
        batch
            .slice(&(0..1))
            .windows(attribute.0.len())
            .any(|bytes| bytes == attribute.0)
    };
    let model = Attributes::new().with(2, &words(&[1, 2, 3, 4]));
    assert!(contains(Attributes::new().nest(5, model)));
    assert!(contains(
        Attributes::new().with(6, &words(&[u32::MAX, 0, 0, 0]))
    ));
    assert!(contains(
        Attributes::new().with(8, &(1u64 << 33).to_ne_bytes())
    ));
    assert_eq!(batch.slice(&(0..1))[6..8], [1, 5], "create or replace");
    assert_eq!(
        NetemOptions::read(&told(batch.slice(&(0..1)), Attributes::new())),
        Some(options)
    );
}

#[test]
fn a_token_bucket_filter_is_told_in_these_bytes() {
    let options = TbfOptions {
        rate: 1_250_000,
        burst: 15_000,
    };
    let mut batch = Batch::new();
    batch.replace_qdisc(DEVICE, QdiscPosition::ROOT, Qdisc::Tbf(options));
    let parms = [
        &[0, 1, 0, 0, 0, 0, 0, 0][..],
        &words(&[1_250_000, 0, 0, 0, 0, 12_000_000 / 64, 0]),
    ];
    let attributes = Attributes::new()
        .with(1, &parms.concat())
        .with(6, &15_000u32.to_ne_bytes());
    let text = Attributes::new().text(1, "tbf").nest(2, attributes);
    let payload = [words(&[0, 7, 0x1_0000, u32::MAX, 0]), text.0].concat();
    assert_eq!(batch.slice(&(0..1))[16..], payload);
    let entry = told(batch.slice(&(0..1)), Attributes::new());
    assert_eq!(TbfOptions::read(&entry), Some(options));
    assert_eq!(NetemOptions::read(&entry), None);
}

#[test]
fn statistics_are_read() {
    let mut batch = Batch::new();
    batch.change_qdisc(DEVICE, QdiscPosition::ROOT, Qdisc::Netem(&options(), None));
    let basic = [&3000u64.to_ne_bytes()[..], &words(&[2, 0])].concat();
    let statistics = Attributes::new()
        .with(1, &basic)
        .with(3, &words(&[5, 500, 7, 8, 9]));
    let wanted = QdiscStatistics {
        packets: 2,
        bytes: 3000,
        queued_packets: 5,
        queued_bytes: 500,
        drops: 7,
        requeues: 8,
    };
    assert_eq!(
        told(batch.slice(&(0..1)), statistics.clone()).statistics,
        wanted
    );
    let many = QdiscStatistics {
        packets: 1 << 40,
        ..wanted
    };
    let statistics = statistics.with(8, &(1u64 << 40).to_ne_bytes());
    assert_eq!(told(batch.slice(&(0..1)), statistics).statistics, many);
}
