//! `clinit check`

use serde_json::{Value, json};

use crate::place::Place;

#[test]
fn a_table_without_faults_is_0() {
    let place = Place::new("");
    place.write("good", "web:httpd:open,:respawn:sleep 1000\nmail:::initdefault:1\nmail:smtpd:1:once:true\n");
    place.bare("check good").is(0, "good: no faults, 2 groups with 2 entries\n", "");
    place.bare("-c good check").is(0, "good: no faults, 2 groups with 2 entries\n", "");
}

#[test]
fn faults_are_1_and_underlined_with_a_hint() {
    let place = Place::new("");
    place.write("bad", "# two faults\nweb:httpd:1,:respwan:sleep 1000\nweb:::stop_timeout:soon\n");
    let said = place.bare("check bad");
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let first = "bad:2:14: fault: unknown mode `respwan`\n  | web:httpd:1,:respwan:sleep 1000\n  |              \
                 ^^^^^^^\n  hint: did you mean `respawn`?\n\n";
    assert!(said.out.starts_with(first), "{}", said.out);
    assert!(said.out.contains("bad:3:"), "all faults at once: {}", said.out);
    assert!(said.out.contains("bad: 2 faults, "), "{}", said.out);
}

#[test]
fn json_is_for_programs() {
    let place = Place::new("");
    place.write("bad", "web:httpd:1,:respwan:x\nweb:status:status,:once:true\n");
    let said = place.bare("check --json bad");
    assert_eq!(said.code, Some(1));
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&found["groups"], &found["entries"]), (&json!(1), &json!(1)));
    let fault = &found["faults"][0];
    assert_eq!(
        *fault,
        json!({
            "severity": "fault",
            "code": "unknown-mode",
            "message": "unknown mode `respwan`",
            "hint": "did you mean `respawn`?",
            "source": "bad",
            "line": 1,
            "column": 14,
            "length": 7,
            "text": "web:httpd:1,:respwan:x",
        })
    );
    assert_eq!(found["warnings"][0]["code"], "verb-as-name");

    let said = place.bare("check --json absent");
    assert_eq!(said.code, Some(1));
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["faults"][0]["code"], "unreadable");
}

#[test]
fn warnings_alone_are_0() {
    let place = Place::new("");
    place.write("doubtful", "tell:httpd:up,:respawn:sleep 1000\n");
    let said = place.bare("check doubtful");
    assert_eq!(said.code, Some(0));
    for words in [
        "group `tell` is named like a command",
        "level `up` is named like a command",
        "no faults, 2 warnings",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
}

#[test]
fn it_needs_no_daemon_and_starts_none() {
    let place = Place::new("web:httpd:start,:respawn:sleep 1000\n");
    place.clinit("check cltab").done();
    assert!(!place.has("init.s"));
}
