//! Sockets that services are given: opened before they start, and held over restarts and deaths.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::{is_alive, kill, send};
use crate::speaker::{place, touch};
use crate::user::{STRANGER, can_be_stranger};
use crate::wait::{DEADLINE, eventually};

/// Answers each connection with its pid; after one that finds the file `die` it ends, and leaves the next to
/// whoever comes.
const SERVER: &str = "note('told', ' '.join([os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'], str(os.getpid())]))\n\
server = socket.socket(fileno=3)\n\
while True:\n    \
    client, _ = server.accept()\n    \
    dies = os.path.exists('die')\n    \
    client.send(b'%d\\n' % os.getpid())\n    \
    client.close()\n    \
    if dies:\n        \
        os.unlink('die')\n        \
        wait_for('go')\n        \
        os.unlink('go')\n        \
        os._exit(1)";

/// A port that nobody has just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn table(port: u16) -> String {
    format!("web:a:run,:respawn:@a\nweb:a::listen:tcp:127.0.0.1:{port}\nweb:a::throttle_starts:0\n")
}

/// Connects, and waits for nothing.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The pid that answers.
#[track_caller]
fn answer(mut stream: impl Read) -> u32 {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.trim().parse().unwrap()
}

/// A service that listens, at its level.
fn serving(port: u16) -> Daemon {
    let daemon = Daemon::at(place(&table(port), &[("a", SERVER)]));
    daemon.settle("web", "run", "DONE");
    daemon
}

#[test]
fn a_service_is_given_its_sockets_in_order() {
    let port = free_port();
    let place = place(
        &format!(
            "web:a:run,:respawn:@a\nweb:a::listen:unix:FOLDER/one.s\nweb:a::listen:tcp:127.0.0.1:{port}\n\
             web:a::listen_mode:0640\nweb:a::readiness:fd:9\n"
        ),
        &[(
            "a",
            "one, two = socket.socket(fileno=3), socket.socket(fileno=4)\n\
             note('names', one.getsockname() + ' ' + str(two.getsockname()[1]))\n\
             note('told', ' '.join([os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'], str(os.getpid())]))\n\
             note('fds', ' '.join(sorted(os.listdir('/proc/self/fd'))))\nos.write(9, b'\\n')\nrest()",
        )],
    );
    let folder = place.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    place.write_table(&place.read("cltab").replace("FOLDER", &folder));
    let daemon = Daemon::at(place);
    daemon.settle("web", "run", "DONE");
    let pid = daemon.wait_entry("a", "ready")["pid"].clone();
    assert_eq!(daemon.read("names"), format!("{folder}/one.s {port}"));
    assert_eq!(daemon.read("told"), format!("2 {pid} {pid}"));
    assert_eq!(daemon.read("fds"), "0 1 2 3 4 5 9", "5 is the folder that is being read");
    assert_eq!(daemon.path("one.s").metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_connection_waits_while_its_service_restarts() {
    let port = free_port();
    let daemon = serving(port);
    let first = answer(connect(port));
    touch(&daemon, "die");
    assert_eq!(answer(connect(port)), first);
    let waiting = connect(port);
    touch(&daemon, "go");
    assert_ne!(answer(waiting), first);
    assert_eq!(daemon.read("told").split(' ').next(), Some("1"));
}

#[test]
fn a_connection_waits_over_the_deaths_of_the_daemon() {
    let port = free_port();
    let daemon = serving(port);
    let mut last = answer(connect(port));
    for roles in
        [&["engine"][..], &["keeper"], &["engine", "keeper"], &["keeper", "logger"], &["engine", "logger"]]
    {
        touch(&daemon, "die");
        assert_eq!(answer(connect(port)), last);
        let waiting = connect(port);
        let pids: Vec<u32> = roles.iter().map(|role| daemon.role_pid(role)).collect();
        pids.iter().for_each(|&pid| send(pid, Signal::STOP));
        touch(&daemon, "go");
        eventually("that the service has ended", || !is_alive(last));
        pids.iter().for_each(|&pid| send(pid, Signal::KILL));
        let next = answer(waiting);
        assert_ne!(next, last, "{roles:?}");
        last = next;
        daemon.wait_answer();
    }
}

#[test]
fn after_all_of_the_daemon_died_the_sockets_are_taken_from_the_service() {
    let port = free_port();
    let daemon = serving(port);
    let first = answer(connect(port));
    let pids = ["keeper", "engine", "logger"].map(|role| daemon.role_pid(role));
    kill(&pids);
    daemon.wait_end();
    daemon.restart();
    daemon.pid("a");
    touch(&daemon, "die");
    assert_eq!(answer(connect(port)), first);
    let waiting = connect(port);
    touch(&daemon, "go");
    assert_ne!(answer(waiting), first);
}

#[test]
fn what_is_stopped_for_good_listens_no_longer() {
    let port = free_port();
    let daemon = serving(port);
    answer(connect(port));
    daemon.settle("web", "off", "DONE");
    eventually("that nobody listens", || TcpStream::connect(("127.0.0.1", port)).is_err());
    daemon.settle("web", "run", "DONE");
    answer(connect(port));
    daemon.clinit("stop web/a").done();
    eventually("that nobody listens", || TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn what_the_table_lists_no_longer_is_closed() {
    let (port, other) = (free_port(), free_port());
    let daemon = serving(port);
    let first = answer(connect(port));
    daemon.write_table(&format!(
        "{}web:a::listen:tcp:127.0.0.1:{other}\n",
        table(port).replace("@a", "python3 -u a.py")
    ));
    daemon.reread();
    daemon.wait_group("web", "run", "DONE");
    assert_ne!(answer(connect(port)), first);
    assert_eq!(daemon.read("told").split(' ').next(), Some("2"));
    connect(other);
    daemon.write_table(&table(other).replace("@a", "python3 -u a.py"));
    daemon.reread();
    eventually("that nobody listens", || TcpStream::connect(("127.0.0.1", port)).is_err());
    answer(connect(other));
    // Of one that is left with nothing, too, and it gets none.
    daemon.write_table("web:a:run,:respawn:echo \"fds=$LISTEN_FDS\" > last; exec sleep 1000\n");
    daemon.reread();
    daemon.wait_file("last");
    eventually("that nobody listens", || TcpStream::connect(("127.0.0.1", other)).is_err());
    eventually("what it was given", || daemon.read("last") == "fds=\n");
}

#[test]
fn an_address_in_use_is_told_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let daemon = Daemon::at(place(&table(port), &[("a", SERVER)]));
    daemon.tell("web", "run");
    let words = [format!("listen: 127.0.0.1:{port}"), "another program has it".to_owned()];
    eventually("a word about it", || words.iter().all(|word| daemon.err().contains(word)));
    drop(taken);
    eventually("that it runs", || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

#[test]
fn a_low_port_takes_a_privilege() {
    if !can_be_stranger() {
        return;
    }
    let text = "web:a:run,:once:true\nweb:a::listen:tcp:127.0.0.1:81\n";
    let place = place(text, &[]);
    crate::user::give_to_unprivileged(&place, "");
    let mut command = crate::user::unprivileged(&place, "-c cltab -s init.s -d");
    let daemon = Daemon::by(place, &mut command);
    daemon.tell("web", "run");
    let said = "listen: 127.0.0.1:81: Permission denied: ports below 1024 take root";
    eventually("a word about it", || daemon.err().contains(said));
}

#[test]
fn a_socket_in_the_file_system_is_its_users() {
    if !can_be_stranger() {
        return;
    }
    let place = place("", &[("a", SERVER)]);
    let path = place.path("a.s");
    place.write_table(&format!(
        "web:a:run,:respawn:python3 -u a.py\nweb:a::listen:unix:{}\nweb:a::listen_mode:0600\nweb:a::run_user:65534\n\
         web:a::run_group:65534\nweb:a::directory:/tmp\nweb:a::output:null\n",
        path.display()
    ));
    // One that nobody answers at is replaced.
    drop(UnixListener::bind(&path).unwrap());
    let daemon = Daemon::at(place);
    daemon.settle("web", "run", "DONE");
    eventually("a socket", || UnixStream::connect(&path).is_ok());
    let metadata = path.metadata().unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (STRANGER, STRANGER, 0o600));
}

#[test]
fn a_socket_that_answers_and_a_file_are_left_alone() {
    let place = place("", &[]);
    let path = place.path("a.s");
    let listener = UnixListener::bind(&path).unwrap();
    place.write_table(&format!("web:a:run,:once:true\nweb:a::listen:unix:{}\n", path.display()));
    let daemon = Daemon::at(place);
    daemon.tell("web", "run");
    eventually("a word about it", || daemon.err().contains("another program answers there"));
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    daemon.write("a.s", "precious");
    daemon.tell("web", "off");
    daemon.tell("web", "run");
    eventually("a word about it", || daemon.err().contains("what stands there is no socket: remove it"));
    assert_eq!(daemon.read("a.s"), "precious");
}

#[test]
fn a_program_made_for_systemd_is_served() {
    // systemd-socket-activate's own way of asking: by number, environment and type.
    let port = free_port();
    let script = "assert int(os.environ['LISTEN_PID']) == os.getpid()\n\
                  server = socket.socket(fileno=3)\n\
                  assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1\n\
                  assert server.getblocking()\n\
                  note('fine')\nrest()";
    let daemon = Daemon::at(place(&table(port), &[("a", script)]));
    daemon.settle("web", "run", "DONE");
    daemon.wait_file("fine");
}
