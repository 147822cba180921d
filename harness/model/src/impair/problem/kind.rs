//! Kinds of problems of an impairment, for callers that tell them apart without reading sentences.

/// The kind of problem that an [`ImpairmentError`](crate::impair::ImpairmentError) is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImpairmentErrorKind {
    /// A text does not say a value of its kind.
    Syntax,
    /// A value is beyond what is possible.
    OutOfRange,
    /// Two values contradict each other, or one needs another that is not given.
    Conflict,
    /// A file cannot be read.
    Unreadable,
}
