//! Output. A reader who has gone away is no error.

use std::error::Error;
use std::io::{self, Write};

use clinit_control::client::ClientError;
use clinit_daemon::start::StartError;
use clinit_table::Dialect;

use super::exit::Exit;

/// Prints a line.
pub(crate) fn line(text: &str) -> Exit {
    text_as_it_is(&format!("{text}\n"))
}

/// Prints a line, and fails when nobody reads any more.
pub(crate) fn line_or_gone(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints text that has its line ends.
pub(crate) fn text_as_it_is(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::System,
        Ok(()) | Err(_) => Exit::Done,
    }
}

/// Prints what went wrong, and what to do about it.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    note(&format!("clinit: {message}"));
    if let Some(hint) = hint {
        note(&format!("hint: {hint}"));
    }
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{text}");
}

/// Says why the daemon did not do as asked; the exit code for it.
pub(crate) fn client_error(error: &ClientError) -> Exit {
    self::error(&with_sources(error), error.hint().as_deref());
    Exit::of_client(error)
}

/// Says why a daemon cannot be started; the exit code for it.
pub(crate) fn start_error(error: &StartError) -> Exit {
    self::error(&with_sources(error), None);
    Exit::of_start(error)
}

/// An error and what it came from, in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The usage of old, to standard error.
pub(crate) fn usage(dialect: Dialect) {
    note(match dialect {
        Dialect::Clinit => "usage: clinit [-h] [-d] [-k] [-v] [-c TABLE] [-s SOCKET] [[GROUP] LEVEL]",
        Dialect::IsInit => "usage: isinit [-h] [-k] [-c TABLE] [-s SOCKET] [[GROUP] LEVEL]",
    });
    note("       clinit VERB ...; clinit --help lists the verbs");
}
