//! Output. A reader who has gone away is no error.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};

use clinit_control::CallError;
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
    lines_or_gone("", text)
}

/// The same behind what a terminal is to obey.
pub(crate) fn lines_or_gone(command: &str, text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{command}{}", harmless(text))?;
    out.flush()
}

/// What no terminal obeys: services, their files and whoever answers at a socket may say anything.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(is_obeyed) { text.replace(is_obeyed, "\u{fffd}").into() } else { text.into() }
}

/// Prints text that has its line ends.
pub(crate) fn text_as_it_is(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush()) {
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
    let _nobody_reads = writeln!(io::stderr(), "{}", harmless(text));
}

/// Says why the daemon did not do as asked; the exit code for it.
pub(crate) fn client_error(error: &ClientError) -> Exit {
    let overview = || "clinit status shows what there is".to_owned();
    let hint = match error {
        ClientError::Remote(CallError::NoSuchGroup { .. } | CallError::NoSuchEntry { .. }) => {
            error.hint().or_else(|| Some(overview()))
        }
        _ => error.hint(),
    };
    self::error(&with_sources(error), hint.as_deref());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(harmless("a\tb\u{e4}\n"), "a\tb\u{e4}\n");
        assert_eq!(harmless("\u{1b}]0;x\u{7}\u{9b}2J\r\n"), "\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}\n");
    }
}
