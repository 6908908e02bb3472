//! Blocks as a manual page: the macros of man(7).

use crate::COMMAND;
use crate::block::Block;

/// Longest line of the source, so that a change shows as a change of few lines.
const COLUMNS: usize = 100;

/// A page: `name` in `section`, about `what`.
pub(crate) fn page(name: &str, section: u8, what: &str, blocks: &[Block]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let title = name.to_uppercase();
    let mut text = format!(".\\\" Made by {COMMAND}: change the registries or crates/docs/pages instead.\n");
    text.push_str(&format!(".TH {title} {section} \"\" \"clinit {version}\" \"{what}\"\n"));
    for (index, block) in blocks.iter().enumerate() {
        let after_title = index
            .checked_sub(1)
            .is_some_and(|before| matches!(blocks[before], Block::Heading(_) | Block::Subheading(_)));
        put(&mut text, block, after_title);
    }
    text
}

fn put(text: &mut String, block: &Block, after_title: bool) {
    match block {
        Block::Heading(title) => text.push_str(&format!(".SH {}\n", escape(title))),
        Block::Subheading(title) => text.push_str(&format!(".SS {}\n", escape(title))),
        Block::Paragraph(words) => {
            if !after_title {
                text.push_str(".PP\n");
            }
            put_words(text, words);
        }
        Block::Item(term, paragraphs) => {
            let term = if term.contains('`') { inline(term) } else { format!("\\fB{}\\fR", escape(term)) };
            text.push_str(&format!(".TP\n{}\n", guarded(&term)));
            for (index, words) in paragraphs.iter().enumerate() {
                if index > 0 {
                    text.push_str(".IP\n");
                }
                put_words(text, words);
            }
        }
        Block::Code(lines) => {
            text.push_str(if after_title { ".nf\n" } else { ".PP\n.nf\n" });
            text.push_str(".RS 4\n");
            for line in lines {
                text.push_str(&guarded(&escape(line)));
                text.push('\n');
            }
            text.push_str(".RE\n.fi\n");
        }
        Block::Placeholder(_) => {}
    }
}

fn put_words(text: &mut String, words: &str) {
    let words = inline(words);
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= COLUMNS {
            text.push_str(&guarded(&std::mem::take(&mut line)));
            text.push('\n');
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&guarded(&line));
    text.push('\n');
}

/// Text with what stands in backquotes in bold.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { bold(part) } else { escape(part) }).collect()
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

/// Characters that roff gives a meaning, or another look (man-pages(7)).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '"' => escaped.push_str("\\(dq"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line that does not begin like a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_taken_for_a_request() {
        let code = Block::Code(vec![".so /etc/passwd".to_owned(), "'x \\n-".to_owned()]);
        let page = page("x", 1, "y", &[Block::Paragraph(format!("{} .hidden", "x".repeat(COLUMNS))), code]);
        for line in ["\\&.so /etc/passwd", "\\(aqx \\en\\-", "\\&.hidden"] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }

    #[test]
    fn what_is_typed_is_bold() {
        assert_eq!(inline("say `-c T` twice"), "say \\fB\\-c T\\fR twice");
    }
}
