//! The message of a panic, which comes as a value of any type.

use std::any::Any;

/// Returns the text of a panic, given its payload.
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(a value that is no text)".to_owned())
}
