//! The source tree's own rules: sizes, no way to crash, nothing of one developer's machine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

use std::path::{Path, PathBuf};

/// A file of more lines has more than one subject.
const MOST_LINES: usize = 600;

/// Folders that are made, not written.
const MADE: [&str; 6] = [
    "target",
    "node_modules",
    ".git",
    ".venv",
    "__pycache__",
    "tagout-data",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file that somebody wrote, relative to the root.
fn written() -> Vec<PathBuf> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let made = MADE.iter().any(|name| entry.file_name() == *name);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !made => folders.push(path),
                kind if kind.is_file() && !made => {
                    files.push(path.strip_prefix(&root).unwrap().to_owned())
                }
                _ => {}
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "that is not the whole tree");
    files
}

fn read(file: &Path) -> String {
    let bytes = std::fs::read(root().join(file)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a file is there only for tests: below a `tests` or `examples` folder, or a module that its
/// parent declares for tests only.
fn is_for_tests(file: &Path) -> bool {
    let in_folder = file.components().any(|part| {
        ["tests", "examples", "benches", "fuzz"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    });
    in_folder
        || file
            .ancestors()
            .take_while(|path| path.parent().is_some())
            .any(is_declared_for_tests)
}

fn is_declared_for_tests(module: &Path) -> bool {
    let (Some(name), Some(folder)) = (module.file_stem(), module.parent()) else {
        return false;
    };
    let declared = format!("#[cfg(test)]\nmod {};", name.to_string_lossy());
    let parents = ["lib.rs", "main.rs", "mod.rs"].map(|parent| folder.join(parent));
    let beside = folder.with_extension("rs");
    parents
        .iter()
        .chain([&beside])
        .any(|parent| root().join(parent).is_file() && read(parent).contains(&declared))
}

fn source_files() -> Vec<PathBuf> {
    let is_source = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "rs");
    written()
        .into_iter()
        .filter(is_source)
        .filter(|file| !is_for_tests(file))
        .collect()
}

/// A file's text without its tests, which stand at its end, and without comments.
fn code_of(file: &Path) -> String {
    let text = read(file);
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let not_comment = |line: &&str| !line.trim_start().starts_with("//");
    code.lines()
        .filter(not_comment)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_file_has_more_than_one_subject() {
    let long: Vec<_> = source_files()
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {long:?}");
}

#[test]
fn no_code_outside_tests_unwraps() {
    let unwrapping: Vec<_> = source_files()
        .into_iter()
        .filter(|file| code_of(file).contains(".unwrap()"))
        .collect();
    assert!(unwrapping.is_empty(), "{unwrapping:?}");
}

#[test]
fn no_code_is_unsafe() {
    let is_unsafe = |code: &str| {
        code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
    };
    let found: Vec<_> = source_files()
        .into_iter()
        .filter(|file| is_unsafe(&code_of(file)))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_crate_takes_the_shared_lints() {
    let manifests = written()
        .into_iter()
        .filter(|file| file.ends_with("Cargo.toml") && file.components().count() > 1);
    let without: Vec<_> = manifests
        .filter(|file| !read(file).contains("[lints]\nworkspace = true"))
        .collect();
    assert!(
        without.is_empty(),
        "without `[lints] workspace = true`: {without:?}"
    );
}

/// The beginnings are put together here, so that this file does not name them itself.
#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut private: Vec<String> = ["work", "root", "Users"]
        .map(|folder| format!("/{folder}/"))
        .into();
    private.push(format!("{}/", root().display()));
    for file in written() {
        let text = read(&file);
        let named = private.iter().find(|path| begins_a_path(&text, path));
        assert!(
            named.is_none(),
            "{} names a path below {named:?}",
            file.display()
        );
    }
}

/// Whether `path` stands in `text` as the beginning of an absolute path, not in the middle of another.
fn begins_a_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !(before.is_alphanumeric() || "._-}$/".contains(before)))
    })
}

#[test]
fn paths_are_told_from_their_middles() {
    let path = format!("/{}/", "work");
    assert!(begins_a_path(&format!("see {path}x"), &path));
    assert!(begins_a_path(&format!("\"{path}x"), &path));
    assert!(!begins_a_path(&format!("home{path}x"), &path));
}

/// Tests that a page names as `path.rs::name`.
fn named_tests(page: &str) -> Vec<(PathBuf, String)> {
    let quoted = page.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|text| text.split_once(".rs::"));
    named
        .map(|(path, name)| (PathBuf::from(format!("{path}.rs")), name.to_owned()))
        .collect()
}

#[test]
fn the_architecture_names_tests_that_are_there() {
    let named = named_tests(&read(Path::new("ARCHITECTURE.md")));
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|(file, name)| {
            !(root().join(file).is_file() && read(file).contains(&format!("fn {name}(")))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names tests that are not there: {missing:?}"
    );
}

#[test]
fn the_architecture_lists_every_named_point() {
    let page = read(Path::new("ARCHITECTURE.md"));
    let engine = read(Path::new("crates/engine/src/faults.rs"));
    let names = engine
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 6, "{names:?}");
    let unlisted: Vec<_> = names
        .iter()
        .filter(|name| !page.contains(&format!("| `{name}` |")))
        .collect();
    assert!(
        unlisted.is_empty(),
        "ARCHITECTURE.md does not list {unlisted:?}"
    );
}
