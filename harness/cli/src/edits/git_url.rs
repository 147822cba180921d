//! The URL of a git repository, as cargo takes it in `Cargo.toml`: pure.
//!
//! cargo reads the value of `git` as a URL (`src/cargo/util/into_url.rs` of cargo), and refuses the
//! whole manifest where it is none. So the value is checked before it is written.

/// Schemes that git itself speaks ("GIT URLS" in git-fetch(1)), without the deprecated `ftp`.
const SCHEMES: [&str; 5] = ["https", "http", "ssh", "git", "file"];

/// Returns the clause that says why a text is no URL of a repository, and what to give instead;
/// nothing if the text is one.
pub(crate) fn problem(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(format!("nothing is named there: {REMEDY}"));
    }
    let is_bad = |letter: char| letter.is_whitespace() || letter.is_control();
    if text.contains(|letter| is_bad(letter) || "\"'`\\<>{}|^$".contains(letter)) {
        return Some(format!(
            "no URL has spaces, quotation marks or the like in it (write %20 for a space): {REMEDY}"
        ));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(without_scheme(text));
    };
    if let Some(plain) = scheme.strip_prefix("git+") {
        return Some(format!(
            "that is how Cargo.lock writes it: give {plain}://{rest}"
        ));
    }
    if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Some(format!(
            "git has no `{scheme}://` (it has https, http, ssh, git and file): {REMEDY}"
        ));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if scheme.eq_ignore_ascii_case("file") {
        let is_path = authority.is_empty() && path.len() > 1 && path.starts_with('/');
        return (!is_path)
            .then(|| "a repository on this machine is file:///ABSOLUTE/PATH".to_owned());
    }
    let host_and_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, rest)| rest);
    authority_problem(host_and_port)
}

const REMEDY: &str = "give one such as https://example.org/snowglobe";

/// Returns what is wrong with a text that has no `://`.
fn without_scheme(text: &str) -> String {
    // The short form of ssh, which git knows and cargo does not.
    let short = text.split_once(':').filter(|(host, path)| {
        !host.contains('/') && host.contains(['@', '.']) && !path.is_empty()
    });
    if let Some((host, path)) = short {
        let path = path.trim_start_matches('/');
        return format!("cargo needs a whole URL: give ssh://{host}/{path}");
    }
    if text.starts_with(['/', '.', '~']) {
        return "that is a path, and cargo needs a URL: give file:///ABSOLUTE/PATH of the repository, or --path DIRECTORY for the directory of the crate".to_owned();
    }
    format!("that is no URL: {REMEDY}")
}

/// Returns what is wrong with the host and the port of a URL.
fn authority_problem(text: &str) -> Option<String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(address) => {
            let Some((address, rest)) = address.split_once(']') else {
                return Some(format!("the bracket of its address has no end: {REMEDY}"));
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Some(format!("`{address}` is no address of IPv6: {REMEDY}"));
            }
            match (rest, rest.strip_prefix(':')) {
                ("", _) => (address, None),
                (_, Some(port)) => (address, Some(port)),
                (_, None) => return Some(format!("`{rest}` is no port: {REMEDY}")),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Some(format!("it names no host: {REMEDY}"));
    }
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    port.filter(|port| !is_port(port)).map(|port| {
        format!("`{port}` is no port, and cargo takes no path after the colon: write a slash there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_can_fetch_is_taken() {
        for url in [
            "https://example.org/snowglobe",
            "https://example.org",
            "HTTPS://example.org/x",
            "https://token@example.org/x.git",
            "https://user:word@example.org:8443/x?a=b",
            "https://[2001:db8::1]:8443/x",
            "ssh://git@example.org/x/y.git",
            "ssh://git@example.org:22/x",
            "git://example.org/x%20y",
            "file:///srv/snowglobe.git",
        ] {
            assert_eq!(problem(url), None, "{url}");
        }
    }

    #[test]
    fn what_cargo_refuses_is_told_with_what_to_give() {
        for (text, part) in [
            ("", "such as https://"),
            ("foo bar", "spaces"),
            ("https://exa mple/x", "spaces"),
            ("https://example.org/\"x", "quotation marks"),
            ("example.org/x", "such as https://"),
            (
                "git@example.org:a/b.git",
                "give ssh://git@example.org/a/b.git",
            ),
            ("example.org:a/b", "give ssh://example.org/a/b"),
            ("/srv/x", "file:///ABSOLUTE/PATH"),
            ("../x", "--path DIRECTORY"),
            ("mailto:a", "no URL"),
            ("git+https://example.org/x", "give https://example.org/x"),
            ("javascript://x", "no `javascript://`"),
            ("https://", "no host"),
            ("https:///x", "no host"),
            ("ssh://git@/x", "no host"),
            ("https://example.org:99999/x", "`99999` is no port"),
            ("ssh://git@example.org:a/b", "write a slash"),
            ("https://[::1/x", "bracket"),
            ("https://[x]/x", "no address"),
            ("https://[::1]x/x", "no port"),
            ("file://x", "file:///ABSOLUTE/PATH"),
            ("file:///", "file:///ABSOLUTE/PATH"),
        ] {
            let said = problem(text).unwrap_or_default();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
