//! Traces in TOML: the name of a file, or all values.

use std::time::Duration;

use serde_core::{Serialize, Serializer};
use snowglobe_text::{FromTree, Tree, TreeError};

use super::{Row, Trace, TraceKind};
use crate::impair::error::ImpairmentError;
use crate::impair::problem::TraceProblem;
use crate::impair::text;

#[derive(Default, snowglobe_derive::Serialize, snowglobe_derive::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TraceDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<Row>>,
    #[serde(
        with = "text::serde_optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    repeat: Option<Duration>,
}

impl TryFrom<TraceDocument> for Trace {
    type Error = ImpairmentError;

    fn try_from(document: TraceDocument) -> Result<Self, ImpairmentError> {
        let TraceDocument {
            deliveries,
            rows,
            repeat,
        } = document;
        match (deliveries, rows, repeat) {
            (Some(times), None, None) => Trace::deliveries(times),
            (None, Some(rows), repeat) => Trace::table(rows, repeat),
            _ => Err(TraceProblem::Form.into()),
        }
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const MILLISECOND: u64 = 1_000_000;
        if let Some(file) = &self.0.file {
            return file.serialize(to);
        }
        let mut document = TraceDocument::default();
        match self.kind() {
            TraceKind::Deliveries(of) => {
                let times = of.steps.iter().flat_map(|step| {
                    std::iter::repeat_n(step.at / MILLISECOND, step.packets as usize)
                });
                document.deliveries = Some(times.collect());
            }
            TraceKind::Table(table) => {
                document.rows = Some(table.rows.clone());
                document.repeat = table.repeat;
            }
        }
        document.serialize(to)
    }
}

impl FromTree for Trace {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        text::text_or_table::<Trace, TraceDocument>(
            tree,
            "the name of a trace file, or a table of `deliveries` or of `rows` and `repeat`",
            |path| Trace::from_file(path),
        )
    }
}

snowglobe_text::deserialize_by_tree!(Trace);
