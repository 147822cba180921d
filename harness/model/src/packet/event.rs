//! How a wire tells what happens to its frames.

use std::fmt;

use crate::direction::Direction;

/// Something that wants to hear of every frame of a wire: a capture, a recorder.
///
/// A wire tells of each frame that comes to it **once on arrival**, as [`Entered`](FrameFate::Entered) or, if it is lost
/// right then, as [`Dropped`](FrameFate::Dropped); and then once for each time that it is
/// [`Delivered`](FrameFate::Delivered), or as [`DroppedLate`](FrameFate::DroppedLate) if it was lost on its way. So who counts
/// arrivals counts packets, and a frame with a comment never stands in a file twice.
///
/// Called on the wire's own thread: it must neither block nor panic.
pub trait Listener: Send + Sync + fmt::Debug {
    /// A frame has come or gone.
    fn frame(&self, event: &FrameEvent<'_>);

    /// So many frames have passed that are not told of, because they came too fast.
    fn missed(&self, frames: u64);
}

/// Where a listener's frames come from; it is told of nothing any more when this is dropped.
pub trait FrameSource: Send + Sync + fmt::Debug {
    /// Has the listener told, before this returns, of all that has passed by now.
    fn drain(&self);
}

/// What a wire tells of a frame.
pub struct FrameEvent<'a> {
    /// Name of the link.
    pub link: &'a str,
    /// Direction in which the frame travels.
    pub direction: Direction,
    /// Nanoseconds of CLOCK_MONOTONIC: when it came, or when it was handed to the other side.
    pub time: u64,
    /// From the Ethernet header on, without a virtio-net header; a segment that nobody has cut yet is one frame.
    pub frame: &'a [u8],
    /// State of the frame after this event.
    pub fate: FrameFate<'a>,
    /// What was done to it, for people: which rule had its way, `duplicate`, `bit flipped in byte 57`.
    pub remark: Option<&'a dyn fmt::Display>,
}

/// What has become of a frame.
#[derive(Clone, Copy)]
pub enum FrameFate<'a> {
    /// It came, and is on its way.
    Entered,
    /// It has arrived at the other side.
    Delivered,
    /// It came and was lost at once, by this cause.
    Dropped(&'a dyn fmt::Display),
    /// It had been on its way and was lost then, by this cause.
    DroppedLate(&'a dyn fmt::Display),
}
