//! Which options netem is given, and which impairments are refused. The tests of what netem then
//! does need a kernel that has it:
//! `cargo xtask vm -- cargo test -p snowglobe --lib netem -- --include-ignored`.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use super::compare::{compare, filter_options, netem_options};
use super::options::{DisciplineOptions, jitter_table};
use super::{NetemDevice, find_unsupported};
use crate::kernel::netlink::{Batch, Device, NeighbourRequest, Netlink, Veth, VethEnd};
use crate::kernel::netns::Netns;
use crate::kernel::qdisc::{NetemOptions, TbfOptions};
use crate::kernel::testing::{netns, sealed};
use crate::model::impair::{
    GilbertElliott, Impairment, Jitter, JitterTable, Percent, QueueLimit, Rate, Reorder, Trace,
    Traffic, preset,
};

const MS: Duration = Duration::from_millis(1);

/// Returns an impairment with everything in it that netem can do at once.
fn rich() -> Impairment {
    Impairment {
        delay: 50 * MS,
        jitter: Jitter::normal(5 * MS),
        loss: Percent(10.0),
        loss_bursts: Some(GilbertElliott {
            p: Percent(1.0),
            r: Percent(25.0),
            loss_in_bad: Percent(80.0),
            loss_in_good: Percent(20.0),
        }),
        duplicate: Percent(2.0),
        reorder: Reorder {
            gap: 5,
            ..Reorder::independent(Percent(50.0))
        },
        corrupt: Percent(1.0),
        rate: Some(Rate::mbit(10)),
        burst: Some(15_000),
        queue: QueueLimit::packets(100),
        ..Impairment::NONE
    }
}

/// Returns the sentence about what netem cannot do, empty if there is none.
fn unsupported(impairment: &Impairment, mtu: u32) -> String {
    find_unsupported(impairment, mtu).map_or_else(String::new, |what| what.to_string())
}

/// Returns no impairment but for one change.
fn with(change: impl FnOnce(&mut Impairment)) -> Impairment {
    let mut impairment = Impairment::NONE;
    change(&mut impairment);
    impairment
}

#[test]
fn what_netem_cannot_do_is_named() {
    let trace = Trace::parse("1\n2\n").expect("a trace");
    let reordered = Reorder::independent(Percent(25.0));
    let correlated = Reorder {
        correlation: Percent(50.0),
        ..reordered
    };
    for (impairment, name) in [
        (with(|it| it.lose_every = Some(3)), "`lose_every`"),
        (with(|it| it.mtu = Some(1400)), "`mtu`"),
        (with(|it| it.trace = Some(trace)), "a trace"),
        (
            with(|it| it.queue = QueueLimit::bytes(65_536)),
            "a queue of 65536 B",
        ),
        (
            with(|it| (it.delay, it.reorder) = (MS, correlated)),
            "a correlation of 50 %",
        ),
        (
            with(|it| {
                (it.delay, it.reorder) = (MS, reordered);
                it.rate = Some(Rate::mbit(1));
            }),
            "a rate of 1 Mbit/s and no burst",
        ),
        (
            with(|it| it.jitter = Jitter::uniform(3000 * MS)),
            "a jitter of 3s",
        ),
        (
            with(|it| it.rate = Some(Rate::bit(8001))),
            "a rate of 8.001 kbit/s",
        ),
        (
            with(|it| (it.rate, it.burst) = (Some(Rate::kbit(8)), Some(1 << 20))),
            "a burst of 1048576 B at 8 kbit/s",
        ),
    ] {
        impairment.validate().expect("possible in general");
        let said = unsupported(&impairment, 1500);
        assert!(said.contains(name), "{said:?} does not name {name:?}");
    }
    assert_eq!(find_unsupported(&rich(), 1500), None);
}

#[test]
fn a_bucket_holds_a_frame() {
    let impairment = Impairment {
        rate: Some(Rate::mbit(8)),
        burst: Some(9013),
        ..Impairment::NONE
    };
    assert_eq!(
        unsupported(&impairment, 9000),
        "a burst of 9013 B on a link whose MTU is 9000: a frame can be larger than that"
    );
    assert_eq!(find_unsupported(&impairment, 8999), None);
}

#[test]
fn netem_can_do_the_presets() {
    for (name, of) in preset::all() {
        for impairment in [&of.down, &of.up] {
            assert_eq!(find_unsupported(impairment, 1500), None, "{name}");
        }
    }
}

fn netem(impairment: &Impairment, seed: u64) -> NetemOptions {
    DisciplineOptions::new(impairment, seed).netem
}

fn filter(impairment: &Impairment) -> TbfOptions {
    DisciplineOptions::new(impairment, 7).filter
}

#[test]
fn an_impairment_is_told_in_the_kernels_units() {
    let told = netem(&rich(), 7);
    let share = |fraction: f64| (fraction * 4_294_967_295.0).round() as u32;
    let bursts = told.bursts.expect("bursts");
    // Independent loss of 10 % besides: of what the model lets pass, nine in ten pass.
    assert_eq!(bursts.pass_in_bad, share(0.2 * 0.9));
    assert_eq!(bursts.loss_in_good, share(1.0 - 0.8 * 0.9));
    assert_eq!((bursts.begin, bursts.end), (share(0.01), share(0.25)));
    assert_eq!((told.loss, told.limit, told.gap), (0, 100, 5));
    assert_eq!((told.latency, told.jitter), (50_000_000, 5_000_000));
    assert_eq!(filter(&rich()).rate, 1_250_000);
    assert!(told.rate > 1 << 32, "the rate is the filter's: {told:?}");

    let line = Impairment {
        rate: Some(Rate::kbit(256)),
        loss: Percent(100.0),
        ..Impairment::NONE
    };
    let told = netem(&line, 7);
    assert_eq!((told.rate, told.loss, told.gap), (32_000, u32::MAX, 0));
    assert_eq!(filter(&line), filter(&Impairment::NONE));
}

#[test]
fn a_value_that_is_another_one_is_named() {
    let wanted = netem(&rich(), 7);
    assert_eq!(compare(netem_options(&wanted, &wanted)), Ok(()));
    // A kernel that knows no seeds says none.
    let old = NetemOptions {
        seed: None,
        ..wanted.clone()
    };
    assert_eq!(compare(netem_options(&wanted, &old)), Ok(()));
    let found = NetemOptions {
        latency: 40_000_000,
        limit: 1000,
        ..wanted.clone()
    };
    assert_eq!(
        compare(netem_options(&wanted, &found))
            .unwrap_err()
            .to_string(),
        "the kernel has a delay of 40000000 ns instead of 50000000 ns, a queue of 1000 packets instead of 100 packets",
    );
    let wanted = filter(&rich());
    let near = TbfOptions {
        burst: wanted.burst - 1,
        ..wanted
    };
    assert_eq!(compare(filter_options(&wanted, &near)), Ok(()));
    let far = TbfOptions {
        burst: wanted.burst - 10,
        ..wanted
    };
    assert!(compare(filter_options(&wanted, &far)).is_err());
}

#[test]
fn uniform_jitter_needs_a_table_only_after_another() {
    let (uniform, normal) = (Jitter::uniform(MS), Jitter::normal(MS));
    assert_eq!(jitter_table(&uniform, false), None);
    assert_eq!(jitter_table(&normal, false), normal.quantiles());
    let values = jitter_table(&uniform, true).expect("a table");
    assert_eq!((values[0], values.len()), (-8192, JitterTable::MOST));
    assert!(values.windows(2).all(|two| two[1] == two[0] + 1));
    assert_eq!(jitter_table(&Jitter::NONE, true), None);
}

const DEVICE: Device<'static> = Device {
    index: 2,
    name: "eth0",
};

/// Makes a cable, with an address at its near end.
fn cable() -> [Netns; 2] {
    let ends = [netns(), netns()];
    let mut netlink = Netlink::open_in(ends[0].as_fd()).expect("a namespace");
    let mut batch = Batch::new();
    let far = VethEnd {
        netns: Some(ends[1].as_fd()),
        ..VethEnd::new(DEVICE)
    };
    batch.add_veth(&Veth {
        near: VethEnd::new(DEVICE),
        far,
    });
    batch.set_gso_max_segments(DEVICE, 1);
    batch.disable_address_generation(DEVICE);
    batch.add_address(DEVICE, [10, 0, 0, 1].into(), 24);
    batch.set_up(DEVICE);
    batch.add_neighbour(&NeighbourRequest {
        address: [10, 0, 0, 2].into(),
        mac: [2, 0, 0, 0, 0, 2],
        device: DEVICE,
    });
    netlink.execute(batch).expect("a cable");
    let mut far = Netlink::open_in(ends[1].as_fd()).expect("a namespace");
    let mut batch = Batch::new();
    batch.set_up(DEVICE);
    far.execute(batch).expect("the far end");
    ends
}

#[test]
#[ignore = "needs a kernel with netem"]
fn everything_is_set_changed_and_read_back() {
    sealed(|| {
        let [near, _far] = cable();
        let mut netem = NetemDevice::apply(near.as_fd(), DEVICE, &rich(), 1).expect("rich");
        let all = preset::all()
            .into_iter()
            .flat_map(|(_, of)| [of.down, of.up]);
        for impairment in [Impairment::NONE].into_iter().chain(all).chain([rich()]) {
            netem.change(&impairment).expect("a change");
            NetemDevice::apply(near.as_fd(), DEVICE, &impairment, 1).expect("a new one");
        }
        let error = netem
            .change(&Impairment {
                mtu: Some(1400),
                ..Impairment::NONE
            })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to impair `eth0`: netem cannot do `mtu`, which netem has no word for"
        );
        let mut netlink = Netlink::open_in(near.as_fd()).expect("a namespace");
        let mut batch = Batch::new();
        batch.set_mtu(DEVICE, 15_000);
        netlink.execute(batch).expect("an MTU");
        let error = netem.change(&rich()).unwrap_err().to_string();
        assert!(
            error.contains("a burst of 15000 B on a link whose MTU is 15000"),
            "{error}"
        );
    });
}

#[test]
#[ignore = "needs a kernel with netem"]
fn what_was_sent_delivered_lost_and_held_is_counted() {
    sealed(|| {
        let [near, _far] = cable();
        let socket = Netns::visit(near.as_fd(), || UdpSocket::bind("10.0.0.1:0"));
        let socket = socket.expect("a namespace").expect("a socket");
        let send = |n| {
            for _ in 0..n {
                socket.send_to(&[0; 1000], "10.0.0.2:9").expect("sent");
            }
        };
        let held = Impairment {
            delay: Duration::from_secs(3600),
            queue: QueueLimit::packets(3),
            ..Impairment::NONE
        };
        let mut netem = NetemDevice::apply(near.as_fd(), DEVICE, &held, 1).expect("held");
        send(5);
        let counters = netem.counters(frames(5)).expect("counters");
        assert_eq!(counters.sent, frames(5));
        assert_eq!(counters.queued, frames(3));
        assert_eq!(counters.lost.queue, frames(2));

        let lossy = Impairment {
            loss: Percent(100.0),
            ..Impairment::NONE
        };
        netem.change(&lossy).expect("lossy");
        send(4);
        let counters = netem.counters(frames(9)).expect("counters");
        assert_eq!(counters.lost.queue, frames(2));
        assert_eq!(counters.lost.loss, frames(4));
        assert_eq!(counters.queued, frames(3), "what is under way stays");

        let twice = Impairment {
            duplicate: Percent(100.0),
            ..Impairment::NONE
        };
        netem.change(&twice).expect("twice");
        send(7);
        let counters = netem.counters(frames(16)).expect("counters");
        assert_eq!(counters.delivered, frames(14));
        assert_eq!(counters.duplicated, frames(7));
        assert_eq!(counters.sent, frames(16));
        assert_eq!(counters.lost.total(), frames(6));
    });
}

/// Returns the traffic of this many frames of the test.
fn frames(packets: u64) -> Traffic {
    Traffic {
        packets,
        bytes: packets * 1042,
    }
}
