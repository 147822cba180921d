//! Messages of a wire about its frames.
//!
//! Captures and recordings have to hear of each frame, and of its end, without knowing the wire.

use std::fmt;

use crate::direction::Direction;

/// Something that wants to hear of every frame of a wire: a capture, a recorder.
///
/// A wire tells of each frame that comes to it **once on arrival**, as
/// [`Entered`](FrameFate::Entered) or, if the frame is lost right then, as
/// [`Dropped`](FrameFate::Dropped). Then it tells of the frame once for each time that it is
/// [`Delivered`](FrameFate::Delivered), or as [`DroppedLate`](FrameFate::DroppedLate) if the frame
/// was lost on its way. So who counts arrivals counts packets, and a frame with a comment never
/// stands in a file twice.
///
/// A listener is called on the wire's own thread: it must neither block nor panic.
pub trait Listener: Send + Sync + fmt::Debug {
    /// Hears of a frame that has come or gone.
    fn frame(&self, event: &FrameEvent<'_>);

    /// Hears that so many frames have passed untold, because they came too fast.
    fn missed(&self, frames: u64);
}

/// A source of frames for a listener, which hears of no more frames when this is dropped.
pub trait FrameSource: Send + Sync + fmt::Debug {
    /// Tells the listener of all frames that have passed by now, before this returns.
    fn drain(&self);
}

/// A message of a wire about one frame.
pub struct FrameEvent<'a> {
    /// Name of the link.
    pub link: &'a str,
    /// Direction in which the frame travels.
    pub direction: Direction,
    /// Time at which the frame came, or was handed to the other side: nanoseconds of
    /// CLOCK_MONOTONIC.
    pub time: u64,
    /// The frame from its Ethernet header on, without a virtio-net header. A super-frame that
    /// nobody has cut yet is one frame.
    pub frame: &'a [u8],
    /// State of the frame after this event.
    pub fate: FrameFate<'a>,
    /// Remark for people: the rule that decided, `duplicate`, `bit flipped in byte 57`.
    pub remark: Option<&'a dyn fmt::Display>,
}

/// State of a frame.
#[derive(Clone, Copy)]
pub enum FrameFate<'a> {
    /// The frame came, and is on its way.
    Entered,
    /// The frame has arrived at the other side.
    Delivered,
    /// The frame came and was lost at once, by this cause.
    Dropped(&'a dyn fmt::Display),
    /// The frame had been on its way and was lost then, by this cause.
    DroppedLate(&'a dyn fmt::Display),
}
