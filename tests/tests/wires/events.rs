//! Faults as values, and what happens in a lab as one stream of events.

use snowglobe::events::{Event, EventKind, ExitKind, Stream};
use snowglobe::fault::Fault;
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;

use crate::{MS, Pair};

/// The sentences of events, without the time.
fn sentences(events: &[std::sync::Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

#[snowglobe::test]
fn a_link_that_changes_its_carrier_is_an_event() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let mut events = pair.lab.events();
    pair.link().impair(Impairment::delayed(MS))?;
    let changed = events.wait_for("another carrier", |event| {
        matches!(event.kind, EventKind::CarrierChanged { .. })
    })?;
    let EventKind::CarrierChanged { link, from, to } = &changed.kind else {
        unreachable!("the wait was for this kind");
    };
    assert_eq!(link, pair.link().name());
    assert_eq!(*from, Some(Carrier::Veth));
    assert_eq!(*to, pair.link().carrier());
    assert_ne!(*to, Carrier::Veth);
    Ok(())
}

#[snowglobe::test]
fn a_link_that_starts_with_an_impairment_has_its_carrier_as_the_first_event() -> TestResult {
    let pair = Pair::new(Impairment::delayed(MS))?;
    let events = pair.lab.events().so_far();
    let carrier = pair.link().carrier();
    let first = EventKind::CarrierChanged {
        link: pair.link().name().to_owned(),
        from: None,
        to: carrier,
    };
    assert_eq!(events[0].kind, first);
    Ok(())
}

#[snowglobe::test]
fn a_program_starts_speaks_and_dies_in_the_stream() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let mut events = pair.lab.events();
    let script = "echo to stdout; echo to stderr >&2; exit 3";
    let mut shell = pair.lab[pair.bob]
        .command("sh")
        .args(["-c", script])
        .spawn()?;
    // Nobody waits for the program here: the stream tells its death by itself.
    let died = events.wait_for("the end of the shell", |event| {
        matches!(event.kind, EventKind::ProcessDied { .. })
    })?;
    let EventKind::ProcessDied { process, exit } = &died.kind else {
        unreachable!("the wait was for this kind");
    };
    assert_eq!(
        (process.node.as_str(), process.program.as_str()),
        ("bob", "sh")
    );
    assert_eq!(process.pid, shell.id());
    assert_eq!(*exit, ExitKind::Code(3));
    assert_eq!(shell.wait()?.code(), Some(3));
    let all = pair.lab.events().so_far();
    let of_the_shell = all.iter().filter_map(|event| match &event.kind {
        EventKind::ProcessStarted { process } => Some((process.pid, "started".to_owned())),
        EventKind::ProcessSaid {
            process,
            stream,
            line,
        } => {
            let stream = if *stream == Stream::Stdout {
                "out"
            } else {
                "err"
            };
            Some((process.pid, format!("{stream}: {line}")))
        }
        EventKind::ProcessDied { process, .. } => Some((process.pid, "died".to_owned())),
        _ => None,
    });
    let mut told: Vec<String> = of_the_shell.map(|(_, what)| what).collect();
    assert_eq!(told.first().map(String::as_str), Some("started"));
    assert_eq!(told.last().map(String::as_str), Some("died"));
    // The two streams are two pipes, whose order among each other nobody knows.
    told[1..3].sort();
    assert_eq!(
        told,
        ["started", "err: to stderr", "out: to stdout", "died"]
    );
    Ok(())
}

#[snowglobe::test]
fn a_packet_on_which_a_rule_decides_is_an_event() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let _rule = pair.link().rule(udp().port(5000).nth(1), Verdict::Drop)?;
    let mut events = pair.lab.events();
    let [a, _b] = pair.sockets()?;
    a.send(b"lost")?;
    let ruled = events.wait_for("a ruling", |event| {
        matches!(event.kind, EventKind::PacketRuled { .. })
    })?;
    let EventKind::PacketRuled {
        link,
        direction,
        verdict,
        rule,
    } = &ruled.kind
    else {
        unreachable!("the wait was for this kind");
    };
    assert_eq!(&**link, pair.link().name());
    assert_eq!((*direction, *verdict), (Direction::AToB, Verdict::Drop));
    assert_eq!(&**rule, "drop by rule: udp, port 5000, number 1");
    Ok(())
}

#[snowglobe::test]
fn a_note_of_the_test_is_an_event_between_the_others() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let cut = pair.link().cut()?;
    snowglobe::note("the leader is alone now");
    cut.heal()?;
    let told = sentences(&pair.lab.events().so_far());
    let link = pair.link().name();
    assert_eq!(
        told,
        [
            format!("fault 1 began: cut of link `{link}`"),
            "the leader is alone now".to_owned(),
            format!("fault 1 ended: cut of link `{link}`"),
        ]
    );
    Ok(())
}

#[snowglobe::test]
fn a_fault_from_a_text_does_what_the_method_does() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let [a, b] = pair.sockets()?;
    let text = format!(
        r#"{{ "fault": "cut", "link": "{}", "direction": "a-to-b" }}"#,
        pair.link().name()
    );
    let fault: Fault = serde_json::from_str(&text)?;
    let injected = pair.lab.inject(fault.clone())?;
    assert_eq!(*injected.fault(), fault);
    b.set_read_timeout(Some(100 * MS))?;
    a.send(b"lost")?;
    assert!(b.recv(&mut [0; 8]).is_err(), "the direction is cut");
    injected.heal()?;
    b.set_read_timeout(Some(Duration::from_secs(20)))?;
    a.send(b"heard")?;
    let mut heard = [0; 8];
    let length = b.recv(&mut heard)?;
    assert_eq!(&heard[..length], b"heard");
    Ok(())
}

#[snowglobe::test]
fn every_kind_of_fault_begins_and_ends_in_the_stream() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let (alice, bob, link) = (pair.alice, pair.bob, pair.link);
    let faults = [
        Fault::cut(link),
        Fault::cut_one_way(link, Direction::BToA),
        Fault::flap(link, 20 * MS),
        Fault::degrade(link, Impairment::delayed(MS)),
        Fault::partition([alice], [bob]),
        Fault::partition_one_way([bob], [alice]),
        Fault::pause(alice),
        Fault::crash("bob"),
    ];
    for fault in &faults {
        pair.lab.inject(fault.clone())?.heal()?;
    }
    let events = pair.lab.events().so_far();
    let began: Vec<u64> = numbers(&events, |kind| match kind {
        EventKind::FaultBegan { id, .. } => Some(id.number()),
        _ => None,
    });
    let ended: Vec<u64> = numbers(&events, |kind| match kind {
        EventKind::FaultEnded {
            id, error: None, ..
        } => Some(id.number()),
        _ => None,
    });
    let expected: Vec<u64> = (1..=faults.len() as u64).collect();
    assert_eq!(began, expected, "{:#?}", sentences(&events));
    assert_eq!(ended, expected, "{:#?}", sentences(&events));
    // Events name links and nodes, also where the fault was given ids.
    let told = sentences(&events).join("\n");
    assert!(told.contains("pause of node `alice`"), "{told}");
    assert!(told.contains("partition of `alice` from `bob`"), "{told}");
    assert!(pair.lab[bob].is_running(), "a heal of a crash is a restart");
    Ok(())
}

fn numbers(events: &[std::sync::Arc<Event>], pick: impl Fn(&EventKind) -> Option<u64>) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| pick(&event.kind))
        .collect()
}

#[snowglobe::test]
fn a_fault_that_names_nobody_is_refused_and_leaves_nothing() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let nobody = pair
        .lab
        .inject(Fault::crash("carol"))
        .unwrap_err()
        .to_string();
    assert_eq!(nobody, "the lab has no node `carol`; it has `alice`, `bob`");
    let nowhere = pair
        .lab
        .inject(Fault::cut("alice–carol"))
        .unwrap_err()
        .to_string();
    let link = pair.link().name();
    assert_eq!(
        nowhere,
        format!("the lab has no link `alice–carol`; it has `{link}`")
    );
    assert!(pair.lab.events().so_far().is_empty());
    Ok(())
}
