//! What is between the ends of a link while the lab runs: who carries its packets, what is done to them, and whether it is cut.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::events::EventKind;
use crate::impair::{Direction, Impairment};
use crate::kernel::netlink::{Batch, Netlink};
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::attach as lay;
use crate::lab::link::carrier::choose;
use crate::lab::link::cuts::Cuts;
use crate::lab::link::ends::{Line, Plug};
use crate::lab::shared::Shared;
use crate::lab::stack::listeners::{Ear, Ears};
use crate::model::carrier::Carrier;
use crate::model::packet::Listener;
use crate::model::rules::RuleBook;
use crate::model::side::Side;
use crate::netem::{self, NetemDevice};
use crate::topology::Engine;
use crate::topology::plan;
use crate::wire::{Lateness, WireHandle};

/// What a carrier needs to live.
pub(crate) enum Carried {
    Veth,
    Netem {
        /// By direction.
        egress: Box<[NetemDevice; 2]>,
        backstage: Arc<OwnedFd>,
    },
    Wire {
        wire: WireHandle,
        /// Where the packet sockets are, if it has those.
        backstage: Option<Arc<OwnedFd>>,
    },
    Nobody,
}

impl Carried {
    pub(crate) fn carrier(&self) -> Carrier {
        match self {
            Carried::Veth => Carrier::Veth,
            Carried::Netem { .. } => Carrier::Netem,
            Carried::Wire {
                backstage: None, ..
            } => Carrier::Tap,
            Carried::Wire { .. } => Carrier::PacketSocket,
            Carried::Nobody => Carrier::Nobody,
        }
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.carrier().fmt(f)
    }
}

/// The state of a link: what was asked of it, and what does that.
#[derive(Debug)]
pub(crate) struct Middle {
    pub(crate) line: Line,
    shared: Arc<Shared>,
    pub(crate) carried: Carried,
    pub(crate) down: bool,
    engine: Engine,
    /// By direction, without what degrades it for a while.
    asked: [Impairment; 2],
    /// What degrades it, each with its number.
    worse: Vec<(u64, Impairment)>,
    pub(crate) cuts: Cuts,
    pub(crate) ears: Ears,
}

impl Middle {
    pub(crate) fn new(line: Line, carried: Carried, shared: &Arc<Shared>) -> Middle {
        let emulation = line.cable.emulation.as_deref().cloned();
        let plan::Emulation {
            impairments,
            engine,
        } = emulation.unwrap_or(plan::Emulation {
            impairments: Default::default(),
            engine: Engine::Auto,
        });
        Middle {
            line,
            shared: Arc::clone(shared),
            carried,
            down: false,
            engine,
            asked: impairments,
            worse: Vec::new(),
            cuts: Cuts::default(),
            ears: Ears::default(),
        }
    }

    pub(crate) fn wire(&self) -> Option<&WireHandle> {
        match &self.carried {
            Carried::Wire { wire, .. } => Some(wire),
            _ => None,
        }
    }

    /// The userspace wire, which takes the place of whatever carries the link, if another carrier may be taken.
    pub(crate) fn need_wire(&mut self, what_for: &str) -> Result<&WireHandle> {
        match self.carried {
            Carried::Wire { .. } => {}
            Carried::Nobody => return Err(self.removed()),
            _ if self.engine == Engine::Netem => {
                return Err(LabError::other(format!(
                    "link `{}` was asked to be carried by netem, which knows no {what_for}; take `Engine::Auto` or `Engine::Wire`",
                    self.line.cable.name
                )));
            }
            _ => self.exchange(Engine::Wire)?,
        }
        self.wire().ok_or_else(|| self.removed())
    }

    pub(crate) fn patience(&self) -> std::time::Duration {
        self.shared.patience()
    }

    pub(crate) fn removed(&self) -> LabError {
        LabError::other(format!("link `{}` was removed", self.line.cable.name))
    }

    /// What is asked of a direction, with all that degrades it.
    pub(crate) fn wanted(&self, direction: Direction) -> Impairment {
        let asked = self.asked[direction.index()].clone();
        let worse = self.worse.iter().map(|(_, worse)| worse);
        worse.fold(asked, |so_far, worse| so_far.worsened_by(worse))
    }

    /// Asks for other impairments, and returns when they are in force. After an error it is as before.
    pub(crate) fn ask(&mut self, asked: [Impairment; 2]) -> Result<()> {
        let before = std::mem::replace(&mut self.asked, asked);
        let done = self.enforce();
        if done.is_err() {
            self.asked = before;
            let _ = self.enforce();
        }
        done
    }

    pub(crate) fn asked(&self) -> &[Impairment; 2] {
        &self.asked
    }

    pub(crate) fn degrade(&mut self, number: u64, worse: Impairment) -> Result<()> {
        self.worse.push((number, worse));
        let done = self.enforce();
        if done.is_err() {
            let _ = self.recover(number);
        }
        done
    }

    pub(crate) fn recover(&mut self, number: u64) -> Result<()> {
        self.worse.retain(|(other, _)| *other != number);
        self.enforce()
    }

    /// Makes true what is wanted.
    fn enforce(&mut self) -> Result<()> {
        let wanted = Direction::BOTH.map(|direction| self.wanted(direction));
        for (direction, wanted) in Direction::BOTH.into_iter().zip(&wanted) {
            wanted.validate().map_err(|wrong| {
                LabError::other(format!(
                    "link `{}`, {direction}: {wrong}",
                    self.line.cable.name
                ))
            })?;
        }
        match &mut self.carried {
            Carried::Nobody => Err(self.removed()),
            Carried::Veth if wanted.iter().all(Impairment::is_none) => Ok(()),
            Carried::Veth => self.exchange(self.engine),
            Carried::Wire { wire, .. } => {
                for (direction, wanted) in Direction::BOTH.into_iter().zip(&wanted) {
                    wire.change(direction, wanted);
                }
                Ok(())
            }
            Carried::Netem { egress, .. } => {
                let mtu = self.line.cable.mtu;
                if self.engine == Engine::Auto
                    && wanted
                        .iter()
                        .any(|it| netem::find_unsupported(it, mtu).is_some())
                {
                    return self.exchange(Engine::Wire);
                }
                choose::netem_can(&self.line, &wanted)?;
                for (egress, wanted) in egress.iter_mut().zip(&wanted) {
                    egress.change(wanted).map_err(|e| {
                        LabError::network(format!("link `{}`", self.line.cable.name), e)
                    })?;
                }
                Ok(())
            }
        }
    }

    /// Puts another carrier in the place of the one that is there.
    fn exchange(&mut self, engine: Engine) -> Result<()> {
        let wanted = Direction::BOTH.map(|direction| self.wanted(direction));
        let carrier = choose::choose(&self.line, &self.shared, engine, &wanted)?;
        self.drop_sieves();
        self.ears.iter_mut().for_each(Ear::look_away);
        let before = std::mem::replace(&mut self.carried, Carried::Nobody);
        let from = before.carrier();
        self.carried = lay::exchange(
            &self.line,
            &self.shared,
            before,
            carrier,
            &wanted,
            self.down,
        )?;
        self.sever_again()?;
        self.shared.restore_sieves(&self.line)?;
        self.listen_again()?;
        self.shared.journal.record(EventKind::CarrierChanged {
            link: self.line.cable.name.clone(),
            from: Some(from),
            to: carrier,
        });
        Ok(())
    }

    /// Has a listener told of all frames, whoever carries them; says by which number it can be forgotten.
    pub(crate) fn listen(&mut self, listener: Arc<dyn Listener>) -> Result<u64> {
        let name = &self.line.cable.name;
        let mut ear = Ear::new(name, self.line.device(Side::A).index, listener);
        self.connect(&mut ear)?;
        Ok(self.ears.add(ear))
    }

    pub(crate) fn forget(&mut self, number: u64) {
        let ear = self.ears.remove(number);
        if let (Some(ear), Some(wire)) = (ear, self.wire()) {
            wire.forget(&ear.listener);
        }
    }

    /// To a wire, or to the first end of what the kernel carries.
    fn connect(&self, ear: &mut Ear) -> Result<()> {
        match &self.carried {
            Carried::Nobody => return Err(self.removed()),
            Carried::Wire { wire, .. } => wire.listen(Arc::clone(&ear.listener)),
            Carried::Veth | Carried::Netem { .. } => ear.look(self.line.place(Side::A)?)?,
        }
        Ok(())
    }

    /// After the carrier has changed: interfaces may have been made anew.
    fn listen_again(&mut self) -> Result<()> {
        let mut ears = std::mem::take(&mut self.ears);
        let connected = ears.iter_mut().try_for_each(|ear| self.connect(ear));
        self.ears = ears;
        connected?;
        for (side, plug) in Side::BOTH.into_iter().zip(&self.line.ends) {
            if let Plug::Stack(stack, _) = plug {
                stack.look_again(self.line.device(side).index)?;
            }
        }
        Ok(())
    }

    /// Takes the carrier from the interfaces of nodes, or gives it back, where a port at a switch goes down.
    pub(crate) fn set_carriers(&self, on: bool) -> Result<()> {
        for side in Side::BOTH {
            let Plug::Stack(..) = &self.line.ends[side] else {
                continue;
            };
            if self.line.port().is_none() {
                continue;
            }
            match &self.carried {
                Carried::Veth | Carried::Nobody => {}
                Carried::Wire {
                    backstage: None, ..
                } => {
                    let mut batch = Batch::new();
                    batch.set_carrier(self.line.device(side), on);
                    self.line.execute(side, batch)?;
                }
                Carried::Wire {
                    backstage: Some(backstage),
                    ..
                }
                | Carried::Netem { backstage, .. } => {
                    let inner = lay::Inner::of(&self.line, side);
                    let mut batch = Batch::new();
                    match on {
                        true => batch.set_up(inner.device()),
                        false => batch.set_down(inner.device()),
                    }
                    Netlink::open_in(backstage.as_fd())
                        .and_then(|mut netlink| netlink.execute(batch))
                        .map_err(|e| LabError::network(self.line.whose(side), e))?;
                }
            }
        }
        Ok(())
    }

    /// Records each ruling of the book as an event.
    pub(crate) fn record_rulings(&self, book: &RuleBook) {
        let journal = Arc::clone(&self.shared.journal);
        let link: Arc<str> = self.line.cable.name.as_str().into();
        book.on_ruling(move |direction, ruling| {
            journal.record(EventKind::PacketRuled {
                link: Arc::clone(&link),
                direction,
                verdict: ruling.verdict,
                rule: Arc::clone(ruling.reason()),
            });
        });
    }

    /// Takes the link away for good.
    pub(crate) fn remove(&mut self) -> Result<()> {
        self.drop_sieves();
        self.ears = Ears::default();
        let before = std::mem::replace(&mut self.carried, Carried::Nobody);
        lay::unlay(&self.line, before)
    }

    /// The end of the lab. Guards may live on, with nothing to guard.
    pub(crate) fn close(&mut self) -> Option<Lateness> {
        let lateness = self.wire().map(WireHandle::lateness);
        self.ears = Ears::default();
        self.carried = Carried::Nobody;
        self.cuts = Cuts::default();
        lateness
    }
}
