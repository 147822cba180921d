//! Rules about lines: how long files and comments are, how many files lie in one folder, how many
//! comments say why.

use std::collections::BTreeMap;

use crate::source::Source;

/// Returns files of more lines than `limit`.
pub(crate) fn long_files(sources: &[Source], limit: usize) -> Vec<String> {
    let long = sources
        .iter()
        .map(|source| (source, source.text.lines().count()));
    long.filter(|(_, lines)| *lines > limit)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect()
}

/// Returns folders with more Rust files at one level than `limit`.
pub(crate) fn crowded_folders(sources: &[Source], limit: usize) -> Vec<String> {
    let folders = files_by_folder(sources);
    let crowded = folders.iter().filter(|(_, files)| **files > limit);
    crowded
        .map(|(folder, files)| format!("{folder}: {files} files"))
        .collect()
}

/// Returns the number of Rust files in the folder that has most at one level.
pub(crate) fn fullest_folder(sources: &[Source]) -> usize {
    files_by_folder(sources).into_values().max().unwrap_or(0)
}

fn files_by_folder(sources: &[Source]) -> BTreeMap<&str, usize> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        let (folder, _) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        *folders.entry(folder).or_default() += 1;
    }
    folders
}

/// Returns comment lines of more columns than `limit`.
pub(crate) fn wide_comments(source: &Source, limit: usize) -> Vec<String> {
    let wide = |(_, line): &(usize, &str)| {
        line.trim_start().starts_with("//") && line.chars().count() > limit
    };
    let lines = source.text.lines().enumerate().filter(wide);
    lines
        .map(|(number, line)| {
            let columns = line.chars().count();
            format!(
                "{}:{}: a comment of {columns} columns",
                source.path,
                number + 1
            )
        })
        .collect()
}

/// Returns how many comments of a file say why: plain `//` comments, a block of adjacent lines
/// counting once.
pub(crate) fn why_comments(source: &Source) -> usize {
    let plain = |line: &str| {
        let line = line.trim_start();
        line.starts_with("// ") && !line.starts_with("// SAFETY")
    };
    let mut before = false;
    let mut count = 0;
    for line in source.text.lines() {
        let now = plain(line);
        count += usize::from(now && !before);
        before = now;
    }
    count
}

/// Returns how many lines of a file are code: neither blank nor a comment.
pub(crate) fn code_lines(source: &Source) -> usize {
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    };
    source.text.lines().filter(is_code).count()
}

/// Returns documentation that is half a sentence: at most nine words that begin with a word that
/// asks for, or points at, a noun that is not there.
pub(crate) fn half_sentences(source: &Source) -> Vec<String> {
    const FIRST: [&str; 24] = [
        "What",
        "Where",
        "Which",
        "Who",
        "Whose",
        "Whom",
        "Those",
        "These",
        "Of",
        "By",
        "As",
        "Not",
        "Its",
        "It",
        "Until",
        "So",
        "Such",
        "Same",
        "That",
        "Otherwise",
        "Here",
        "There",
        "How",
        "Whether",
    ];
    let mut found = Vec::new();
    for (number, block) in doc_blocks(&source.text) {
        let mut words = block.split_whitespace();
        let first = words
            .next()
            .unwrap_or_default()
            .trim_end_matches([',', '.', ':']);
        let count = 1 + words.count();
        let points = FIRST.contains(&first) && first != "Whether" || block.starts_with("The same");
        if count <= 9 && points {
            found.push(format!(
                "{}:{number}: half a sentence: {block:?}",
                source.path
            ));
        }
    }
    found
}

/// Returns plain comments that say when, and leave out what: "Before the start: …", "Last: …".
pub(crate) fn comments_without_a_subject(source: &Source) -> Vec<String> {
    const ALONE: [&str; 8] = [
        "First:",
        "Last:",
        "Last,",
        "Only now:",
        "Only then:",
        "As in ",
        "As at ",
        "See above",
    ];
    let mut found = Vec::new();
    for (number, block) in blocks(&source.text, &["// "]) {
        // The words up to the colon name a moment, and no sentence.
        let moment = block.split_once(':').is_some_and(|(moment, _)| {
            let first = moment.split_whitespace().next();
            let is_short = moment.split_whitespace().count() <= 8;
            matches!(first, Some("Before" | "After" | "Likewise"))
                && is_short
                && !moment.contains([',', '.'])
        });
        if moment || ALONE.iter().any(|alone| block.starts_with(alone)) {
            found.push(format!(
                "{}:{number}: a comment without a subject: {block:?}",
                source.path
            ));
        }
    }
    found
}

/// Returns documentation blocks with the numbers of their first lines.
fn doc_blocks(text: &str) -> Vec<(usize, String)> {
    blocks(text, &["///", "//!"])
}

/// Returns blocks of lines that begin with one of these marks, with the numbers of their first
/// lines.
fn blocks(text: &str, marks: &[&str]) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let words = marks.iter().find_map(|mark| line.strip_prefix(mark));
        match words.map(str::trim) {
            Some(words) if !words.is_empty() && open => {
                let (_, block) = blocks.last_mut().expect("an open block is the last one");
                block.push(' ');
                block.push_str(words);
            }
            Some(words) if !words.is_empty() => {
                blocks.push((number + 1, words.to_owned()));
                open = true;
            }
            _ => open = false,
        }
    }
    blocks
}

/// Names of the constants that limit the waits of the library.
const LIMITS: [&str; 4] = ["GRACE", "LAST_WORDS", "PATIENCE", "READY"];

/// Returns the lines that use one of these limits and do not stretch it. `SNOWGLOBE_TIME_SCALE`
/// stretches every wait, by `stretched` or within `wait_until`.
pub(crate) fn unstretched(source: &Source) -> Vec<String> {
    let words = |line: &str| -> Vec<String> {
        let words = line.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        words.map(str::to_owned).collect()
    };
    let declares = |limit: &str| source.text.contains(&format!("const {limit}: Duration"));
    // The `READY` that other files import is no time limit.
    let imports = |limit: &str| {
        // An import may take several lines.
        let statements = source.text.split(';');
        let mut uses = statements.filter(|it| it.trim_start().starts_with("use "));
        limit != "READY" && uses.any(|it| words(it).iter().any(|word| word == limit))
    };
    let limits = LIMITS.into_iter().filter(|it| declares(it) || imports(it));
    let limits: Vec<&str> = limits.collect();
    let lines = source.text.lines().zip(1..);
    let unstretched = lines.filter(|(line, _)| {
        let line = line.trim_start();
        let is_code = !["//", "use ", "const ", "pub(crate) const "]
            .iter()
            .any(|it| line.starts_with(it));
        let waits = words(line)
            .iter()
            .any(|word| limits.contains(&word.as_str()));
        is_code && waits && !line.contains("stretched(") && !line.contains("wait_until(")
    });
    unstretched
        .map(|(line, number)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}
