//! Chooses the carrier of a link: what was asked for, what this machine has, and what netem can do.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use crate::impair::{Direction, Impairment};
use crate::kernel::frames::TapDevice;
use crate::kernel::netlink::Device;
use crate::kernel::nft::FilterConversation;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::shortcut::is_idle;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::WireNamespace;
use crate::lab::unfit::UnfitLink;
use crate::model::carrier::Carrier;
use crate::netem::{NetemDevice, find_unsupported};
use crate::topology::Engine;

/// The largest MTU of a TAP device, in bytes: 65,535 less the Ethernet header (drivers/net/tun.c).
const LARGEST_TAP: u32 = 65_521;

/// Returns the carrier for an engine and impairments, or the error that there is none.
pub(crate) fn choose(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    engine: Engine,
    impairments: &[Impairment; 2],
) -> Result<Carrier> {
    let taps = ends.cable().mtu <= LARGEST_TAP && TapDevice::is_available();
    // TAP devices are preferred: 29 Gbit/s instead of 24 for one TCP stream (measured for this
    // project, 2026-08).
    let wire = if taps {
        Carrier::Tap
    } else {
        Carrier::PacketSocket
    };
    match engine {
        Engine::Netem => {
            // The values are checked first: what netem can never do is a better answer than what
            // this kernel lacks.
            check_netem(ends, impairments)?;
            if has_netem(namespace)? {
                Ok(Carrier::Netem)
            } else {
                Err(LabError::unfit(ends.subject(), UnfitLink::NoNetem))
            }
        }
        Engine::Auto => {
            let mtu = ends.cable().mtu;
            // `Auto` prefers netem: the kernel carries packets without waking threads of the test.
            let fit = |impairment| find_unsupported(impairment, mtu).is_none();
            if impairments.iter().all(fit) && has_netem(namespace)? {
                Ok(Carrier::Netem)
            } else {
                Ok(wire)
            }
        }
        // Not over TAP: the kernel cannot carry frames from one to the other, for they are in two
        // namespaces.
        Engine::Wire if taps && is_idle(ends, impairments) && can_carry(namespace)? => {
            Ok(Carrier::PacketSocket)
        }
        Engine::Wire => Ok(wire),
        Engine::Tap if taps => Ok(Carrier::Tap),
        Engine::Tap => {
            let largest = LARGEST_TAP;
            Err(LabError::unfit(
                ends.subject(),
                UnfitLink::NoTap { largest },
            ))
        }
        Engine::PacketSocket => Ok(Carrier::PacketSocket),
    }
}

/// Checks that netem can do what is asked; the error names the value that it cannot do.
pub(crate) fn check_netem(ends: &LinkEnds, impairments: &[Impairment; 2]) -> Result<()> {
    for (direction, impairment) in Direction::BOTH.into_iter().zip(impairments) {
        if let Some(unsupported) = find_unsupported(impairment, ends.cable().mtu) {
            let reason = UnfitLink::BeyondNetem(unsupported);
            return Err(LabError::unfit_in(ends.subject(), direction, reason));
        }
    }
    Ok(())
}

/// Returns whether this kernel can carry the frames of a wire that has nothing to do.
fn can_carry(namespace: &WireNamespace) -> Result<bool> {
    static CAN: OnceLock<bool> = OnceLock::new();
    if let Some(can) = CAN.get() {
        return Ok(*can);
    }
    let namespace = namespace.get()?;
    let can = FilterConversation::default().can_carry(namespace.as_fd());
    Ok(*CAN.get_or_init(|| can))
}

/// Returns whether this kernel has netem. The first call tries it on an interface that nobody uses.
fn has_netem(namespace: &WireNamespace) -> Result<bool> {
    // netem is tried once for the whole process: the attempt costs a namespace and a queueing
    // discipline.
    static HAS: OnceLock<bool> = OnceLock::new();
    if let Some(has) = HAS.get() {
        return Ok(*has);
    }
    let namespace = namespace.get()?;
    let attempt = NetemDevice::apply(namespace.as_fd(), Device::LOOPBACK, &Impairment::NONE, 0);
    Ok(*HAS.get_or_init(|| attempt.is_ok()))
}
