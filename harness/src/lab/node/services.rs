//! Services that all nodes of a lab share.

use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::node::visitors::Visitors;
use crate::lab::patience::Patience;
use crate::lab::process::log::OutputReader;

/// One lab's threads for its nodes, and the limit of waits. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct NodeServices {
    output_reader: Arc<OutputReader>,
    visitors: Arc<Visitors>,
    patience: Patience,
}

impl NodeServices {
    pub(crate) fn new(patience: Patience) -> Result<Self> {
        Ok(Self {
            output_reader: Arc::default(),
            visitors: Arc::new(Visitors::new()?),
            patience,
        })
    }

    /// Returns the reader of what programs write.
    pub(crate) fn output_reader(&self) -> &OutputReader {
        &self.output_reader
    }

    /// Returns the threads that enter nodes.
    pub(crate) fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }
}
