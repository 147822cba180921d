//! An impossible link is refused, with the name of the link and the value.

use snowglobe::impair::Trace;
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::Engine;

use crate::{EARLY, MS, Pair, one_way};

fn wrong(spec: impl Into<LinkSpec>) -> String {
    match Pair::new(spec) {
        Ok(_) => panic!("it started"),
        // The error is returned without the place where it was found.
        Err(error) => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[snowglobe::test]
fn a_topology_with_values_that_cannot_be_does_not_start() {
    let loss = Impairment {
        loss: Percent(130.0),
        ..Impairment::NONE
    };
    assert_eq!(
        wrong(loss),
        "link `alice–bob`: loss of 130 % is not between 0 % and 100 %"
    );
    let rate = Impairment {
        rate: Some(Rate::bit(0)),
        ..Impairment::NONE
    };
    assert!(wrong(rate).starts_with("link `alice–bob`: rate of 0 bit/s: nothing would ever pass"));
    let negative = Topology::from_toml(
        "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n[[link]]\nends = [\"a\", \"b\"]\nimpair.delay = \"-5ms\"",
    );
    let negative = negative.unwrap_err().to_string();
    assert!(negative.starts_with("line 7, column "), "{negative}");
    assert!(negative.contains("-5ms"), "{negative}");
    let trace = Trace::parse("this is not a trace").unwrap_err().to_string();
    assert!(trace.starts_with("line 1: "), "{trace}");
}

#[snowglobe::test]
fn a_link_that_runs_stays_as_it_was() -> TestResult {
    let pair = Pair::new(Impairment::delayed(20 * MS))?;
    let lossy = Impairment {
        loss: Percent(-1.0),
        ..Impairment::NONE
    };
    let error = pair.link().impair(lossy.clone()).unwrap_err().to_string();
    assert_eq!(
        error,
        "link `alice–bob`, a→b: loss of -1 % is not between 0 % and 100 %"
    );
    let error = pair.link().impair_one_way(Direction::BToA, &lossy);
    assert!(error.unwrap_err().to_string().contains("`alice–bob`, b→a"));
    pair.link().degrade(lossy).map(drop).unwrap_err();
    assert_eq!(pair.link().impairment(Direction::BToA).delay, 20 * MS);
    let [a, b] = pair.sockets()?;
    assert!(one_way(&a, &b, 5)? >= 20 * MS - EARLY);
    Ok(())
}

#[snowglobe::test]
fn an_engine_that_cannot_be_is_named() -> TestResult {
    let every_third = Impairment {
        lose_every: Some(3),
        ..Impairment::NONE
    };
    let error = wrong(LinkSpec::from(every_third).engine(Engine::Netem));
    assert!(
        error.starts_with("link `alice–bob`, a→b, cannot be carried by netem: "),
        "{error}"
    );
    let huge = LinkSpec::new().mtu(65_535).engine(Engine::Tap);
    let error = wrong(huge);
    assert!(
        error.starts_with("link `alice–bob` cannot be carried over TAP devices: "),
        "{error}"
    );
    Ok(())
}

#[snowglobe::test]
fn who_leaves_the_choice_gets_netem_where_there_is_one_that_can_do_it() -> TestResult {
    let slow = LinkSpec::from(Impairment::delayed(5 * MS));
    let forced = Pair::new(slow.clone().engine(Engine::Netem));
    let free = Pair::new(slow)?;
    assert_eq!(free.link().carrier() == Carrier::Netem, forced.is_ok());
    if let Err(error) = forced {
        let error = error.to_string();
        assert!(
            error.starts_with("link `alice–bob` cannot be carried by netem: this kernel has none"),
            "{error}"
        );
    }
    let cannot = Pair::new(Impairment {
        mtu: Some(1400),
        ..Impairment::NONE
    })?;
    assert!(![Carrier::Netem, Carrier::Veth].contains(&cannot.link().carrier()));
    Ok(())
}
