//! Links that people know, as values to start from.
//!
//! Presets are like such links on an ordinary day, after published measurements and promises of
//! providers; not like the best or the worst of them. Where the two directions differ, a preset is
//! [`Asymmetric`]: `down` is towards the user, `up` away from the user. Queues are as such
//! equipment has them: some are far too large, which is worth a test.
//!
//! ```
//! use snowglobe_model::impair::{Impairment, Percent, preset};
//!
//! let bad_day = Impairment { loss: Percent(3.0), ..preset::wifi() };
//! let home = preset::dsl();
//! assert!(home.down.rate > home.up.rate);
//! # bad_day.validate()?;
//! # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
//! ```

use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use super::impairment::Impairment;
use super::jitter::Jitter;
use super::loss::GilbertElliott;
use super::percent::Percent;
use super::queue::QueueLimit;
use super::rate::Rate;

/// A link whose directions differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asymmetric {
    /// Direction towards the user: downloads.
    pub down: Impairment,
    /// Direction away from the user: uploads.
    pub up: Impairment,
}

/// Makes a link that is the same in both directions.
impl From<Impairment> for Asymmetric {
    fn from(both: Impairment) -> Self {
        Asymmetric {
            down: both.clone(),
            up: both,
        }
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn us(microseconds: u64) -> Duration {
    Duration::from_micros(microseconds)
}

/// Returns a home's wireless network, a room away from the access point: 3 ms and a tail, 60
/// Mbit/s, now and then a short burst of losses.
pub fn wifi() -> Impairment {
    Impairment {
        delay: ms(3),
        jitter: Jitter::pareto(ms(1)),
        loss_bursts: Some(GilbertElliott::of(Percent(0.2), 3.0)),
        rate: Some(Rate::mbit(60)),
        ..Impairment::NONE
    }
}

/// Returns a café's wireless network with everyone on it: slow, jittery, and 3 % lost, mostly in
/// bursts.
pub fn lossy_cafe() -> Impairment {
    Impairment {
        delay: ms(15),
        jitter: Jitter::pareto(ms(10)),
        loss: Percent(1.0),
        loss_bursts: Some(GilbertElliott::of(Percent(2.0), 5.0)),
        duplicate: Percent(0.1),
        rate: Some(Rate::mbit(6)),
        queue: QueueLimit::packets(200),
        ..Impairment::NONE
    }
}

/// Returns 4G in a town: 50 ms there and back, 40 Mbit/s down and 12 up.
///
/// The radio sends lost packets again, so losses become delays.
pub fn lte() -> Asymmetric {
    let down = Impairment {
        delay: ms(25),
        jitter: Jitter::normal(ms(4)),
        loss: Percent(0.05),
        rate: Some(Rate::mbit(40)),
        queue: QueueLimit::packets(1500),
        ..Impairment::NONE
    };
    let up = Impairment {
        jitter: Jitter::normal(ms(6)),
        rate: Some(Rate::mbit(12)),
        queue: QueueLimit::packets(500),
        ..down.clone()
    };
    Asymmetric { down, up }
}

/// Returns 5G below 6 GHz: 20 ms there and back, 300 Mbit/s down and 50 up.
pub fn nr_5g() -> Asymmetric {
    let down = Impairment {
        delay: ms(10),
        jitter: Jitter::normal(ms(2)),
        loss: Percent(0.02),
        rate: Some(Rate::mbit(300)),
        queue: QueueLimit::packets(3000),
        ..Impairment::NONE
    };
    let up = Impairment {
        jitter: Jitter::normal(ms(3)),
        rate: Some(Rate::mbit(50)),
        queue: QueueLimit::packets(1000),
        ..down.clone()
    };
    Asymmetric { down, up }
}

/// Returns VDSL at home: 20 ms there and back, 50 Mbit/s down and 10 up, and a queue of a fifth of
/// a second before each.
pub fn dsl() -> Asymmetric {
    let down = Impairment {
        delay: ms(10),
        jitter: Jitter::uniform(us(500)),
        loss: Percent(0.01),
        rate: Some(Rate::mbit(50)),
        queue: QueueLimit::packets(870),
        ..Impairment::NONE
    };
    let up = Impairment {
        rate: Some(Rate::mbit(10)),
        queue: QueueLimit::packets(175),
        ..down.clone()
    };
    Asymmetric { down, up }
}

/// Returns a geostationary satellite: 600 ms there and back, 50 Mbit/s down and 5 up.
pub fn satellite() -> Asymmetric {
    let down = Impairment {
        delay: ms(300),
        jitter: Jitter::normal(ms(5)),
        loss_bursts: Some(GilbertElliott::of(Percent(0.5), 4.0)),
        rate: Some(Rate::mbit(50)),
        queue: QueueLimit::packets(2500),
        ..Impairment::NONE
    };
    let up = Impairment {
        rate: Some(Rate::mbit(5)),
        queue: QueueLimit::packets(250),
        ..down.clone()
    };
    Asymmetric { down, up }
}

/// Returns satellites in a low orbit: 40 ms there and back with jitter, 150 Mbit/s down and 15 up,
/// short bursts of losses when the satellite changes.
pub fn low_orbit() -> Asymmetric {
    let down = Impairment {
        delay: ms(20),
        jitter: Jitter::normal(ms(5)),
        loss_bursts: Some(GilbertElliott::of(Percent(0.5), 6.0)),
        rate: Some(Rate::mbit(150)),
        queue: QueueLimit::packets(1500),
        ..Impairment::NONE
    };
    let up = Impairment {
        rate: Some(Rate::mbit(15)),
        queue: QueueLimit::packets(200),
        ..down.clone()
    };
    Asymmetric { down, up }
}

/// Returns a link between data centres on both sides of the Atlantic: 80 ms there and back, 1
/// Gbit/s, hardly a loss.
pub fn transatlantic() -> Impairment {
    Impairment {
        delay: ms(40),
        jitter: Jitter::normal(us(200)),
        loss: Percent(0.001),
        rate: Some(Rate::gbit(1)),
        queue: QueueLimit::packets(10_000),
        ..Impairment::NONE
    }
}

/// Returns a link within a data centre: 0.2 ms there and back, 10 Gbit/s, shallow buffers of a
/// megabyte.
pub fn datacentre() -> Impairment {
    Impairment {
        delay: us(100),
        rate: Some(Rate::gbit(10)),
        queue: QueueLimit::packets(660),
        ..Impairment::NONE
    }
}

/// Returns all presets by name, as a matrix of tests wants them.
///
/// ```
/// use snowglobe_model::impair::preset;
///
/// for (name, link) in preset::all() {
///     println!("{name}: {:?} down, {:?} up", link.down.rate, link.up.rate);
/// }
/// ```
pub fn all() -> [(&'static str, Asymmetric); 9] {
    [
        ("wifi", wifi().into()),
        ("lossy_cafe", lossy_cafe().into()),
        ("lte", lte()),
        ("nr_5g", nr_5g()),
        ("dsl", dsl()),
        ("satellite", satellite()),
        ("low_orbit", low_orbit()),
        ("transatlantic", transatlantic().into()),
        ("datacentre", datacentre().into()),
    ]
}

/// Returns the preset of this name, if there is one: for links that are described in text.
///
/// ```
/// use snowglobe_model::impair::preset;
///
/// assert_eq!(preset::named("dsl"), Some(preset::dsl()));
/// assert_eq!(preset::named("carrier_pigeon"), None);
/// ```
pub fn named(name: &str) -> Option<Asymmetric> {
    all()
        .into_iter()
        .find(|(known, _)| snowglobe_text::is_name(name, known))
        .map(|(_, link)| link)
}
