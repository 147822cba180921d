//! Port mapping that is switched off and on while the lab runs, and written in TOML.

use snowglobe::prelude::*;
use snowglobe::topology::PortMappingSpec;
use snowglobe::topology::nat::{NatEngine, NatSpec, PortAssignment, preset};

use crate::world::{ENGINES, Home, ROUTER, carried, socket};

#[snowglobe::test(fixtures("portmap-clients"), timeout = "3m")]
fn it_is_switched_off_and_on_while_the_lab_runs() -> TestResult {
    for engine in ENGINES {
        let mut home = Home::new(engine, PortMappingSpec::off())?;
        let map = ["-a", "6000", "4000", "udp", "600"];
        let asker = socket(home.host(), 0);
        // Nobody is at the port of the router.
        asker.connect((ROUTER, 5351))?;
        asker.send(&[0, 0])?;
        let error = asker.recv(&mut [0; 20]).expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        let (id, all) = (home.router, PortMappingSpec::all());
        home.lab
            .change_router(id, |router| router.port_mapping(all))?;
        home.natpmpc(0, &map)?;
        home.check_udp(4000, 6000, true)?;
        // Without UPnP, what NAT-PMP has given goes on.
        let fewer = PortMappingSpec { upnp: false, ..all };
        home.lab
            .change_router(id, |router| router.port_mapping(fewer))?;
        assert!(home.lease()?.is_some());
        let told = home.run(0, "upnpc", &["-s"])?;
        assert!(told.contains("No IGD UPnP Device found"), "{told}");
        home.check_udp(4000, 6000, true)?;
        // Switched off, the router takes back what it gave.
        home.lab
            .change_router(id, |router| router.port_mapping(PortMappingSpec::off()))?;
        assert_eq!(home.lease()?, None);
        home.check_udp(4000, 6000, false)?;
        asker.send(&[0, 0])?;
        assert!(asker.recv(&mut [0; 20]).is_err());
        home.lab
            .change_router(id, |router| router.port_mapping(all))?;
        home.natpmpc(0, &map)?;
        home.check_udp(4000, 6000, true)?;
        // With another NAT, the router has forgotten what it gave, and gives again.
        let other = match engine {
            NatEngine::Nftables => NatSpec {
                ports: PortAssignment::Random,
                ..carried(engine)
            },
            NatEngine::Userspace | NatEngine::Auto => preset::full_cone(),
        };
        home.lab.change_router(id, |router| router.nat(other))?;
        assert_eq!(home.lease()?, None);
        home.natpmpc(0, &map)?;
        home.check_udp(4000, 6000, true)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("portmap-clients"))]
fn a_router_that_starts_again_gives_ports_and_has_none_given() -> TestResult {
    for engine in ENGINES {
        for crash in [false, true] {
            let home = Home::new(engine, PortMappingSpec::all())?;
            let router = &home.lab[home.router];
            home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
            if crash {
                router.crash()?;
            }
            router.restart()?;
            assert_eq!(home.lease()?, None);
            home.natpmpc(0, &["-a", "6000", "4000", "udp", "600"])?;
            home.check_udp(4000, 6000, true)?;
        }
    }
    Ok(())
}

#[snowglobe::test]
fn it_is_written_in_toml() -> TestResult {
    let text = r#"
        [[router]]
        name = "internet"
        kind = "internet"
        [[router]]
        name = "home"
        kind = "home"
        port_mapping = { upnp = false, longest = "1h" }
        [[link]]
        ends = ["home", "internet"]
        uplink = true
    "#;
    let topology = Topology::from_toml(text)?;
    let home = topology.find("home").expect("a router");
    let served = PortMappingSpec {
        upnp: false,
        longest: Duration::from_secs(3600),
        ..PortMappingSpec::all()
    };
    let spec = RouterSpec::home("home").port_mapping(served);
    assert_eq!(topology[home], NodeSpec::from(spec));
    assert_eq!(Topology::from_toml(&topology.to_toml()?)?, topology);
    let wrong = text.replace("1h", "0s");
    let error = Topology::from_toml(&wrong).expect_err("no time");
    assert!(error.to_string().contains("leases of 1s to 0ns"), "{error}");
    let wrong = text.replace("kind = \"home\"", "");
    let error = Topology::from_toml(&wrong).expect_err("no NAT");
    assert!(
        error.to_string().contains("translates no addresses"),
        "{error}"
    );
    Ok(())
}
