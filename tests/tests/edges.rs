//! What may depend on what. Reads `cargo metadata`; nothing here runs the gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// A crate of ours and what it may use of ours outside its own tests.
enum Allowed {
    /// Exactly these and nothing more.
    Only(&'static [&'static str]),
    /// Everything that is ours but the seals.
    AllButSeal,
}

use Allowed::{AllButSeal, Only};

/// The whole table. A new crate fails this test until somebody has thought about its row.
const EDGES: &[(&str, Allowed)] = &[
    ("tagout-seal", Only(&[])),
    ("tagout-core", Only(&["tagout-seal"])),
    ("tagout-policy", Only(&["tagout-core"])),
    ("tagout-ledger", Only(&["tagout-core", "tagout-seal"])),
    ("tagout-store", Only(&["tagout-core"])),
    (
        "tagout-engine",
        Only(&[
            "tagout-core",
            "tagout-seal",
            "tagout-policy",
            "tagout-ledger",
            "tagout-store",
        ]),
    ),
    ("tagout-http", Only(&["tagout-core"])),
    ("tagout-postgres", Only(&["tagout-core"])),
    ("tagout-console", Only(&["tagout-core"])),
    ("tagout", AllButSeal),
    // What plays the other side must share nothing with us, or both would make the same mistake.
    ("standin-railway", Only(&[])),
    ("tagout-authenticator", Only(&[])),
    (
        "tagout-stage",
        Only(&["standin-railway", "tagout-authenticator"]),
    ),
    ("tagout-tests", AllButSeal),
    ("tagout-bench", Only(&[])),
    ("tagout-fuzz", AllButSeal),
];

/// What a pure crate must not even reach through others: runtimes, sockets, databases, clocks, threads.
const IMPURE: &[&str] = &[
    "async-std",
    "axum",
    "chrono-tz",
    "crossbeam-channel",
    "fs4",
    "h2",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "memmap2",
    "mio",
    "native-tls",
    "notify",
    "openssl",
    "postgres",
    "rayon",
    "reqwest",
    "ring",
    "rusqlite",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "threadpool",
    "tokio",
    "tokio-postgres",
    "tower",
    "tungstenite",
    "ureq",
    "walkdir",
];

/// Licences that may be linked. Anything that offers one of these as a choice is fine as well.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = MetadataCommand::new();
    command
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()]);
    command.exec().unwrap()
}

/// Names of the packages of ours that `package` uses outside its own tests.
fn used<'a>(package: &'a Package, ours: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let beyond_tests = package
        .dependencies
        .iter()
        .filter(|each| each.kind != DependencyKind::Development);
    beyond_tests
        .map(|each| each.name.as_str())
        .filter(|name| ours.contains(name))
        .collect()
}

fn allowed<'a>(row: &Allowed, ours: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    match row {
        Only(names) => ours
            .iter()
            .filter(|name| names.contains(name))
            .copied()
            .collect(),
        AllButSeal => ours
            .iter()
            .filter(|name| **name != "tagout-seal")
            .copied()
            .collect(),
    }
}

#[test]
fn crates_use_only_what_the_table_allows() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let ours: BTreeSet<&str> = members
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let table: BTreeMap<&str, &Allowed> = EDGES.iter().map(|(name, row)| (*name, row)).collect();
    for package in members {
        let row = table.get(package.name.as_str());
        let row = row.unwrap_or_else(|| panic!("`{}` is not in the table of edges", package.name));
        let used = used(package, &ours);
        let extra: Vec<_> = used.difference(&allowed(row, &ours)).copied().collect();
        assert!(
            extra.is_empty(),
            "`{}` must not depend on {extra:?}",
            package.name
        );
    }
}

#[test]
fn nobody_passes_the_seals_on() {
    let metadata = metadata();
    for package in metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.name.as_str() != "tagout-seal")
    {
        for (path, text) in sources(package) {
            let passed_on = text.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with("pub") && line.contains("tagout_seal") && line.contains("use ")
            });
            assert!(!passed_on, "{path} re-exports a seal");
        }
    }
}

fn sources(package: &Package) -> Vec<(String, String)> {
    let mut folders = vec![
        package
            .manifest_path
            .parent()
            .unwrap()
            .join("src")
            .into_std_path_buf(),
    ];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((
                    path.display().to_string(),
                    std::fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    found
}

/// Everything that is compiled into `name`, by name.
fn closure(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name)
        .unwrap();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![&root.id];
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let linked = nodes[id].deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            waiting.extend(linked.map(|dep| &dep.pkg));
        }
    }
    seen.into_iter()
        .map(|id| metadata[id].name.to_string())
        .collect()
}

#[test]
fn core_and_policy_are_pure() {
    let metadata = metadata();
    for name in ["tagout-seal", "tagout-core", "tagout-policy"] {
        let closure = closure(&metadata, name);
        let impure: Vec<_> = IMPURE
            .iter()
            .filter(|banned| closure.contains(**banned))
            .collect();
        assert!(impure.is_empty(), "`{name}` reaches {impure:?}");
    }
    // The same look at something impure, so that an empty answer means what it says.
    assert!(closure(&metadata, "tagout-engine").contains("tokio"));
}

#[test]
fn core_and_policy_ask_the_system_for_nothing() {
    const ASKING: [&str; 9] = [
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "std::net::Tcp",
        "std::net::Udp",
        "SystemTime",
        "Instant::now",
        "getrandom",
    ];
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        if !["tagout-core", "tagout-policy"].contains(&package.name.as_str()) {
            continue;
        }
        for (path, text) in sources(package) {
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let asked = ASKING.iter().find(|word| code.contains(**word));
            assert!(asked.is_none(), "{path} uses {asked:?}");
        }
    }
}

/// Whether an SPDX expression can be satisfied with what may be linked. Old crates write `/` for `OR`.
fn acceptable(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    if expression.contains('(') {
        // `(A OR B) AND C`: each side of the outer AND for itself.
        return expression
            .split(" AND ")
            .all(|side| acceptable(&side.replace(['(', ')'], "")));
    }
    plain
        .split(" AND ")
        .all(|side| side.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn everything_that_is_linked_has_a_licence_that_we_can_live_with() {
    for (expression, fine) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("LGPL-2.1-or-later", false),
    ] {
        assert_eq!(acceptable(expression), fine, "{expression}");
    }
    for package in metadata().packages {
        let licence = package.license.as_deref();
        assert!(
            licence.is_some_and(acceptable),
            "`{}` is under {licence:?}",
            package.name
        );
    }
}

#[test]
fn everything_comes_from_the_one_registry() {
    for package in metadata().packages {
        let source = package.source.as_ref().map(ToString::to_string);
        let known = source
            .as_deref()
            .is_none_or(|source| source == "registry+https://github.com/rust-lang/crates.io-index");
        assert!(known, "`{}` comes from {source:?}", package.name);
    }
}
