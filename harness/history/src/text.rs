//! Histories as JSON lines: one event a line, so that a file that was cut off can still be read.
//!
//! ```text
//! {"invoke":{"op":0,"client":3,"node":"db-1","at":1204310,"call":{"write":7}}}
//! {"ok":{"op":0,"at":1310000,"ret":"done"}}
//! {"invoke":{"op":1,"client":4,"node":"db-2","at":1400000,"call":"read"}}
//! {"unknown":{"op":1,"at":2400000,"why":"timed out"}}
//! ```

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::completion::Completion;
use crate::error::{HistoryError, HistoryErrorKind};
use crate::history::{History, HistoryBuilder};
use crate::operation::{ClientId, Operation, OperationId};

/// One line of the text. Times are nanoseconds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HistoryLine<O, R> {
    Invoke {
        op: u64,
        client: u32,
        node: String,
        at: u64,
        call: O,
    },
    Ok {
        op: u64,
        at: u64,
        ret: R,
    },
    Failed {
        op: u64,
        at: u64,
        why: String,
    },
    Unknown {
        op: u64,
        at: u64,
        why: String,
    },
}

impl<O, R> History<O, R> {
    /// Writes the history as JSON, one event a line, in the order of time.
    ///
    /// # Errors
    /// A call or a value cannot be written as JSON.
    pub fn to_json_lines(&self) -> serde_json::Result<String>
    where
        O: Serialize,
        R: Serialize,
    {
        let mut lines = Vec::new();
        for operation in self.operations() {
            let (invoke, end) = lines_of(operation);
            // At equal times an invocation comes first, or the text would end an operation that
            // has not begun.
            lines.push((operation.invoked, 0, serde_json::to_string(&invoke)?));
            if let (Some(end), Some(at)) = (end, operation.completed) {
                lines.push((at, 1, serde_json::to_string(&end)?));
            }
        }
        lines.sort_by_key(|(at, order, _)| (*at, *order));
        Ok(lines.into_iter().map(|(_, _, line)| line + "\n").collect())
    }

    /// Reads a history from JSON lines. `file` is the name of the text in errors.
    ///
    /// # Errors
    /// A line is no event, or an event does not fit the ones before: an operation is completed that
    /// was not invoked, or for the second time. The error names file and line. A text without any
    /// event is an error too.
    pub fn from_json_lines(file: &str, text: &str) -> Result<Self, HistoryError>
    where
        O: DeserializeOwned,
        R: DeserializeOwned,
    {
        let mut builder = Self::builder();
        for (number, line) in text.lines().enumerate() {
            if !line.trim().is_empty() {
                take(&mut builder, line)
                    .map_err(|kind| HistoryError::at(kind, file, number + 1))?;
            }
        }
        let history = builder.build();
        match history.operations().is_empty() {
            // Without this error, a check of a file that was emptied by mistake would find nothing.
            true => Err(HistoryError::at(HistoryErrorKind::NoEvents, file, 1)),
            false => Ok(history),
        }
    }
}

type Lines<'a, O, R> = (HistoryLine<&'a O, &'a R>, Option<HistoryLine<&'a O, &'a R>>);

fn lines_of<O, R>(operation: &Operation<O, R>) -> Lines<'_, O, R> {
    let op = operation.id.0;
    let invoke = HistoryLine::Invoke {
        op,
        client: operation.client.0,
        node: operation.node.to_string(),
        at: nanoseconds(operation.invoked),
        call: &operation.call,
    };
    let end = operation.completed.map(|at| {
        let at = nanoseconds(at);
        match &operation.completion {
            Completion::Ok(ret) => HistoryLine::Ok { op, at, ret },
            Completion::Failed(why) => HistoryLine::Failed {
                op,
                at,
                why: why.clone(),
            },
            Completion::Unknown(why) => HistoryLine::Unknown {
                op,
                at,
                why: why.clone(),
            },
        }
    });
    (invoke, end)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn take<O: DeserializeOwned, R: DeserializeOwned>(
    history: &mut HistoryBuilder<O, R>,
    line: &str,
) -> Result<(), HistoryErrorKind> {
    let line = serde_json::from_str(line).map_err(|error| HistoryErrorKind::NotAnEvent {
        why: error.to_string(),
    })?;
    let (op, at, completion) = match line {
        HistoryLine::Invoke {
            op,
            client,
            node,
            at,
            call,
        } => {
            let at = Duration::from_nanos(at);
            return history.invoke_as(OperationId(op), ClientId(client), &node, at, call);
        }
        HistoryLine::Ok { op, at, ret } => (op, at, Completion::Ok(ret)),
        HistoryLine::Failed { op, at, why } => (op, at, Completion::Failed(why)),
        HistoryLine::Unknown { op, at, why } => (op, at, Completion::Unknown(why)),
    };
    history.complete_at(OperationId(op), Duration::from_nanos(at), completion)
}
