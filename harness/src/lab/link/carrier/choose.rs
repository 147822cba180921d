//! Who carries a link: what was asked for, what this machine has, and what netem can do.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use crate::impair::{Direction, Impairment};
use crate::kernel::frames::TapDevice;
use crate::kernel::netlink::Device;
use crate::lab::error::{LabError, Result};
use crate::lab::link::ends::Line;
use crate::lab::shared::Shared;
use crate::model::carrier::Carrier;
use crate::netem::{self, NetemDevice};
use crate::topology::Engine;

/// What an interface can have at most, over which packets go to a TAP device.
const LARGEST_TAP: u32 = 65_521;

/// Who is to carry a link.
pub(crate) fn choose(
    line: &Line,
    shared: &Shared,
    engine: Engine,
    impairments: &[Impairment; 2],
) -> Result<Carrier> {
    let taps = line.cable.mtu <= LARGEST_TAP && TapDevice::is_available();
    let name = &line.cable.name;
    match engine {
        Engine::Netem => {
            netem_can(line, impairments)?;
            match has_netem(shared)? {
                true => Ok(Carrier::Netem),
                false => Err(LabError::other(format!(
                    "link `{name}` cannot be carried by netem: this kernel has none (modules sch_netem and sch_tbf); take `Engine::Auto` or `Engine::Wire`"
                ))),
            }
        }
        Engine::Auto
            if impairments
                .iter()
                .all(|it| netem::find_unsupported(it, line.cable.mtu).is_none())
                && has_netem(shared)? =>
        {
            Ok(Carrier::Netem)
        }
        Engine::Tap if !taps => Err(LabError::other(format!(
            "link `{name}` cannot be carried over TAP devices: /dev/net/tun cannot be opened here, or its MTU is above {LARGEST_TAP}; take `Engine::Wire`"
        ))),
        Engine::PacketSocket => Ok(Carrier::PacketSocket),
        _ if taps => Ok(Carrier::Tap),
        _ => Ok(Carrier::PacketSocket),
    }
}

/// Whether netem can do that; an error that names what it cannot.
pub(crate) fn netem_can(line: &Line, impairments: &[Impairment; 2]) -> Result<()> {
    for (direction, impairment) in Direction::BOTH.into_iter().zip(impairments) {
        if let Some(why) = netem::find_unsupported(impairment, line.cable.mtu) {
            return Err(LabError::other(format!(
                "link `{}`, {direction}, cannot be carried by netem: {why}; take `Engine::Auto` or `Engine::Wire`",
                line.cable.name
            )));
        }
    }
    Ok(())
}

/// Whether this kernel has netem: tried once, on an interface that nobody uses.
fn has_netem(shared: &Shared) -> Result<bool> {
    static HAS: OnceLock<bool> = OnceLock::new();
    if let Some(has) = HAS.get() {
        return Ok(*has);
    }
    let backstage = shared.backstage()?;
    let attempt = NetemDevice::apply(backstage.as_fd(), Device::LOOPBACK, &Impairment::NONE, 0);
    Ok(*HAS.get_or_init(|| attempt.is_ok()))
}
