//! The client against daemons that misbehave: it answers or fails in time, and says what happened.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::io::{Read, Write};
use std::net::Shutdown as Half;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clinit_control::client::{Client, ClientError, ProtocolError, SOCKET_PATH_BYTES_MAX};
use clinit_control::interface::{CallError, Outcome, Reread, Shutdown, ShutdownReply, Status, Tell};
use serde_json::{Value, json};

/// Long enough for anything that is going to happen.
const LONG: Duration = Duration::from_secs(20);
/// For what is not going to happen.
const SHORT: Duration = Duration::from_millis(100);

/// The next call, as the daemon sees it.
fn call(socket: &mut UnixStream) -> Value {
    let mut message = Vec::new();
    let mut byte = [0];
    while socket.read_exact(&mut byte).is_ok() && byte != [0] {
        message.extend(byte);
    }
    serde_json::from_slice(&message).unwrap()
}

fn say(socket: &mut UnixStream, message: &Value) {
    socket.write_all(format!("{message}\0").as_bytes()).unwrap();
}

/// A client of a daemon that acts as `script` says, then hangs up.
fn against(timeout: Duration, script: impl FnOnce(&mut UnixStream) + Send + 'static) -> Client {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || script(&mut theirs));
    Client::over(ours, timeout)
}

/// A client of a daemon that answers its one call with these bytes, then hangs up.
fn answered(bytes: &'static [u8]) -> Client {
    against(LONG, move |socket| {
        call(socket);
        socket.write_all(bytes).unwrap();
    })
}

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("clinit-control-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("init.s")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn tell() -> Tell {
    Tell { group: "web".to_owned(), level: "run".to_owned(), strict: false }
}

fn told(more: &Value) -> Value {
    let mut parameters =
        json!({"reply": "level transition started", "group": "web", "level": "run", "faults": []});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

#[test]
fn a_call_is_answered() {
    let mut client = against(LONG, |socket| {
        let expected =
            json!({"method": "org.clinit.Init.Tell", "parameters": {"group": "web", "level": "run"}});
        assert_eq!(call(socket), expected);
        for byte in json!({"parameters": told(&json!({}))}).to_string().bytes().chain([0]) {
            socket.write_all(&[byte]).unwrap();
        }
        assert_eq!(call(socket), json!({"method": "org.clinit.Init.Reread", "parameters": {}}));
        say(socket, &json!({"parameters": {"changed": true, "faults": [], "warnings": []}}));
    });
    assert_eq!(client.tell(&tell()).unwrap().reply, "level transition started");
    assert!(client.reread().unwrap().changed);
}

#[test]
fn a_refusal_is_an_error_with_its_parameters() {
    let mut client = against(LONG, |socket| {
        call(socket);
        let parameters = json!({"group": "wbe", "suggestion": "web"});
        say(socket, &json!({"error": "org.clinit.Init.NoSuchGroup", "parameters": parameters}));
        call(socket);
        say(socket, &json!({"error": "org.clinit.Init.OnFire", "parameters": {"where": "here"}}));
    });
    let refused = client.status(&Status::default()).unwrap_err();
    assert_eq!(refused.to_string(), "no such group: wbe");
    assert_eq!(refused.hint().unwrap(), "did you mean web?");
    let unknown = client.status(&Status::default()).unwrap_err();
    assert!(unknown.to_string().contains(r#"org.clinit.Init.OnFire {"where":"here"}"#), "{unknown}");
}

#[test]
fn a_daemon_that_hangs_up_at_once_may_have_said_why() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    say(&mut theirs, &json!({"error": "org.clinit.Init.Busy"}));
    drop(theirs);
    let refused = Client::over(ours, LONG).reread().unwrap_err();
    assert!(matches!(refused, ClientError::Remote(CallError::Busy)), "{refused:?}");
}

#[test]
fn garbage_is_not_understood() {
    for garbage in [&b"\0"[..], b"hello\0", b"[]\0", b"{\"parameters\"\0", b"\xff\xfe\0"] {
        let error = answered(garbage).reread().unwrap_err();
        assert!(matches!(error, ClientError::Protocol(ProtocolError::Message(_))), "{garbage:?}: {error:?}");
    }
    for other in [&b"{}\0"[..], b"{\"parameters\":[true]}\0", b"{\"parameters\":{\"changed\":1}}\0"] {
        let error = answered(other).reread().unwrap_err();
        assert!(matches!(error, ClientError::Protocol(ProtocolError::Parameters { .. })), "{error:?}");
    }
}

#[test]
fn a_connection_that_ends_in_the_middle_is_closed() {
    for half in [&b""[..], b"{\"parameters\":{\"cha", b"{}"] {
        let error = answered(half).reread().unwrap_err();
        assert!(matches!(error, ClientError::Closed), "{half:?}: {error:?}");
    }
    let started = json!({"continues": true, "parameters": told(&json!({}))});
    let mut client = against(LONG, move |socket| say(socket, &started));
    assert!(matches!(client.tell_and_wait(&tell(), LONG), Err(ClientError::Closed)));
}

#[test]
fn a_daemon_that_stalls_costs_no_more_than_the_timeout() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut client = Client::over(ours, SHORT);
    let start = Instant::now();
    let error = client.reread().unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the daemon did not answer within 100ms");
    assert!((SHORT..LONG).contains(&start.elapsed()));

    let error = client.reread().unwrap_err();
    assert!(matches!(error, ClientError::Protocol(ProtocolError::GivenUp)), "{error:?}");
}

#[test]
fn a_daemon_that_trickles_or_floods_costs_no_more_than_the_timeout() {
    fn keep_saying(bytes: &'static [u8], pause: Duration) -> Client {
        against(SHORT, move |socket| {
            while socket.write_all(bytes).is_ok() {
                thread::sleep(pause);
            }
        })
    }
    let start = Instant::now();
    let error = keep_saying(b" ", SHORT / 10).reread().unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    let error = keep_saying(b"{}\0", Duration::ZERO).wait_gone(SHORT).unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert!(start.elapsed() < LONG);
}

#[test]
fn a_daemon_that_does_not_read_costs_no_more_than_the_timeout() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let huge = Tell { group: "x".repeat(16 << 20), ..tell() };
    let error = Client::over(ours, SHORT).tell(&huge).unwrap_err();
    assert_eq!(error.to_string(), "the daemon did not take the call within 100ms");
}

#[test]
fn two_replies_in_one_read_are_two_replies() {
    let mut client = against(LONG, |socket| {
        assert_eq!(call(socket)["more"], true);
        let first = json!({"continues": true, "parameters": told(&json!({}))});
        let second = json!({"parameters": told(&json!({"outcome": "settled", "state": "DONE"}))});
        socket.write_all(format!("{first}\0{second}\0").as_bytes()).unwrap();
        call(socket);
        say(socket, &json!({"parameters": told(&json!({"outcome": "gone"}))}));
    });
    let replies: Vec<_> = client.stream(&tell()).unwrap().map(Result::unwrap).collect();
    assert_eq!(replies.iter().map(|reply| reply.outcome).collect::<Vec<_>>(), [None, Some(Outcome::Settled)]);
    assert_eq!(replies[1].state.unwrap().as_str(), "DONE");
    assert_eq!(client.tell_and_wait(&tell(), LONG).unwrap().outcome, Some(Outcome::Gone));
}

#[test]
fn a_stream_that_is_dropped_early_spoils_the_connection() {
    let mut client = against(LONG, |socket| {
        call(socket);
        say(socket, &json!({"continues": true, "parameters": told(&json!({}))}));
    });
    assert!(client.stream(&tell()).unwrap().next().unwrap().is_ok());
    let error = client.reread().unwrap_err();
    assert!(matches!(error, ClientError::Protocol(ProtocolError::GivenUp)), "{error:?}");
}

#[test]
fn a_call_for_one_reply_takes_no_more() {
    let error = answered(b"{\"continues\":true,\"parameters\":{\"reply\":\"\"}}\0")
        .shutdown(Shutdown::default())
        .unwrap_err();
    assert!(matches!(error, ClientError::Protocol(ProtocolError::NotLast)), "{error:?}");
}

#[test]
fn a_large_reply_comes_whole_and_an_endless_one_is_refused() {
    let entry = json!({"tag": "t", "mode": "respawn", "levels": ["run"], "wanted": true, "transient": false, "hold": "free",
        "state": "running", "troubled": false, "reloading": false, "pid": 1, "since_ms": 1, "restarts": 0, "command": "x".repeat(100)});
    let group = json!({"name": "web", "state": "DONE", "since_ms": 1, "told": true, "transient": false, "fallen": false,
            "entries": vec![entry; 20_000]});
    let daemon = json!({"keeper_pid": 1, "engine_pid": 2, "version": "", "table": "", "socket": "",
        "clstat": "", "since_ms": 0});
    let mut client = against(LONG, move |socket| {
        call(socket);
        say(socket, &json!({"parameters": {"daemon": daemon, "groups": [group]}}));
    });
    assert_eq!(client.status(&Status::default()).unwrap().groups[0].entries.len(), 20_000);

    let mut client = against(LONG, |socket| {
        let blanks = vec![b' '; 1 << 20];
        while socket.write_all(&blanks).is_ok() {}
    });
    let error = client.reread().unwrap_err();
    assert!(matches!(error, ClientError::Protocol(ProtocolError::TooLong(_))), "{error:?}");
}

#[test]
fn no_socket_and_a_stale_one_are_no_daemon() {
    let folder = Folder::new();
    let refused = || Client::connect(&folder.socket(), LONG).unwrap_err();
    assert!(matches!(refused(), ClientError::NoDaemon { .. }));
    drop(UnixListener::bind(folder.socket()).unwrap());
    assert!(matches!(refused(), ClientError::NoDaemon { .. }));
    let text = refused().to_string();
    assert_eq!(text, format!("no daemon answers at {}", folder.socket().display()));
    assert!(refused().hint().unwrap().contains("CLINIT_SOCKET"));
}

#[test]
fn a_path_that_fits_no_address_is_refused_with_the_limit() {
    let longest = format!("/{}", "x".repeat(SOCKET_PATH_BYTES_MAX - 1));
    let error = Client::connect(Path::new(&longest), LONG).unwrap_err();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{error:?}");
    let error = Client::connect(Path::new(&format!("{longest}x")), LONG).unwrap_err();
    assert!(error.to_string().starts_with("the socket's path has 108 bytes, and the kernel takes 107: /xxx"));
    assert!(error.hint().unwrap().contains("shorter"));
}

#[test]
fn a_daemon_that_takes_no_connections_costs_no_more_than_the_timeout() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.socket()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // A queue of length 0 holds one.
    let _waiting = Client::connect(&folder.socket(), LONG).unwrap();
    let error = Client::connect(&folder.socket(), SHORT).unwrap_err();
    assert_eq!(error.to_string(), "the daemon did not take the connection within 100ms");
}

#[test]
fn a_daemon_is_gone_when_its_socket_takes_no_more_connections() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let daemon: JoinHandle<()> = thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        assert_eq!(call(&mut first)["parameters"], json!({"now": true}));
        say(&mut first, &json!({"continues": true, "parameters": {"reply": ShutdownReply::HALTING}}));
        // The engine dies and is back: the client finds it again and goes on waiting.
        first.shutdown(Half::Both).unwrap();
        let second = listener.accept().unwrap().0;
        thread::sleep(SHORT);
        drop(listener);
        drop(second);
    });
    let client = Client::connect(&folder.socket(), LONG).unwrap();
    let start = Instant::now();
    assert_eq!(client.shutdown_and_wait(Shutdown { now: true }, LONG).unwrap().reply, ShutdownReply::HALTING);
    assert!(start.elapsed() >= SHORT);
    daemon.join().unwrap();
}

#[test]
fn a_daemon_that_stays_is_not_gone() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let client = Client::connect(&folder.socket(), LONG).unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(client.wait_gone(SHORT).unwrap_err().to_string(), "the daemon did not end within 100ms");
}

#[test]
fn a_timeout_beyond_the_clock_is_for_ever() {
    let mut client = against(Duration::MAX, |socket| {
        call(socket);
        thread::sleep(SHORT);
        say(socket, &json!({"parameters": {"changed": false, "faults": [], "warnings": []}}));
    });
    assert!(!client.call(&Reread {}).unwrap().changed);
}
