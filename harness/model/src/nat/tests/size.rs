//! A hundred thousand mappings: their memory, and that none is lost.

use super::*;

const MANY: u32 = 100_000;

fn host(number: u32) -> SocketAddrV4 {
    let address = Ipv4Addr::from(0x0a00_0000 + number / 1000);
    at(address, 10_000 + (number % 1000) as u16)
}

#[test]
fn a_hundred_thousand_mappings_take_two_hundred_bytes_each_and_go_in_time() {
    let mut world = World::new(NatSpec {
        pool: vec![Ipv4Addr::new(203, 0, 113, 2)],
        ..preset::port_restricted_cone()
    });
    let outside: Vec<SocketAddrV4> = (0..MANY)
        .map(|number| world.udp(host(number), at(REMOTE, 1)))
        .collect();
    assert_eq!(world.nat.count(), MANY as usize);
    let each = world.nat.memory() / MANY as usize;
    assert!(each <= 200, "{each} bytes each");
    for (number, outside) in outside.iter().enumerate() {
        let inside = world.udp_back(at(REMOTE, 1), *outside);
        assert_eq!(inside, Some(host(number as u32)));
    }
    // Half of them go on.
    world.wait(200);
    for number in (0..MANY).step_by(2) {
        world.udp(host(number), at(REMOTE, 1));
    }
    world.wait(200);
    world.udp(host(0), at(REMOTE, 1));
    assert_eq!(world.nat.count(), MANY as usize / 2);
    world.wait(400);
    world.udp(host(0), at(REMOTE, 1));
    assert_eq!(world.nat.count(), 1);
}

#[test]
fn the_mappings_of_a_burst_are_read_beforehand_from_both_sides() {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            let mut world = World::new(NatSpec {
                ports: PortAssignment::Random,
                ..NatSpec::new(mapping, filtering)
            });
            let many = 5000;
            let inside = |number| made([host(number), at(REMOTE, 1)], UDP);
            let outside: Vec<SocketAddrV4> = (0..many)
                .map(|number| world.udp(host(number), at(REMOTE, 1)))
                .collect();
            let outside = |number: u32| made([at(REMOTE, 1), outside[number as usize]], UDP);
            // The numbers of bursts are no multiple of what is read at once.
            for count in [1, 31, 32, 33, 100] {
                let leaving: Vec<Vec<u8>> = (0..count).map(inside).collect();
                let coming: Vec<Vec<u8>> = (0..count).map(outside).collect();
                let fetched = world.nat.fetch_outbound(leaving.iter().map(|it| &it[..]));
                assert_eq!(fetched, count as usize, "{mapping:?}");
                let fetched = world.nat.fetch_inbound(coming.iter().map(|it| &it[..]));
                assert_eq!(fetched, count as usize, "{mapping:?}");
            }
        }
    }
}
