//! The lines and columns of a text, as people count them.

/// Returns the line and column of a byte, counted from 1.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text
        .char_indices()
        .take_while(|(at, _)| *at < byte)
        .map(|(_, c)| c);
    before.fold((1, 1), |(line, column), c| {
        if c == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        }
    })
}
