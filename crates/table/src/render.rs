//! Diagnostics as text.
//!
//! ```text
//! /etc/cltab:3:13: fault: unknown mode `respwan`
//!   | web:httpd:1:respwan:/usr/sbin/httpd
//!   |             ^^^^^^^
//!   hint: did you mean `respawn`?
//! ```

use std::fmt;

use crate::diagnostic::{Diagnostic, Span};
use crate::glyph;

/// Widest excerpt of a line, in columns of the terminal, without the dots where it is cut.
pub const EXCERPT_COLUMNS_MAX: usize = 100;

/// Characters shown before the span where a long line is cut.
const CONTEXT_CHARS: usize = 30;

/// The diagnostic with the line that it is about, over several lines of text, the last one without an end.
pub fn render(diagnostic: &Diagnostic) -> impl fmt::Display {
    Full(diagnostic)
}

/// The diagnostic in one line, for a log: `path:LINE:COL: message`.
pub fn render_one_line(diagnostic: &Diagnostic) -> impl fmt::Display {
    OneLine(diagnostic)
}

struct OneLine<'a>(&'a Diagnostic);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(self.0.span.as_ref(), f)?;
        f.write_str(&self.0.message)
    }
}

struct Full<'a>(&'a Diagnostic);

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { severity, message, span, hint, .. } = self.0;
        write_place(span.as_ref(), f)?;
        write!(f, "{}: {message}", severity.as_str())?;
        if let Some(span) = span {
            let excerpt = Excerpt::of(span);
            write!(f, "\n  | {}\n  | {}", excerpt.text.trim_end(), excerpt.underline.trim_end())?;
        }
        if let Some(hint) = hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

fn write_place(span: Option<&Span>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match span {
        Some(span) => write!(f, "{}:{}:{}: ", span.source, span.line, span.column),
        None => Ok(()),
    }
}

/// The part of a line around a span, and the underline beneath it.
#[derive(Default)]
struct Excerpt {
    text: String,
    underline: String,
}

impl Excerpt {
    fn of(span: &Span) -> Self {
        let start = span.column.saturating_sub(1);
        let marked = start..start + span.length.max(1);
        let columns: usize = span.text.chars().map(|c| glyph::shown(c).1).sum();
        let first = if columns >= EXCERPT_COLUMNS_MAX { start.saturating_sub(CONTEXT_CHARS) } else { 0 };

        let mut excerpt = Self::default();
        if first > 0 {
            excerpt.push_dots();
        }
        let mut columns = 0;
        // The blank behind the text is where a mark behind the last character stands.
        for (index, c) in span.text.chars().chain([' ']).enumerate().skip(first) {
            let (shown, width) = glyph::shown(c);
            columns += width;
            if columns > EXCERPT_COLUMNS_MAX {
                excerpt.push_dots();
                break;
            }
            let mark = if marked.contains(&index) { '^' } else { ' ' };
            excerpt.text.push(shown);
            excerpt.underline.extend(std::iter::repeat_n(mark, width));
        }
        excerpt
    }

    fn push_dots(&mut self) {
        self.text.push_str("...");
        self.underline.push_str("   ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;

    fn diagnostic(text: &str, column: usize, length: usize) -> Diagnostic {
        let span = Span { source: "t".into(), line: 7, column, length, text: text.into() };
        let message = "bad".into();
        Diagnostic { severity: Severity::Fault, code: "bad", message, span: Some(span), hint: None }
    }

    fn lines(text: &str, column: usize, length: usize) -> (String, String) {
        let text = render(&diagnostic(text, column, length)).to_string();
        let mut lines = text.lines().skip(1).map(|line| line.strip_prefix("  | ").unwrap().to_owned());
        (lines.next().unwrap(), lines.next().unwrap())
    }

    #[test]
    fn a_diagnostic_is_a_place_an_excerpt_and_a_hint() {
        let mut diagnostic = diagnostic("abc", 2, 2);
        diagnostic.hint = Some("do good".into());
        assert_eq!(render(&diagnostic).to_string(), "t:7:2: fault: bad\n  | abc\n  |  ^^\n  hint: do good");
        assert_eq!(render_one_line(&diagnostic).to_string(), "t:7:2: bad");
    }

    #[test]
    fn a_diagnostic_about_the_whole_table_has_no_place() {
        let diagnostic = Diagnostic { span: None, ..diagnostic("", 1, 0) };
        assert_eq!(render(&diagnostic).to_string(), "fault: bad");
        assert_eq!(render_one_line(&diagnostic).to_string(), "bad");
    }

    #[test]
    fn tabs_and_wide_characters_do_not_shift_the_underline() {
        assert_eq!(lines("\tab", 2, 1), (" ab".into(), " ^".into()));
        assert_eq!(lines("語語b", 2, 2), ("語語b".into(), "  ^^^".into()));
        assert_eq!(lines("a\u{1b}[31mb", 8, 1).0, "a\u{fffd}[31mb");
    }

    #[test]
    fn an_empty_span_marks_the_place_where_something_is_missing() {
        assert_eq!(lines("a::b", 3, 0).1, "  ^");
        assert_eq!(lines("ab", 3, 0), ("ab".into(), "  ^".into()));
        assert_eq!(lines("", 1, 0), (String::new(), "^".into()));
    }

    #[test]
    fn a_long_line_is_cut_around_the_span() {
        let text = format!("{}bad{}", "x".repeat(500), "y".repeat(500));
        let (line, underline) = lines(&text, 501, 3);
        assert_eq!(line, format!("...{}bad{}...", "x".repeat(30), "y".repeat(EXCERPT_COLUMNS_MAX - 33)));
        assert_eq!(underline, format!("{}^^^", " ".repeat(33)));
        let (line, underline) = lines(&text, 1, 1003);
        assert_eq!(line.len(), EXCERPT_COLUMNS_MAX + 3);
        assert_eq!(underline, "^".repeat(EXCERPT_COLUMNS_MAX));
    }
}
