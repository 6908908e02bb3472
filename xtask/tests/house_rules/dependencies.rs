//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::{none_of, top};

/// The arrows between the project's own crates. They point inward: a crate may use what stands behind it.
const ARROWS: [(&str, &[&str]); 11] = [
    ("clinit-engine", &[]),
    ("clinit-table", &["clinit-engine"]),
    ("clinit-sys", &[]),
    ("clinit-keeper", &["clinit-sys"]),
    ("clinit-logger", &["clinit-sys", "clinit-keeper"]),
    ("clinit-control", &["clinit-engine"]),
    (
        "clinit-daemon",
        &["clinit-engine", "clinit-table", "clinit-sys", "clinit-keeper", "clinit-logger", "clinit-control"],
    ),
    ("clinit", &["clinit-engine", "clinit-table", "clinit-control", "clinit-daemon"]),
    ("clinit-sim", &["clinit-engine"]),
    ("clinit-docs", &["clinit", "clinit-engine", "clinit-table"]),
    ("xtask", &[]),
];

/// The programs that run everywhere, and must need nothing.
const CORE: [&str; 1] = ["clinit"];

/// Async runtimes, TLS and etcd.
const NOT_IN_CORE: [&str; 19] = [
    "async-executor",
    "async-io",
    "async-std",
    "aws-lc-rs",
    "boring",
    "etcd-client",
    "futures-executor",
    "h2",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "reqwest",
    "ring",
    "rustls",
    "smol",
    "tokio",
    "tonic",
];

/// How the source of a package from a registry begins; one from a repository begins otherwise.
const REGISTRY: &str = "registry+";

/// What `cargo metadata` says for Linux.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--filter-platform", &platform]);
    let answer = command.current_dir(top()).output().unwrap();
    assert!(answer.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).unwrap()
});

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// All packages, with those of others.
pub(crate) fn packages() -> impl Iterator<Item = &'static Value> {
    list(&METADATA["packages"]).iter()
}

/// Whether a package, or a dependency, is the project's own.
fn is_ours(package: &Value) -> bool {
    package["source"].is_null()
}

fn our_packages() -> impl Iterator<Item = &'static Value> {
    packages().filter(|package| is_ours(package))
}

/// The ids of `root` and of all that is linked into it.
fn linked(root: &str) -> BTreeSet<&'static str> {
    let nodes: BTreeMap<_, _> =
        list(&METADATA["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();
    let mut found = BTreeSet::new();
    let mut left: Vec<_> =
        packages().filter(|package| text(&package["name"]) == root).map(|root| text(&root["id"])).collect();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            let is_linked = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            left.extend(list(&nodes[id]["deps"]).iter().filter(is_linked).map(|dep| text(&dep["pkg"])));
        }
    }
    found
}

#[test]
fn dependencies_between_our_crates_point_inward() {
    let arrows = BTreeMap::from(ARROWS);
    let mut faults = Vec::new();
    for package in our_packages() {
        let name = text(&package["name"]);
        let Some(allowed) = arrows.get(name) else {
            faults.push(format!("{name} is not in ARROWS: say there what it may use"));
            continue;
        };
        for dependency in list(&package["dependencies"]).iter().filter(|dependency| is_ours(dependency)) {
            let used = text(&dependency["name"]);
            if !allowed.contains(&used) {
                faults.push(format!("{name} may not use {used}"));
            }
        }
    }
    none_of("dependencies between crates point inward (ARCHITECTURE.md)", &faults);
}

#[test]
fn the_core_links_no_async_runtime_no_tls_and_no_etcd() {
    let names: BTreeMap<_, _> =
        packages().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    for core in CORE {
        let linked: BTreeSet<_> = linked(core).into_iter().map(|id| names[id]).collect();
        assert!(linked.contains("clinit-engine"), "{core} links {linked:?}: is the graph read rightly?");
        let faults: Vec<_> = NOT_IN_CORE.into_iter().filter(|name| linked.contains(name)).collect();
        assert!(faults.is_empty(), "{core} links {faults:?}");
    }
}

#[test]
fn everything_foreign_comes_from_the_public_registry() {
    let foreign =
        packages().filter(|package| !is_ours(package) && !text(&package["source"]).starts_with(REGISTRY));
    let faults: Vec<_> = foreign.map(|package| text(&package["id"]).to_owned()).collect();
    none_of("a build needs a registry of crates alone, no repository", &faults);
}

#[test]
fn every_direct_dependency_has_its_line_of_reason() {
    let page = std::fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap_or_default();
    let direct: BTreeSet<_> = our_packages()
        .flat_map(|package| list(&package["dependencies"]))
        .filter(|dependency| !is_ours(dependency))
        .map(|dependency| text(&dependency["name"]))
        .collect();
    let has_line = |name: &str| page.lines().any(|line| line.starts_with(&format!("| `{name}` ")));
    let faults: Vec<_> = direct.into_iter().filter(|name| !has_line(name)).map(str::to_owned).collect();
    none_of("ARCHITECTURE.md has a line `| `NAME` | reason |` for each dependency", &faults);
}
