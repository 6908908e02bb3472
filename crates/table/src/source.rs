//! Sources and their lines: bytes become checked text, each piece of which knows where it stands.

use crate::glyph;
use crate::record::Record;
use crate::report::Report;

/// Longest line of a table, in bytes, without its end.
pub const LINE_BYTES_MAX: usize = 65_536;

/// One file of the table.
///
/// Two reads of an unchanged table are equal, which is how a change is recognised: by content, never by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path, as messages show it.
    pub name: String,
    /// What the file holds.
    pub text: Vec<u8>,
}

/// A line of a source that is proper text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Index of its source.
    pub(crate) source: usize,
    /// Its number, from 1.
    pub(crate) number: usize,
    /// Its text, without line end and byte order mark.
    pub(crate) text: &'a str,
}

/// A piece of a line. Diagnostics point at fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The line that it is part of.
    pub(crate) line: Line<'a>,
    /// Where it begins, in bytes.
    pub(crate) start: usize,
    /// Its text.
    pub(crate) text: &'a str,
}

impl<'a> Line<'a> {
    /// The whole line.
    pub(crate) fn whole(self) -> Field<'a> {
        Field { line: self, start: 0, text: self.text }
    }

    /// The empty field behind the last character.
    pub(crate) fn end(self) -> Field<'a> {
        Field { line: self, start: self.text.len(), text: "" }
    }

    /// Where it stands among all lines of the table.
    pub(crate) fn position(self) -> (usize, usize) {
        (self.source, self.number)
    }
}

impl<'a> Field<'a> {
    /// Splits at the first `separator`, which goes to neither side.
    pub(crate) fn split_once(self, separator: char) -> Option<(Field<'a>, Field<'a>)> {
        let (left, right) = self.text.split_once(separator)?;
        let start = self.start + left.len() + separator.len_utf8();
        Some((Field { text: left, ..self }, Field { start, text: right, ..self }))
    }

    /// Splits at every `separator`.
    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Field<'a>> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let field = rest?;
            let (first, others) = match field.split_once(separator) {
                Some((first, others)) => (first, Some(others)),
                None => (field, None),
            };
            rest = others;
            Some(first)
        })
    }

    /// What stands between blanks and commas.
    pub(crate) fn words(self) -> impl Iterator<Item = Field<'a>> {
        let is_between = |c: char| matches!(c, ' ' | '\t' | ',');
        let mut start = self.start;
        self.text.split_inclusive(is_between).filter_map(move |piece| {
            let (text, at) = (piece.trim_end_matches(is_between), start);
            start += piece.len();
            (!text.is_empty()).then_some(Field { start: at, text, ..self })
        })
    }
}

/// Hands every record of `sources` to `take`, in order, and reports the lines that are none.
pub(crate) fn for_each_record<'a>(
    sources: &'a [Source],
    report: &mut Report,
    mut take: impl FnMut(Record<'a>, &mut Report),
) {
    for (index, source) in sources.iter().enumerate() {
        for (number, bytes) in lines(&source.text) {
            let record = check(index, number, bytes, report).and_then(|line| Record::read(line, report));
            if let Some(record) = record {
                take(record, report);
            }
        }
    }
}

/// The lines that say something, with their numbers from 1.
///
/// Comments are left out before anything is checked: what nobody reads may hold what it likes. A byte order
/// mark is taken at the start of any line, since tables are also made by joining files.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&byte| byte == b'\n').zip(1..).filter_map(|(line, number)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let first = line.trim_ascii_start().first();
        first.is_some_and(|&byte| byte != b'#').then_some((number, line))
    })
}

/// The line as text, if it is short enough, UTF-8, and free of control characters other than tab.
pub(crate) fn check<'a>(
    source: usize,
    number: usize,
    bytes: &'a [u8],
    report: &mut Report,
) -> Option<Line<'a>> {
    if bytes.len() > LINE_BYTES_MAX {
        let text = String::from_utf8_lossy(&bytes[..LINE_BYTES_MAX]);
        let at = Line { source, number, text: &text }.end();
        report
            .fault(at, "line-too-long", format_args!("line of {} bytes is too long", bytes.len()))
            .hint(format_args!("a line holds at most {LINE_BYTES_MAX} bytes: put the command into a script"));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            let text = String::from_utf8_lossy(bytes);
            let at = field_of_character(Line { source, number, text: &text }, start);
            report
                .fault(at, "not-utf8", format_args!("byte 0x{:02x} is not UTF-8", bytes[start]))
                .hint("save the table as UTF-8");
            return None;
        }
    };
    let line = Line { source, number, text };
    if bytes.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        // Nearly every line, and quick to see.
        return Some(line);
    }
    if let Some((start, c)) = text.char_indices().find(|&(_, c)| c.is_control() && c != '\t') {
        report
            .fault(
                field_of_character(line, start),
                "control-character",
                format_args!("control character {c:?}"),
            )
            .hint("of the control characters, a line may hold only tabs");
        return None;
    }
    Some(line)
}

/// The character that begins at byte `start`.
fn field_of_character(line: Line<'_>, start: usize) -> Field<'_> {
    Field { line, start, text: glyph::first(&line.text[start..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &[u8]) -> Vec<(usize, &[u8])> {
        lines(text).collect()
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        assert!(texts(b"# x\n  \t# x\n\n \t \n\x0c\n#").is_empty());
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn a_comment_may_hold_any_bytes() {
        assert!(texts(b"# gr\xfc\xdfe \0\n").is_empty());
    }

    #[test]
    fn line_ends_of_dos_and_a_missing_last_one_are_taken() {
        assert_eq!(texts(b"a\r\n\r\nb"), [(1, &b"a"[..]), (3, &b"b"[..])]);
    }

    #[test]
    fn a_byte_order_mark_is_taken_at_the_start_of_any_line() {
        assert_eq!(texts("\u{feff}a\n\u{feff}b\n\u{feff}# c\n".as_bytes()), [(1, &b"a"[..]), (2, &b"b"[..])]);
    }

    #[test]
    fn fields_know_where_they_begin() {
        let line = Line { source: 0, number: 1, text: "a,bc,,d" };
        let fields: Vec<_> = line.whole().split(',').map(|field| (field.start, field.text)).collect();
        assert_eq!(fields, [(0, "a"), (2, "bc"), (5, ""), (6, "d")]);
        let (_, field) = line.whole().split_once('b').unwrap();
        let words: Vec<_> = field.words().map(|field| (field.start, field.text)).collect();
        assert_eq!(words, [(3, "c"), (6, "d")]);
    }
}
