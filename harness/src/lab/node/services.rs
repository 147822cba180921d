//! Services that all nodes of a lab share.

use std::sync::Arc;

use crate::events::Journal;
use crate::lab::error::Result;
use crate::lab::node::visitors::Visitors;
use crate::lab::process::output_reader::OutputReader;
use crate::trial::patience::Patience;

/// The threads of one lab for its nodes, its events, and the limit of waits. Clones share all of
/// them.
#[derive(Clone, Debug)]
pub(crate) struct NodeServices {
    output_reader: Arc<OutputReader>,
    visitors: Arc<Visitors>,
    journal: Arc<Journal>,
    patience: Patience,
}

impl NodeServices {
    pub(crate) fn new(journal: Arc<Journal>, patience: Patience) -> Result<Self> {
        Ok(Self {
            output_reader: Arc::new(OutputReader::new(Arc::clone(&journal))),
            journal,
            visitors: Arc::new(Visitors::new()?),
            patience,
        })
    }

    /// Returns the reader of what programs write.
    pub(crate) fn output_reader(&self) -> &OutputReader {
        &self.output_reader
    }

    /// Returns the events of the lab.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Returns the threads that enter nodes.
    pub(crate) fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }
}
