//! Tests of the channel, and of values that are refused.

mod chance;
mod flows;
mod times;

use std::time::Duration;

use super::channel::Channel;
use super::{Impairment, Percent};

/// Makes a frame of an IPv4 flow, told apart from others by its UDP port.
pub(crate) fn frame(port: u16, length: usize) -> Vec<u8> {
    let mut frame = vec![0; length];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14] = 0x45;
    frame[23] = 17;
    frame[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame
}

#[test]
fn what_is_not_impaired_comes_out_at_once() {
    let mut channel = Channel::new(&Impairment::NONE, 1);
    let fate = channel.admit(5, &frame(80, 1514));
    assert_eq!(fate.first.map(|delivery| delivery.due), Some(5));
    assert_eq!((fate.second, fate.cause), (None, None));
}

#[test]
fn a_delay_and_a_loss_do_what_they_say() {
    let impairment = Impairment {
        delay: Duration::from_millis(25),
        loss: Percent(50.0),
        ..Impairment::NONE
    };
    let mut channel = Channel::new(&impairment, 1);
    let dues: Vec<_> = (0..100)
        .map(|now| {
            channel
                .admit(now, &frame(80, 1514))
                .first
                .map(|first| first.due - now)
        })
        .collect();
    assert!(dues.contains(&None));
    assert!(dues.contains(&Some(25_000_000)));
    assert!(dues.iter().flatten().all(|due| *due == 25_000_000));
}
