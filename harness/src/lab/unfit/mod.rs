//! Reasons why a node, link, program or lab cannot do what is asked of it, as data, and for each
//! kind of subject the one place that makes sentences of the data.
//!
//! | file | subject | raised in |
//! |---|---|---|
//! | `kind` | questions that each enum answers about its reasons | |
//! | `node` | nodes: clocks, futures, ids, faults | `node/`, `faults/`, `bring_up/`, `cluster/` |
//! | `program` | programs, and points at which they stop | `process/`, `node/`, `faults/` |
//! | `volume` | volumes with faults | `disk`, `volume`, `node/`, `faults/` |
//! | `service` | servers and translations of nodes | `services/`, `router/`, `faults/` |
//! | `link` | links: carriers, ends | `link/`, `change/`, `faults/` |
//! | `lab` | labs: targets of faults, leaders, growth | `faults/`, `cluster/`, `change/` |

mod kind;
mod lab;
mod link;
mod node;
mod program;
mod service;
mod volume;

use std::error::Error;
use std::fmt;

use crate::lab::error_kind::LabErrorKind;

use kind::UnfitSubject;
pub(crate) use lab::UnfitLab;
pub(crate) use link::UnfitLink;
pub(crate) use node::UnfitNode;
pub(crate) use program::{EndedBefore, Remains, UnfitProgram};
pub(crate) use service::UnfitService;
pub(crate) use volume::UnfitVolume;

/// Declares the enum of all reasons, with one variant for each enum of this folder.
macro_rules! subjects {
    ($($variant:ident($reason:ty),)*) => {
        /// The reason why a subject cannot do what is asked of it.
        #[derive(Debug)]
        pub(crate) enum Unfit {
            $($variant($reason),)*
        }

        impl Unfit {
            /// Returns the kind of the error.
            pub(crate) fn kind(&self) -> LabErrorKind {
                match self {
                    $(Self::$variant(reason) => reason.kind(),)*
                }
            }

            /// Returns the error that is the reason, if there is one.
            pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
                match self {
                    $(Self::$variant(reason) => reason.source(),)*
                }
            }
        }

        impl fmt::Display for Unfit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(reason) => reason.fmt(f),)*
                }
            }
        }

        $(impl From<$reason> for Unfit {
            fn from(reason: $reason) -> Self {
                Self::$variant(reason)
            }
        })*
    };
}

subjects! {
    Node(UnfitNode),
    Program(UnfitProgram),
    Volume(UnfitVolume),
    Service(UnfitService),
    Link(UnfitLink),
    Lab(UnfitLab),
}
