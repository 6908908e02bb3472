//! Characters as a terminal shows them: what stands for those that it would not show, and how wide each is.
//!
//! The widths are the blocks of Unicode's East Asian Width property (UAX 11) that hold wide characters. A
//! width that is wrong for a rare character shifts an underline by a column and does no other harm.

use std::fmt::{self, Write};

/// Longest piece of the table quoted in a message, in characters.
const QUOTE_CHARS_MAX: usize = 64;

/// Stands for a character that a terminal would obey or hide instead of showing it.
const STAND_IN: char = '\u{fffd}';

/// Blocks of characters that are two columns wide.
const WIDE: [(char, char); 14] = [
    ('\u{1100}', '\u{115f}'),
    ('\u{2e80}', '\u{303e}'),
    ('\u{3041}', '\u{33ff}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{a000}', '\u{a4cf}'),
    ('\u{a960}', '\u{a97f}'),
    ('\u{ac00}', '\u{d7a3}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{fe30}', '\u{fe6f}'),
    ('\u{ff00}', '\u{ff60}'),
    ('\u{ffe0}', '\u{ffe6}'),
    ('\u{1f300}', '\u{1faff}'),
    ('\u{20000}', '\u{3fffd}'),
];

/// Blocks of marks that are drawn onto the character before them.
const COMBINING: [(char, char); 5] = [
    ('\u{300}', '\u{36f}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{1dc0}', '\u{1dff}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fe20}', '\u{fe2f}'),
];

/// What is shown for `c`, and its width in columns.
pub(crate) fn shown(c: char) -> (char, usize) {
    match c {
        '\t' => (' ', 1),
        '\'' | '"' | '\\' => (c, 1),
        _ if is_in(&WIDE, c) => (c, 2),
        // The standard library escapes what is not printable, and what extends the character before it.
        _ if c.escape_debug().len() == 1 => (c, 1),
        _ if c.is_alphanumeric() || is_in(&COMBINING, c) => (c, 0),
        _ => (STAND_IN, 1),
    }
}

fn is_in(blocks: &[(char, char)], c: char) -> bool {
    c > '\u{2ff}' && blocks.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// The first character of `text`.
pub(crate) fn first(text: &str) -> &str {
    let end = text.chars().next().map_or(0, char::len_utf8);
    &text[..end]
}

/// A piece of the table within a message: in backquotes, shortened, and harmless to a terminal.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", Shortened(self.0))
    }
}

/// The same without the backquotes.
pub(crate) struct Shortened<'a>(pub(crate) &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        characters.by_ref().take(QUOTE_CHARS_MAX).try_for_each(|c| f.write_char(shown(c).0))?;
        if characters.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// Words in a sentence: `a`, `b` or `c`.
pub(crate) struct AnyOf<'a>(pub(crate) &'a [&'a str]);

impl fmt::Display for AnyOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            match index {
                0 => {}
                _ if index + 1 == self.0.len() => f.write_str(" or ")?,
                _ => f.write_str(", ")?,
            }
            write!(f, "`{word}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_obeys_or_hides_have_a_stand_in() {
        for c in ['\0', '\u{1b}', '\u{7f}', '\u{9b}', '\u{200b}', '\u{202e}', '\u{feff}', '\u{e000}'] {
            assert_eq!(shown(c), (STAND_IN, 1), "{c:?}");
        }
    }

    #[test]
    fn text_of_any_script_is_shown_as_it_is() {
        for (c, width) in [('a', 1), ('\\', 1), ('ß', 1), ('語', 2), ('🚀', 2), ('\u{301}', 0), ('ह', 1)]
        {
            assert_eq!(shown(c), (c, width), "{c:?}");
        }
        assert_eq!(shown('\t'), (' ', 1));
    }

    #[test]
    fn quotes_are_shortened() {
        assert_eq!(Quoted("a\u{202e}b").to_string(), "`a\u{fffd}b`");
        assert_eq!(Quoted(&"x".repeat(65)).to_string(), format!("`{}...`", "x".repeat(64)));
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(AnyOf(&["a"]).to_string(), "`a`");
        assert_eq!(AnyOf(&["a", "b", "c"]).to_string(), "`a`, `b` or `c`");
    }
}
