//! What `clinit check` says of values and links about the care for entries that cannot be.

use serde_json::Value;

use crate::place::Place;

/// A property with a value that it does not take, and words of what is said about it.
const BAD: [(&str, &str, &str); 26] = [
    ("health_check", "udp:53", "it takes `exec:COMMAND`, `tcp:PORT`"),
    ("health_check", "tcp:0", "it takes `exec:COMMAND`, `tcp:PORT`"),
    ("health_check", "exec:", "it takes `exec:COMMAND`, `tcp:PORT`"),
    ("health_interval", "9ms", "a time of at least 10ms"),
    ("health_interval", "infinity", "a time of at least 10ms"),
    ("health_timeout", "0", "a time of at least 10ms"),
    ("health_threshold", "0", "a number from 1 to 100"),
    ("health_threshold", "101", "a number from 1 to 100"),
    ("failover_mode", "gentle", "it takes `none`, `soft` or `log_only`"),
    ("failover_mode", "hard", "`hard` comes with the cluster"),
    ("failover_mode", "restart_only", "`restart_only` comes with the cluster"),
    ("retry_count", "101", "a number from 0 to 100, or infinity"),
    ("retry_count", "-1", "a number from 0 to 100, or infinity"),
    ("retry_interval", "5ms", "a time of at least 10ms"),
    ("restart", "sometimes", "it takes `always`, `on-failure` or `never`"),
    ("restart_delay", "-1", "it takes a time such as"),
    ("restart_delay_max", "infinity", "it takes a time such as"),
    ("success_exit_status", "256", "exit codes from 0 to 255 and names of signals"),
    ("success_exit_status", "NOSIGNAL", "exit codes from 0 to 255 and names of signals"),
    ("start_timeout", "0", "or infinity"),
    ("start_timeout", "none", "or infinity"),
    ("readiness", "fd:2", "`fd:N` with N from 3 to 1023"),
    ("stop_timeout", "later", "or infinity"),
    ("kill_mode", "all", "it takes `group`, `main` or `cgroup`"),
    ("on_failure", "", "it takes a command, or `none`"),
    ("stop_command", "", "it takes a command, or `none`"),
];

/// What `clinit check` finds in a table: faults, then warnings.
#[track_caller]
fn found(table: &str) -> [Vec<Value>; 2] {
    let place = Place::new("");
    place.write("table", table);
    let found: Value = serde_json::from_str(&place.bare("check --json table").out).unwrap();
    ["faults", "warnings"].map(|kind| found[kind].as_array().unwrap().clone())
}

#[test]
fn a_value_that_cannot_be_is_refused_where_it_stands() {
    let mut table = "web:a:1,:respawn:sleep 1000\n".to_owned();
    for (name, value, _) in BAD {
        table += &format!("web:a::{name}:{value}\n");
    }
    let [faults, warnings] = found(&table);
    assert_eq!((faults.len(), warnings.len()), (BAD.len(), 0), "{faults:?} {warnings:?}");
    for (index, (fault, (name, value, words))) in faults.iter().zip(BAD).enumerate() {
        let message = match value {
            "" => format!("no value for `{name}`"),
            value => format!("bad value `{value}` for `{name}`"),
        };
        assert_eq!(fault["message"], message);
        let place = (fault["line"].as_u64().unwrap(), fault["column"].as_u64().unwrap());
        assert_eq!(place, (index as u64 + 2, "web:a::".len() as u64 + name.len() as u64 + 2), "{fault}");
        assert!(fault["hint"].as_str().unwrap().contains(words), "{words}: {fault}");
    }
}

#[test]
fn people_see_the_place_underlined() {
    let place = Place::new("");
    place.write("table", "web:a:1,:respawn:sleep 1000\nweb:a::failover_mode:hard\n");
    let said = place.bare("check table");
    assert_eq!(said.code, Some(1));
    let expected = format!(
        "table:2:22: fault: bad value `hard` for `failover_mode`\n  | web:a::failover_mode:hard\n  | {}^^^^\n  hint: ",
        " ".repeat(21)
    );
    assert!(said.out.starts_with(&expected), "{}", said.out);
}

#[test]
fn what_says_nothing_in_a_mode_is_warned_of() {
    let names =
        ["health_check:tcp:80", "restart:never", "retry_count:3", "readiness:notify", "failover_mode:soft"];
    let lines: String = names.iter().map(|name| format!("web:w::{name}\n")).collect();
    let [faults, warnings] = found(&format!("web:w:1,:wait:true\n{lines}"));
    assert_eq!((faults.len(), warnings.len()), (0, names.len()), "{faults:?} {warnings:?}");
    for (index, (warning, name)) in warnings.iter().zip(names).enumerate() {
        let (name, _) = name.split_once(':').unwrap();
        assert_eq!(warning["message"], format!("`{name}` has no effect in mode `wait`"));
        assert_eq!((&warning["line"], &warning["column"]), (&Value::from(index + 2), &Value::from(8)));
    }
}

#[test]
fn a_link_that_cannot_be_is_refused_where_it_stands() {
    let two = "web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1000\nmail:c:1,:respawn:sleep 1000\n";
    for (line, column, message) in [
        ("web:a::after:nobody", 14, "no entry `nobody` in group `web`"),
        ("web:a::requires:b, c", 20, "no entry `c` in group `web`"),
        ("web:a::requires:a", 17, "an entry cannot require itself"),
        ("web:a::after:b a", 16, "an entry cannot start after itself"),
        ("web:::after:a", 7, "`after` is no property of a group"),
        (":::requires:a", 4, "`requires` is no property of a table"),
    ] {
        let [faults, _] = found(&format!("{two}{line}\n"));
        let [fault] = &faults[..] else { panic!("{line}: {faults:?}") };
        assert_eq!(fault["message"], message);
        assert_eq!((&fault["line"], &fault["column"]), (&Value::from(4), &Value::from(column)), "{fault}");
    }
}

#[test]
fn a_cycle_is_spelled_out() {
    let [faults, _] = found(
        "web:a:1,:respawn:sleep 1000\n\
         web:b:1,:respawn:sleep 1000\n\
         web:c:1,:respawn:sleep 1000\n\
         web:a::after:b\n\
         web:b::requires:c\n\
         web:c::after:a\n",
    );
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(fault["message"], "a cycle: a after b, b requires c, c after a");
    assert_eq!((&fault["line"], &fault["column"]), (&Value::from(6), &Value::from(14)));
    assert_eq!(fault["hint"], "the others are at line 4, line 5: take one of them out");
}
