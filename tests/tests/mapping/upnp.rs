//! UPnP, with `upnpc` of MiniUPnP.

use snowglobe::prelude::*;
use snowglobe::topology::PortMappingSpec;
use snowglobe::topology::nat::NatProtocol;

use crate::world::{ENGINES, HOSTS, Home, check_lease};

/// Serves UPnP alone.
fn upnp() -> PortMappingSpec {
    PortMappingSpec {
        upnp: true,
        ..PortMappingSpec::off()
    }
}

#[snowglobe::test(fixtures("portmap-clients"), timeout = "3m")]
fn upnpc_finds_the_router_and_maps_a_port() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, upnp())?;
        let told = home.run(0, "upnpc", &["-s"])?;
        assert!(told.contains("InternetGatewayDevice"), "{told}");
        let address = format!("ExternalIPAddress = {}", home.external());
        assert!(told.contains(&address), "{told}");
        assert!(told.contains("Status : Connected"), "{told}");
        let host = HOSTS[0].to_string();
        let add = ["-e", "a game", "-a", &host, "4000", "6000", "UDP", "600"];
        let told = home.upnpc(0, &add)?;
        let redirected = format!(
            "external {}:6000 UDP is redirected to internal {host}:4000",
            home.external()
        );
        assert!(told.contains(&redirected), "{told}");
        let lease = home.lease()?.expect("a mapping");
        check_lease(
            &lease,
            NatProtocol::Udp,
            [4000, 6000],
            Duration::from_secs(600),
        );
        home.check_udp(4000, 6000, true)?;
        let told = home.upnpc(0, &["-l"])?;
        assert!(told.contains(&format!("UDP  6000->{host}:4000")), "{told}");
        assert!(told.contains("a game"), "{told}");
        let told = home.upnpc(0, &["-d", "6000", "UDP"])?;
        assert!(
            told.contains("UPNP_DeletePortMapping() returned : 0"),
            "{told}"
        );
        assert_eq!(home.lease()?, None);
        home.check_udp(4000, 6000, false)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"), timeout = "3m")]
fn a_lease_without_end_lasts_until_the_router_forgets() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, upnp())?;
        home.upnpc(0, &["-r", "4000", "6000", "UDP"])?;
        let lease = home.lease()?.expect("a mapping");
        assert_eq!(lease.outside.port(), 6000);
        home.check_udp(4000, 6000, true)?;
        home.lab.nat(home.router)?.flush()?;
        assert_eq!(home.lease()?, None);
        let told = home.upnpc(0, &["-l"])?;
        assert!(!told.contains("6000->"), "{told}");
        home.check_udp(4000, 6000, false)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"), timeout = "3m")]
fn what_upnp_refuses_has_its_code() -> TestResult {
    for engine in ENGINES {
        let home = Home::new(engine, upnp())?;
        let [one, two] = HOSTS.map(|host| host.to_string());
        home.upnpc(1, &["-a", &two, "4000", "6000", "UDP", "600"])?;
        // The port belongs to another host: 718.
        let told = home.upnpc(0, &["-a", &one, "4000", "6000", "UDP", "600"])?;
        assert!(told.contains("failed with code 718"), "{told}");
        // A port for another host: 606. A mapping that is not there: 714.
        let told = home.upnpc(0, &["-a", &two, "4000", "6001", "UDP", "600"])?;
        assert!(told.contains("failed with code 606"), "{told}");
        let told = home.upnpc(0, &["-d", "6001", "UDP"])?;
        assert!(told.contains("714"), "{told}");
        let told = home.upnpc(0, &["-d", "6000", "UDP"])?;
        assert!(told.contains("606"), "{told}");
        // Any port: the next one that is free.
        let told = home.upnpc(0, &["-n", &one, "4000", "6000", "UDP", "600"])?;
        assert!(told.contains("is redirected to"), "{told}");
        let leases = home.leases()?;
        let mine = leases.iter().find(|it| *it.inside.ip() == HOSTS[0]);
        let mine = mine.expect("a mapping");
        assert_ne!(mine.outside.port(), 6000);
        home.check_udp(4000, mine.outside.port(), true)?;
    }
    Ok(())
}
