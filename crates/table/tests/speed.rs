//! Large tables are read in linear time.

use std::fmt::Write;
use std::time::{Duration, Instant};

use clinit_table::{ParseOptions, Parsed, Source, parse};

const ENTRIES: usize = 100_000;

/// Far above what an optimised build takes, so that a busy machine does not fail, and far below anything quadratic.
const TIME_MAX: Duration = Duration::from_secs(30);

fn read(text: String) -> Parsed {
    let sources = [Source { name: "t".into(), text: text.into() }];
    let start = Instant::now();
    let parsed = parse(&sources, ParseOptions::default());
    let took = start.elapsed();
    assert!(took < TIME_MAX, "took {took:?}");
    parsed
}

fn lines(mut line: impl FnMut(&mut String, usize)) -> String {
    let mut text = String::new();
    (0..ENTRIES).for_each(|n| line(&mut text, n));
    text
}

#[test]
fn a_hundred_thousand_entries_are_read_quickly() {
    let parsed = read(lines(|text, n| {
        let _ = writeln!(
            text,
            "group{}:tag{n}:start,run:respawn:/usr/local/bin/daemon --port {n} --quiet",
            n % 1000
        );
    }));
    assert_eq!(parsed.table.groups.len(), 1000);
    assert_eq!(parsed.diagnostics, []);
}

#[test]
fn a_hundred_thousand_groups_with_properties_are_read_quickly() {
    let parsed = read(lines(|text, n| {
        let _ = writeln!(text, "g{n}:::stop_timeout:5\ng{n}:t{n}::output:null\ng{n}:t{n}:1:once:echo $x");
    }));
    assert_eq!(parsed.table.groups.len(), ENTRIES);
    assert_eq!(parsed.diagnostics, []);
}

#[test]
fn faults_and_repeats_cost_no_more_than_good_lines() {
    let faults = [
        "g:a:1:respwan:x\n",
        "g:same:1:once:x\n",
        "g:nope::output:null\n",
        ":::cgroup:no\n:::kill_mode:cgroup\n",
        "g:::output:null\n",
        "x\n",
    ];
    for fault in faults {
        let parsed = read(lines(|text, _| text.push_str(fault)) + "g:last:1:once:x\n");
        assert!(!parsed.diagnostics.is_empty());
    }
    let parsed = read(lines(|text, n| {
        let _ = writeln!(text, "g:tag{n}:1:once:x\ng:tga{n}::output:null");
    }));
    assert!(parsed.has_faults());
}

#[test]
fn one_line_of_many_labels_is_read_quickly() {
    let labels = "x,".repeat(30_000);
    let parsed = read(
        format!("g:a:{labels}:once:x\n").repeat(1) + &format!("g:b:{}:once:x\n", labels.replace('x', "-")),
    );
    assert_eq!(parsed.table.groups[0].entries.len(), 1);
}

#[test]
fn a_hundred_thousand_entries_that_are_looked_after_are_read_quickly() {
    let parsed = read(lines(|text, n| {
        let _ = writeln!(
            text,
            "g{0}:t{n}:1:respawn:x\ng{0}:t{n}::health_check:tcp:80\ng{0}:t{n}::listen:unix:/run/{n}",
            n % 100
        );
    }));
    assert_eq!(parsed.diagnostics, []);
}

#[test]
fn long_chains_and_cycles_of_links_are_followed_quickly() {
    let chain = |next: fn(usize) -> usize| {
        read(lines(|text, n| {
            let _ = writeln!(text, "g:t{n}:1:respawn:x\ng:t{n}::requires:t{}", next(n));
        }))
    };
    for parsed in [chain(|n| (n + 1) % ENTRIES), chain(|n| (n + ENTRIES - 1) % ENTRIES)] {
        assert_eq!(parsed.faults().count(), 1);
    }
    // A cycle for each of many entries.
    let parsed = read(lines(|text, n| {
        if n % 4 == 0 {
            let _ = writeln!(text, "g:t{n}:1:respawn:x\ng:t{n}::after:t{0}\ng:t{0}::after:t{n}", n / 8 * 4);
        }
    }));
    assert!(parsed.has_faults());
    let all = (1..10_000).map(|n| format!("t{n} ")).collect::<String>();
    let parsed = read(lines(|text, n| {
        let _ = writeln!(text, "g:t{n}:1:respawn:x");
        if n % 10_000 == 0 {
            let _ = writeln!(text, "g:t{n}::requires:{all}");
        }
    }));
    assert!(!parsed.has_faults());
}
