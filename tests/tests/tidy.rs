//! The rules of this repository that a program can check.
//!
//! A rule that only prose states is broken by the next change that is in a hurry. Each rule below
//! is a function that lists what breaks it, one test that the repository breaks it nowhere, and one
//! test that a bad sample is found.

#[path = "tidy/constants.rs"]
mod constants;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/items.rs"]
mod items;
#[path = "tidy/lines.rs"]
mod lines;
#[path = "tidy/parameters.rs"]
mod parameters;
#[path = "tidy/procfs.rs"]
mod procfs;
#[path = "tidy/scratch.rs"]
mod scratch;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tables.rs"]
mod tables;
#[path = "tidy/walls.rs"]
mod walls;

use std::sync::LazyLock;

use source::{Source, module_of};

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(source::sources);

/// Fails with one line for each finding.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    let count = findings.len();
    assert!(
        findings.is_empty(),
        "{rule}: {count} findings\n{}",
        findings.join("\n")
    );
}

fn unsafe_code(source: &Source) -> Vec<String> {
    let lines = &source.findings.unsafe_code;
    lines
        .iter()
        .map(|line| format!("{}:{line}", source.path))
        .collect()
}

#[test]
fn only_the_kernel_crate_has_unsafe_code() {
    let others = SOURCES.iter().filter(|it| {
        let library = it.path.starts_with("harness/") || it.path.starts_with("fixtures/src");
        (library || it.path.starts_with("xtask/")) && !it.path.starts_with("harness/kernel/")
    });
    let found: Vec<String> = others.flat_map(unsafe_code).collect();
    assert_none("`unsafe` is in harness/kernel only", &found);
    let root = SOURCES
        .iter()
        .find(|it| it.path == "harness/model/src/lib.rs");
    let root = root.expect("the model has a lib.rs");
    assert!(root.text.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn unsafe_code_is_found() {
    let text = "unsafe fn f() {} fn g() { unsafe { f() } } struct S; unsafe impl Send for S {}";
    assert_eq!(unsafe_code(&Source::new("harness/src/a.rs", text)).len(), 3);
}

fn hidden_rot(source: &Source) -> Vec<String> {
    let lines = &source.findings.hidden_rot;
    lines
        .iter()
        .map(|line| format!("{}:{line}", source.path))
        .collect()
}

#[test]
fn no_attribute_hides_dead_code() {
    let found: Vec<String> = SOURCES.iter().flat_map(hidden_rot).collect();
    assert_none("no allow(dead_code)", &found);
}

#[test]
fn an_allowance_of_dead_code_is_found() {
    let text = "#[allow(dead_code)] mod a {} #[expect(unused_imports)] use std::fmt;";
    assert_eq!(hidden_rot(&Source::new("harness/src/a.rs", text)).len(), 2);
}

#[test]
fn files_have_at_most_500_lines() {
    assert_none("long files", &lines::long_files(&SOURCES, 500));
}

#[test]
fn a_long_file_is_found() {
    let sources = [Source::new("harness/src/a.rs", &"\n".repeat(501))];
    assert_eq!(lines::long_files(&sources, 500).len(), 1);
}

#[test]
fn waits_of_the_library_are_stretched() {
    let library = SOURCES
        .iter()
        .filter(|it| it.path.starts_with("harness/src/") && !it.is_test());
    let found: Vec<String> = library.flat_map(lines::unstretched).collect();
    assert_none("SNOWGLOBE_TIME_SCALE stretches every wait", &found);
}

#[test]
fn a_wait_that_is_not_stretched_is_found() {
    let text =
        "const PATIENCE: Duration = S;\nfn f() { wait(PATIENCE);\n wait(stretched(PATIENCE)) }\n";
    let found = lines::unstretched(&Source::new("harness/src/a.rs", text));
    assert_eq!(found, ["harness/src/a.rs:2: fn f() { wait(PATIENCE);"]);
}

fn long_functions(source: &Source, limit: usize) -> Vec<String> {
    let functions = &source.findings.functions;
    let long = functions.iter().filter(|(_, _, lines)| *lines > limit);
    long.map(|(name, line, lines)| format!("{}:{line}: {name}: {lines} lines", source.path))
        .collect()
}

#[test]
fn functions_have_at_most_80_lines() {
    let found: Vec<String> = SOURCES
        .iter()
        .flat_map(|it| long_functions(it, 80))
        .collect();
    assert_none("long functions", &found);
}

#[test]
fn a_long_function_is_found() {
    let text = format!("struct S; impl S {{ fn f() {{{}}} }}", "\n".repeat(81));
    assert_eq!(long_functions(&Source::new("a.rs", &text), 80).len(), 1);
}

#[test]
fn folders_have_at_most_16_files() {
    assert_none("crowded folders", &lines::crowded_folders(&SOURCES, 16));
}

#[test]
fn a_crowded_folder_is_found() {
    let sources: Vec<Source> = (0..17)
        .map(|it| Source::new(&format!("harness/src/f{it}.rs"), ""))
        .collect();
    assert_eq!(
        lines::crowded_folders(&sources, 16),
        ["harness/src: 17 files"]
    );
}

#[test]
fn comments_have_at_most_100_columns() {
    let found: Vec<String> = SOURCES
        .iter()
        .flat_map(|it| lines::wide_comments(it, 100))
        .collect();
    assert_none("wide comments", &found);
}

#[test]
fn a_wide_comment_is_found() {
    let text = format!(
        "    // {}\nconst A: &str = \"{}\";",
        "x".repeat(94),
        "x".repeat(100)
    );
    assert_eq!(
        lines::wide_comments(&Source::new("a.rs", &text), 100).len(),
        1
    );
}

fn without_opening(source: &Source) -> bool {
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    // A file that others include into their own text cannot have documentation of its own.
    let included = source.path.contains("/shared/");
    let opens = |line: &str| line.starts_with("//!") || included && line.starts_with("// ");
    first.is_some_and(|line| !opens(line))
}

#[test]
fn every_module_opens_with_a_sentence() {
    let found: Vec<String> = SOURCES
        .iter()
        .filter(|it| without_opening(it))
        .map(|it| it.path.clone())
        .collect();
    assert_none("modules open with a sentence", &found);
}

#[test]
fn a_module_without_a_sentence_is_found() {
    assert!(without_opening(&Source::new(
        "a.rs",
        "\nuse std::fmt;\n// Late."
    )));
    assert!(!without_opening(&Source::new(
        "a.rs",
        "//! Opens.\nuse std::fmt;"
    )));
}

/// Returns whether users read the documentation of a crate's items: those of the kernel crate are
/// for us.
fn is_for_users(source: &Source) -> bool {
    let library = [
        "harness/src",
        "harness/model/src",
        "harness/history/src",
        "fixtures/src",
    ];
    library
        .iter()
        .any(|folder| module_of(folder, &source.path).is_some())
}

fn without_errors(source: &Source) -> Vec<String> {
    let found = &source.findings.without_errors;
    found
        .iter()
        .map(|(name, line)| format!("{}:{line}: {name}", source.path))
        .collect()
}

#[test]
fn public_functions_that_return_a_result_document_their_errors() {
    let sources = SOURCES.iter().filter(|source| is_for_users(source));
    let found: Vec<String> = sources.flat_map(without_errors).collect();
    assert_none("public functions without `# Errors`", &found);
}

#[test]
fn a_public_function_without_errors_is_found() {
    let text = "
        /// Does.
        pub fn bad() -> Result<(), ()> { Ok(()) }
        /// Does.
        ///
        /// # Errors
        /// Never.
        pub fn good() -> Result<(), ()> { Ok(()) }
        fn private() -> Result<(), ()> { Ok(()) }
    ";
    assert_eq!(
        without_errors(&Source::new("harness/src/a.rs", text)),
        ["harness/src/a.rs:3: bad"]
    );
}

#[test]
fn documentation_has_a_subject_and_a_verb() {
    let found: Vec<String> = SOURCES.iter().flat_map(lines::half_sentences).collect();
    assert_none("half sentences", &found);
}

#[test]
fn half_a_sentence_is_found() {
    for half in [
        "Of the interface.",
        "What can be done now.",
        "Which.",
        "Those of partitions.",
        "As it should.",
    ] {
        let source = Source::new("a.rs", &format!("/// {half}\nconst A: u8 = 1;"));
        assert_eq!(lines::half_sentences(&source).len(), 1, "{half}");
    }
    for whole in [
        "Index of the interface to which the filter is attached.",
        "Returns the name.",
    ] {
        let source = Source::new("a.rs", &format!("/// {whole}\nconst A: u8 = 1;"));
        assert!(lines::half_sentences(&source).is_empty(), "{whole}");
    }
}

#[test]
fn plain_comments_have_a_subject() {
    let found: Vec<String> = SOURCES
        .iter()
        .flat_map(lines::comments_without_a_subject)
        .collect();
    assert_none("comments without a subject", &found);
}

#[test]
fn a_comment_without_a_subject_is_found() {
    for half in ["Last: no frame passes.", "Before the start: a thread."] {
        let source = Source::new("a.rs", &format!("// {half}\nconst A: u8 = 1;"));
        assert_eq!(
            lines::comments_without_a_subject(&source).len(),
            1,
            "{half}"
        );
    }
    for whole in [
        "The port is set last: no frame passes.",
        "Before a start, a thread reads a clock: it is late.",
    ] {
        let source = Source::new("a.rs", &format!("// {whole}\nconst A: u8 = 1;"));
        assert!(
            lines::comments_without_a_subject(&source).is_empty(),
            "{whole}"
        );
    }
}

fn without_verb(source: &Source) -> Vec<String> {
    let found = &source.findings.without_verb;
    found
        .iter()
        .map(|(name, line)| format!("{}:{line}: {name}", source.path))
        .collect()
}

#[test]
fn documentation_of_functions_begins_with_a_verb() {
    let found: Vec<String> = SOURCES.iter().flat_map(without_verb).collect();
    assert_none("documentation of functions without a verb", &found);
}

#[test]
fn documentation_of_a_function_without_a_verb_is_found() {
    let text = "
        /// Whether it is.
        fn bad() {}
        /// Returns whether it is.
        fn good() {}
        struct S {
            /// Whether it is.
            field: bool,
        }
    ";
    assert_eq!(without_verb(&Source::new("a.rs", text)), ["a.rs:3: bad"]);
}

/// Type names that may be declared in more than one file: spec, plan and living thing.
const TRIOS: &[&str] = &[];

#[test]
fn a_type_name_has_one_meaning() {
    let harness = SOURCES
        .iter()
        .filter(|it| it.path.starts_with("harness/") && !it.is_test());
    let mut names = items::names_with_several_meanings(harness);
    names.retain(|name, _| !TRIOS.contains(&name.as_str()));
    let found: Vec<String> = names
        .iter()
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    let most = 15;
    assert!(
        found.len() <= most,
        "{} names with several meanings:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_name_with_two_meanings_is_found() {
    let sources = [
        Source::new("harness/src/a.rs", "struct Place;"),
        Source::new(
            "harness/src/b.rs",
            "enum Place {} #[cfg(test)] mod tests { struct Other; }",
        ),
        Source::new("harness/src/c.rs", "struct Other;"),
    ];
    let names = items::names_with_several_meanings(sources.iter());
    assert_eq!(names.into_keys().collect::<Vec<_>>(), ["Place"]);
}

/// Folders in which the order of steps and the kernel's ways matter most.
const EXPLAINED: [&str; 4] = [
    "harness/kernel/src",
    "harness/src/sandbox",
    "harness/src/lab",
    "harness/src/wire",
];

/// Comments that say why, for each 100 lines of code.
fn why_ratio(sources: &[Source], folder: &str) -> f64 {
    let inside = || {
        sources
            .iter()
            .filter(|it| it.path.starts_with(folder) && !it.is_test())
    };
    let why: usize = inside().map(lines::why_comments).sum();
    let code: usize = inside().map(lines::code_lines).sum();
    100.0 * why as f64 / code.max(1) as f64
}

#[test]
fn comments_say_why_where_order_matters() {
    let low = EXPLAINED
        .iter()
        .map(|folder| (folder, why_ratio(&SOURCES, folder)));
    let found: Vec<String> = low
        .filter(|(_, ratio)| *ratio < 4.0)
        .map(|(folder, ratio)| {
            format!("{folder}: {ratio:.1} comments of why per 100 lines of code")
        })
        .collect();
    assert_none("at least 4 comments of why per 100 lines of code", &found);
}

#[test]
fn code_without_comments_is_found() {
    let sources = [Source::new(
        "harness/src/lab/a.rs",
        "//! A.\nfn f() {}\n// Why.\nfn g() {}\n",
    )];
    assert_eq!(why_ratio(&sources, "harness/src/lab"), 50.0);
    assert_eq!(
        why_ratio(
            &[Source::new("harness/src/lab/a.rs", "fn f() {}")],
            "harness/src/lab"
        ),
        0.0
    );
}

/// Prints the figures of the house, for a note on a change: `-- --nocapture figures`.
#[test]
fn figures_can_be_counted() {
    let harness = || {
        SOURCES
            .iter()
            .filter(|it| it.path.starts_with("harness/") && !it.is_test())
    };
    let circles = source::CRATES
        .iter()
        .map(|(_, folder)| walls::longest_circle(folder));
    let mut figures = vec![
        (
            "files of the longest import circle",
            circles.max().unwrap_or(0) as f64,
        ),
        (
            "files in the fullest folder",
            lines::fullest_folder(&SOURCES) as f64,
        ),
        (
            "type names with several meanings",
            items::names_with_several_meanings(harness()).len() as f64,
        ),
        (
            "comment lines over 100 columns",
            SOURCES
                .iter()
                .map(|it| lines::wide_comments(it, 100).len())
                .sum::<usize>() as f64,
        ),
        (
            "documentation blocks that are half sentences",
            SOURCES
                .iter()
                .map(|it| lines::half_sentences(it).len())
                .sum::<usize>() as f64,
        ),
    ];
    let why = EXPLAINED
        .iter()
        .map(|folder| (*folder, why_ratio(&SOURCES, folder)));
    figures.extend(why);
    for (name, figure) in figures {
        println!("{name}: {figure:.1}");
        assert!(figure.is_finite());
    }
}
