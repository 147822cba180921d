//! A name server lives and dies with its node.

use simple_dns::TYPE;
use snowglobe::prelude::*;

use crate::names::{look, pair};
use crate::query::{ask, message};

/// Time in which an answer comes that comes at all.
const SOON: Duration = Duration::from_secs(20);
/// Time for which an answer is waited that does not come.
const NEVER: Duration = Duration::from_millis(200);

#[snowglobe::test]
fn a_killed_server_refuses_and_a_restarted_one_answers() -> TestResult {
    let (lab, names, client) = pair()?;
    let (server, question) = (lab[names].ip(), message("client", TYPE::A));
    assert!(ask(&lab[client], server, &question, SOON)?.is_some());
    lab[names].kill_processes()?;
    let refused = ask(&lab[client], server, &question, SOON).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    lab[names].restart()?;
    assert!(ask(&lab[client], server, &question, SOON)?.is_some());
    Ok(())
}

#[snowglobe::test]
fn a_server_without_power_is_silent_until_it_is_started_again() -> TestResult {
    let (lab, names, client) = pair()?;
    let (server, question) = (lab[names].ip(), message("client", TYPE::A));
    lab[names].crash()?;
    assert_eq!(ask(&lab[client], server, &question, NEVER)?, None);
    lab[names].restart()?;
    assert!(ask(&lab[client], server, &question, SOON)?.is_some());
    assert!(look(&lab[client], "names").is_ok());
    Ok(())
}

#[snowglobe::test]
fn a_paused_server_answers_when_it_goes_on() -> TestResult {
    let (lab, names, client) = pair()?;
    let (server, question) = (lab[names].ip(), message("client", TYPE::A));
    lab[names].pause()?;
    assert_eq!(ask(&lab[client], server, &question, NEVER)?, None);
    lab[names].resume()?;
    assert!(ask(&lab[client], server, &question, SOON)?.is_some());
    // A lab with a paused server ends as any other.
    lab[names].pause()?;
    drop(lab);
    Ok(())
}

#[snowglobe::test]
fn two_servers_of_a_lab_stand_in_for_each_other() -> TestResult {
    use snowglobe::dns::DnsSpec;
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let servers = ["ns1", "ns2"].map(|name| {
        let node = topology.node(NodeSpec::new(name).dns(DnsSpec::new()));
        topology.plug(node, lan);
        node
    });
    let client = topology.node("client");
    topology.plug(client, lan);
    let lab = topology.start()?;
    lab[servers[0]].kill_processes()?;
    assert!(look(&lab[client], "ns2").is_ok());
    let second = lab[servers[1]].dns().ok_or("a name server")?;
    assert!(!second.queries().is_empty());
    Ok(())
}
