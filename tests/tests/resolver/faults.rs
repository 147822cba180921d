//! Answers that are late, wrong or missing, for as long as a guard lives.

use std::time::Instant;

use snowglobe::dns::{DnsFault, DnsOutcome, RecordKind};
use snowglobe::events::EventKind;
use snowglobe::fault::Fault;
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;

use crate::names::{look, pair};

const WWW: &str = "www.example.org";

fn outcomes(lab: &Lab) -> Vec<(DnsOutcome, bool)> {
    let asked = lab.dns().queries();
    lab.dns().forget_queries();
    asked.iter().map(|it| (it.outcome, it.tcp)).collect()
}

#[snowglobe::test]
fn a_server_that_fails_is_no_server_that_knows_no_such_name() -> TestResult {
    let (lab, _, client) = pair()?;
    for (fault, expected, text) in [
        (
            DnsFault::servfail(),
            DnsOutcome::Failed,
            "Temporary failure",
        ),
        (DnsFault::nxdomain(), DnsOutcome::NoName, "not known"),
    ] {
        assert!(look(&lab[client], WWW).is_ok());
        outcomes(&lab);
        let broken = lab.dns().inject(fault)?;
        let error = look(&lab[client], WWW).unwrap_err();
        // The words are those of glibc (gai_strerror(3)), in the C locale.
        assert!(error.to_string().contains(text), "{error}");
        let said = outcomes(&lab);
        assert!(said.iter().all(|(it, _)| *it == expected), "{said:?}");
        broken.heal()?;
        assert!(look(&lab[client], WWW).is_ok());
    }
    Ok(())
}

#[snowglobe::test]
fn a_fault_is_about_the_names_and_types_that_it_says() -> TestResult {
    let (lab, names, client) = pair()?;
    let gone = lab
        .dns()
        .inject(DnsFault::nxdomain().of_name("*.example.org"))?;
    assert!(look(&lab[client], WWW).is_err());
    assert!(look(&lab[client], "names")?.contains(&lab[names].ip()));
    drop(gone);
    let only_v4 = DnsFault::answer([""; 0]).of_kind(RecordKind::Aaaa);
    let no_v6 = lab.dns().inject(only_v4)?;
    assert!(look(&lab[client], WWW)?.iter().all(IpAddr::is_ipv4));
    drop(no_v6);
    assert!(look(&lab[client], WWW)?.iter().any(IpAddr::is_ipv6));
    Ok(())
}

#[snowglobe::test]
fn a_fault_of_a_name_of_the_lab_is_one_of_both_its_forms() -> TestResult {
    let (lab, _, client) = pair()?;
    // glibc asks for `names.lab` and then for `names` (resolv.conf(5), search), as musl does.
    for given in ["names", "names.lab", "*.lab"] {
        let gone = lab.dns().inject(DnsFault::nxdomain().of_name(given))?;
        for asked in ["names", "names.lab"] {
            assert!(look(&lab[client], asked).is_err(), "{asked} for {given}");
        }
        assert!(look(&lab[client], WWW).is_ok());
        gone.heal()?;
        assert!(look(&lab[client], "names").is_ok());
    }
    // With a dot at its end, the name is the one that is written.
    let _one = lab
        .dns()
        .inject(DnsFault::nxdomain().of_name("names.lab."))?;
    assert!(look(&lab[client], "names").is_ok());
    assert!(look(&lab[client], "names.lab").is_err());
    Ok(())
}

#[snowglobe::test]
fn answers_change_and_change_back() -> TestResult {
    let (lab, _, client) = pair()?;
    let before = look(&lab[client], WWW)?;
    let other = DnsFault::answer(["5 A 198.51.100.7", "AAAA 2001:db8::7"]).of_name(WWW);
    let moved = lab.dns().inject(other)?;
    let now = look(&lab[client], WWW)?;
    assert_eq!(
        now,
        ["198.51.100.7".parse::<IpAddr>()?, "2001:db8::7".parse()?]
    );
    moved.heal()?;
    assert_eq!(look(&lab[client], WWW)?, before);
    Ok(())
}

#[snowglobe::test]
fn a_late_answer_is_late_by_as_much_as_was_asked_for() -> TestResult {
    let (lab, _, client) = pair()?;
    let slow = Duration::from_millis(300);
    let _slow = lab.dns().inject(DnsFault::delay(slow))?;
    let started = Instant::now();
    assert!(look(&lab[client], WWW).is_ok());
    let took = started.elapsed();
    assert!(took >= slow, "{took:?}");
    // Below the second after which the client would ask again.
    assert!(!outcomes(&lab).is_empty());
    Ok(())
}

#[snowglobe::test]
fn a_client_asks_by_tcp_when_it_is_told_to() -> TestResult {
    let (lab, _, client) = pair()?;
    let before = look(&lab[client], WWW)?;
    outcomes(&lab);
    let _short = lab.dns().inject(DnsFault::truncate())?;
    assert_eq!(look(&lab[client], WWW)?, before);
    let said = outcomes(&lab);
    assert!(said.contains(&(DnsOutcome::Truncated, false)), "{said:?}");
    assert!(said.contains(&(DnsOutcome::Answered(1), true)), "{said:?}");
    Ok(())
}

#[snowglobe::test]
fn a_silent_server_is_asked_three_times() -> TestResult {
    let (lab, _, client) = pair()?;
    let _silent = lab.dns().inject(DnsFault::silence().of_name(WWW))?;
    let started = Instant::now();
    let error = look(&lab[client], WWW).unwrap_err();
    assert!(error.to_string().contains("Temporary failure"), "{error}");
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let said = outcomes(&lab);
    let of_a = said
        .iter()
        .filter(|it| **it == (DnsOutcome::Silence, false));
    assert!(of_a.count() >= 3, "{said:?}");
    Ok(())
}

#[snowglobe::test]
fn a_fault_of_a_name_server_is_a_value_and_an_event() -> TestResult {
    let (lab, _, client) = pair()?;
    let fault = Fault::dns("names", DnsFault::servfail().of_name(WWW));
    let guard = lab.inject(fault.clone())?;
    assert!(look(&lab[client], WWW).is_err());
    guard.heal()?;
    let events = lab.events().so_far();
    let began = events.iter().any(
        |it| matches!(&it.kind, EventKind::FaultBegan { fault: began, .. } if began == &fault),
    );
    let ended = events
        .iter()
        .any(|it| matches!(it.kind, EventKind::FaultEnded { .. }));
    assert!(began && ended, "{events:?}");

    let wrong = lab
        .inject(Fault::dns("client", DnsFault::silence()))
        .unwrap_err();
    assert!(wrong.to_string().contains("has no name server"), "{wrong}");
    let wrong = lab.dns().inject(DnsFault::answer(["A here"])).unwrap_err();
    assert_eq!(wrong.kind(), LabErrorKind::InvalidArgument);
    assert!(
        wrong.to_string().contains("`A here` has `here` where"),
        "{wrong}"
    );
    Ok(())
}
