//! The kernel edge: the only place with `unsafe`.
//!
//! Everything here is a thin, checked wrapper around one system call or one
//! short recipe of them. Nothing here knows what a trial or a node is.
#![allow(unsafe_code)]

pub(crate) mod attempt;
pub(crate) mod clone;
pub(crate) mod constructor;
pub(crate) mod fd;
pub(crate) mod idmap;
pub(crate) mod mount;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod stack;
