//! NAT-PMP, with `natpmpc` of libnatpmp.

use snowglobe::prelude::*;
use snowglobe::topology::PortMappingSpec;
use snowglobe::topology::nat::{NatEngine, NatProtocol, NatSpec, Unsolicited};

use crate::world::{ENGINES, HOSTS, Home, carried, check_lease, socket};

/// Serves NAT-PMP alone.
fn natpmp() -> PortMappingSpec {
    PortMappingSpec {
        nat_pmp: true,
        ..PortMappingSpec::off()
    }
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn natpmpc_maps_a_port_and_takes_it_back() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, natpmp())?;
        let told = home.natpmpc(0, &[])?;
        let address = format!("Public IP address : {}", home.external());
        assert!(told.contains(&address), "{told}");
        home.check_udp(4000, 6000, false)?;
        for (protocol, name) in [(NatProtocol::Udp, "udp"), (NatProtocol::Tcp, "tcp")] {
            let told = home.natpmpc(0, &["-a", "6000", "4000", name, "600"])?;
            let mapped = format!(
                "Mapped public port 6000 protocol {} to local port 4000",
                name.to_uppercase()
            );
            assert!(told.contains(&mapped), "{told}");
            let lease = home.leases()?.pop().expect("a mapping");
            check_lease(&lease, protocol, [4000, 6000], Duration::from_secs(600));
        }
        assert_eq!(home.leases()?.len(), 2);
        home.check_udp(4000, 6000, true)?;
        for name in ["udp", "tcp"] {
            home.natpmpc(0, &["-a", "6000", "4000", name, "0"])?;
        }
        assert_eq!(home.lease()?, None, "{engine}");
        home.check_udp(4000, 6000, false)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_taken_port_is_replaced_by_another_one() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, natpmp())?;
        home.natpmpc(1, &["-a", "6000", "4000", "udp", "600"])?;
        let told = home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
        assert!(told.contains("Mapped public port"), "{told}");
        let leases = home.leases()?;
        let [one, two] = &leases[..] else {
            panic!("two mappings: {leases:?}");
        };
        assert_eq!([*one.inside.ip(), *two.inside.ip()], HOSTS);
        assert_eq!(two.outside.port(), 6000, "who asks first has it");
        assert_ne!(one.outside.port(), 6000);
        home.check_udp(4000, one.outside.port(), true)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_lease_ends_by_itself() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, natpmp())?;
        home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
        let host = socket(home.host(), 4000);
        let stranger = socket(&home.lab[home.stranger], 0);
        let to = (home.external(), 6000);
        stranger.send_to(b"ping", to)?;
        host.recv_from(&mut [0; 10])?;
        // The same lease is to end soon. While the stranger comes in, nobody asks the lab for
        // leases: that would make the router look at their times.
        home.natpmpc(0, &["-a", "6000", "4000", "udp", "1"])?;
        home.lab.wait_until(|| {
            let sent = stranger.send_to(b"ping", to).is_ok();
            let stays_out = home.has_come(&stranger, &host).is_ok_and(|come| !come);
            sent && stays_out && matches!(home.lease(), Ok(None))
        })?;
        drop(host);
        home.check_udp(4000, 6000, false)?;
        // A client that asks again in time keeps the port.
        home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
        home.check_udp(4000, 6000, true)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn what_is_not_served_is_refused_by_its_code() -> TestResult {
    let home = Home::new(ENGINES[0], natpmp())?;
    // RFC 6886, section 3.5: 1 for the version, 5 for the operation.
    let pcp = home.ask(&[2, 1, 0, 0])?;
    assert_eq!(pcp[..4], [0, 129, 0, 1]);
    let operation = home.ask(&[0, 77])?;
    assert_eq!(operation[..4], [0, 205, 0, 5]);
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn nobody_in_front_of_the_router_is_served() -> TestResult {
    let behind_firewall = |engine| RouterSpec::home("router").nat(carried(engine));
    // nftables never lets in what nobody has asked for. This router takes it for its own.
    let open = RouterSpec::new("router").nat(NatSpec {
        unsolicited: Unsolicited::ToRouter,
        ..carried(NatEngine::Userspace)
    });
    let [nftables, userspace] = ENGINES.map(behind_firewall);
    for (router, is_open) in [(nftables, false), (userspace, false), (open, true)] {
        let home = Home::with_router(router.port_mapping(PortMappingSpec::all()))?;
        let stranger = socket(&home.lab[home.stranger], 0);
        stranger.send_to(
            &[0, 1, 0, 0, 15, 160, 23, 112, 0, 0, 2, 88],
            (home.external(), 5351),
        )?;
        // The router has heard the stranger before it hears the host.
        home.check_udp(4000, 6000, false)?;
        if is_open {
            // The stranger comes as far as the router itself: another port has heard it since.
            let beside = socket(&home.lab[home.router], 5352);
            stranger.send_to(b"let me in", (home.external(), 5352))?;
            beside.recv_from(&mut [0; 10])?;
        }
        home.ask(&[0, 0])?;
        assert_eq!(home.lease()?, None);
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_leased_port_stays_when_the_router_gets_another_address() -> TestResult {
    let home = Home::new(NatEngine::Userspace, natpmp())?;
    let ask = ["-a", "6000", "4000", "udp", "600"];
    home.natpmpc(0, &ask)?;
    let IpAddr::V4(own) = home.external() else {
        panic!("IPv4");
    };
    let [a, b, c, _] = own.octets();
    let other = Ipv4Addr::new(a, b, c, 77);
    home.lab.nat(home.router)?.rebind_address(other)?;
    // The host hears of the address, and renews.
    let told = home.natpmpc(0, &ask)?;
    let address = format!("Public IP address : {other}");
    assert!(told.contains(&address), "{told}");
    assert!(told.contains("Mapped public port 6000"), "{told}");
    let host = socket(home.host(), 4000);
    let stranger = socket(&home.lab[home.stranger], 0);
    stranger.send_to(b"hello", (other, 6000))?;
    let (length, _) = host.recv_from(&mut [0; 10])?;
    assert_eq!(length, 5);
    Ok(())
}
