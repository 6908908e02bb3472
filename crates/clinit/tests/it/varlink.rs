//! The calls of the socket, as any varlink client makes them.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::wire::Wire;

const WEB: &str =
    "web:httpd:start,:respawn:sleep 1000\nweb:slow:slow,:wait:until test -e go; do sleep 0.02; done\n";

fn started() -> (Daemon, Wire) {
    let daemon = Daemon::start(WEB);
    let wire = Wire::connect(&daemon.socket());
    (daemon, wire)
}

/// The name of the error that a call is refused with.
fn error(wire: &mut Wire, method: &str, parameters: &Value) -> String {
    let reply = wire.call(method, parameters);
    assert!(reply["parameters"].is_object() || reply["parameters"].is_null(), "{reply}");
    reply["error"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_service_tells_what_it_is() {
    let (_daemon, mut wire) = started();
    let info = wire.call("org.varlink.service.GetInfo", &json!({}));
    let info = &info["parameters"];
    assert!(["vendor", "product", "version", "url"].into_iter().all(|name| info[name].is_string()), "{info}");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let interfaces = info["interfaces"].as_array().unwrap();
    assert!(
        interfaces.contains(&json!("org.clinit.Init")) && interfaces.contains(&json!("org.varlink.service"))
    );
    for interface in interfaces {
        let reply =
            wire.call("org.varlink.service.GetInterfaceDescription", &json!({ "interface": interface }));
        let text = reply["parameters"]["description"].as_str().unwrap();
        assert!(text.contains(&format!("\ninterface {}\n", interface.as_str().unwrap())), "{text}");
    }
    let reply =
        wire.call("org.varlink.service.GetInterfaceDescription", &json!({ "interface": "org.clinit.Init" }));
    let text = reply["parameters"]["description"].as_str().unwrap();
    for method in ["Tell", "Status", "Reread", "Shutdown"] {
        assert!(text.contains(&format!("\nmethod {method}(")), "{method}");
    }
}

#[test]
fn a_tell_is_answered_and_obeyed() {
    let (daemon, mut wire) = started();
    let reply = wire.call("org.clinit.Init.Tell", &json!({ "group": "web", "level": "start" }));
    let parameters =
        json!({ "reply": "level transition started", "group": "web", "level": "start", "faults": [] });
    assert_eq!(reply, json!({ "parameters": parameters }));
    daemon.wait_group("web", "start", "DONE");
    let reply = wire.call("org.clinit.Init.Tell", &json!({ "group": "web", "level": "stop" }));
    assert!(
        reply["parameters"]["warning"].as_str().unwrap().contains("no entry of group web has level stop")
    );
}

#[test]
fn with_more_a_second_reply_comes_when_the_transition_has_ended() {
    let (daemon, mut wire) = started();
    let tell = |level: &str| {
        let parameters = json!({ "group": "web", "level": level });
        json!({ "method": "org.clinit.Init.Tell", "parameters": parameters, "more": true })
    };
    wire.say(&tell("slow"));
    let first = wire.hear();
    assert_eq!(first["continues"], true);
    assert!(first["parameters"]["outcome"].is_null());
    assert_eq!(daemon.group("web")["state"], "STARTING");
    daemon.write("go", "");
    let second = wire.hear();
    assert!(second["continues"].is_null());
    assert_eq!(
        (&second["parameters"]["outcome"], &second["parameters"]["state"]),
        (&json!("settled"), &json!("DONE"))
    );

    std::fs::remove_file(daemon.path("go")).unwrap();
    daemon.settle("web", "start", "DONE");
    wire.say(&tell("slow"));
    wire.hear();
    daemon.tell("web", "start");
    assert_eq!(wire.hear()["parameters"]["outcome"], "superseded");
    daemon.wait_group("web", "start", "DONE");
}

#[test]
fn what_is_wrong_with_a_call_is_an_error_with_its_parameters() {
    let (_daemon, mut wire) = started();
    let init = |name: &str| format!("org.clinit.Init.{name}");
    let service = |name: &str| format!("org.varlink.service.{name}");
    for (method, parameters, expected) in [
        ("org.clinit.Init.Fly", json!({}), service("MethodNotFound")),
        ("org.example.Thing.Fly", json!({}), service("InterfaceNotFound")),
        ("org.clinit.Init.Tell", json!({ "group": "web" }), service("InvalidParameter")),
        ("org.clinit.Init.Tell", json!({ "group": "web", "level": 3 }), service("InvalidParameter")),
        ("org.clinit.Init.Tell", json!({ "group": "web", "level": "a b" }), service("InvalidParameter")),
        ("org.clinit.Init.Tell", json!({ "group": "wbe", "level": "x" }), init("NoSuchGroup")),
        (
            "org.clinit.Init.Tell",
            json!({ "group": "web", "level": "x", "strict": true }),
            init("NoSuchLevel"),
        ),
        ("org.clinit.Init.Status", json!({ "group": "x" }), init("NoSuchGroup")),
        ("org.clinit.Init.Status", json!({ "tag": "x" }), init("NoSuchEntry")),
        (
            "org.varlink.service.GetInterfaceDescription",
            json!({ "interface": "org.example" }),
            service("InterfaceNotFound"),
        ),
    ] {
        assert_eq!(error(&mut wire, method, &parameters), expected, "{method} {parameters}");
    }
    let strict = json!({ "group": "web", "level": "strat", "strict": true });
    let refused = wire.call("org.clinit.Init.Tell", &strict);
    let parameters =
        json!({ "group": "web", "level": "strat", "levels": ["start", "slow"], "suggestion": "start" });
    assert_eq!(refused["parameters"], parameters);
    assert!(wire.call("org.clinit.Init.Status", &json!({}))["parameters"]["groups"].is_array());
}

#[test]
fn several_calls_in_one_write_are_answered_in_their_order() {
    let (_daemon, mut wire) = started();
    let calls = [
        json!({ "method": "org.clinit.Init.Status" }),
        json!({ "method": "org.clinit.Init.Reread" }),
        json!({ "method": "org.clinit.Init.Tell", "parameters": { "group": "web", "level": "start" } }),
        json!({ "method": "org.varlink.service.GetInfo" }),
    ];
    let bytes: String = calls.iter().map(|call| format!("{call}\0")).collect();
    assert!(wire.send(bytes.as_bytes()));
    for name in ["daemon", "changed", "reply", "interfaces"] {
        let reply = wire.hear();
        assert!(!reply["parameters"][name].is_null(), "{name}: {reply}");
    }
}

#[test]
fn a_oneway_call_has_no_answer() {
    let (daemon, mut wire) = started();
    for group in ["web", "unknown"] {
        let parameters = json!({ "group": group, "level": "start" });
        wire.say(&json!({ "method": "org.clinit.Init.Tell", "parameters": parameters, "oneway": true }));
    }
    let reply = wire.call("org.varlink.service.GetInfo", &json!({}));
    assert!(reply["parameters"]["interfaces"].is_array(), "{reply}");
    daemon.wait_group("web", "start", "DONE");
}

#[test]
fn a_client_that_has_said_all_still_hears_the_answer() {
    let (_daemon, mut wire) = started();
    wire.say(&json!({ "method": "org.clinit.Init.Status" }));
    wire.end();
    assert!(wire.hear()["parameters"]["groups"].is_array());
    assert!(wire.is_hung_up_on());
}

#[test]
fn a_call_that_arrives_in_pieces_is_one_call() {
    let (_daemon, mut wire) = started();
    for byte in b"{\"method\":\"org.clinit.Init.Status\"}\0" {
        assert!(wire.send(&[*byte]));
    }
    assert!(wire.hear()["parameters"]["groups"].is_array());
}

#[test]
fn a_shutdown_with_more_ends_the_connection_when_the_daemon_is_gone() {
    let (daemon, mut wire) = started();
    daemon.settle("web", "start", "DONE");
    wire.say(&json!({ "method": "org.clinit.Init.Shutdown", "more": true }));
    let reply = wire.hear();
    assert_eq!(reply, json!({ "parameters": { "reply": "all groups halting" }, "continues": true }));
    assert!(wire.is_hung_up_on());
    assert_eq!(daemon.services(), [0; 0]);
    daemon.wait_end();
}

#[test]
fn calls_that_come_at_one_stroke_are_all_answered_in_order() {
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\n");
    let mut wire = Wire::connect(&daemon.socket());
    let call = |tag: &str| {
        format!("{{\"method\":\"org.clinit.Init.Status\",\"parameters\":{{\"tag\":\"{tag}\"}}}}\0")
    };
    assert!(wire.send([call("a"), call("absent"), call("a")].concat().as_bytes()));
    assert!(wire.hear()["parameters"]["groups"].is_array());
    assert_eq!(wire.hear()["error"], "org.clinit.Init.NoSuchEntry");
    assert!(wire.hear()["parameters"]["groups"].is_array());
}
