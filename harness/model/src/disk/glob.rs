//! Patterns of paths in a volume.

/// Returns whether a pattern can fit a path.
pub(super) fn can_fit(pattern: &str) -> bool {
    let bare = pattern.trim_start_matches('/');
    !bare.is_empty() && !pattern.contains('\0')
}

/// Tells whether a path fits a pattern: `*` stands for anything but `/`, `**` for anything, `?` for
/// one byte that is no `/`. A slash in front is not looked at.
pub(super) fn fits(pattern: &str, path: &[u8]) -> bool {
    fits_from(pattern.trim_start_matches('/').as_bytes(), path)
}

fn fits_from(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        // `**/x` fits `x` too.
        [b'*', b'*', b'/', rest @ ..] if fits_from(rest, path) => true,
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|at| fits_from(rest, &path[at..])),
        [b'*', rest @ ..] => {
            let name = path.iter().position(|byte| *byte == b'/');
            (0..=name.unwrap_or(path.len())).any(|at| fits_from(rest, &path[at..]))
        }
        [b'?', rest @ ..] => matches!(path, [byte, after @ ..]
            if *byte != b'/' && fits_from(rest, after)),
        [byte, rest @ ..] => matches!(path, [first, after @ ..]
            if first == byte && fits_from(rest, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_a_shell_would_have_it() {
        for (pattern, path, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "dir/a.log", false),
            ("**/*.log", "dir/sub/a.log", true),
            ("**/*.log", "a.log", true),
            ("base/**", "base/1/2", true),
            ("/base/?", "base/1", true),
            ("base/?", "base/12", false),
            ("**", "anything/at/all", true),
            ("a*c", "abbc", true),
            ("a*c", "ab/c", false),
        ] {
            assert_eq!(fits(pattern, path.as_bytes()), expected, "{pattern} {path}");
        }
    }
}
