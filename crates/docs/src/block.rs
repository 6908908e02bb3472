//! The pieces of a manual page, and the text in which people write them.
//!
//! ```text
//! # HEADING                a section
//! ## Heading               a part of it
//! words `as typed` words   a paragraph, until an empty line
//! term                     an item: the term, and what it means on lines that begin with a colon
//! : what it means            or two blanks
//!     code                 a line as it is: four blanks
//! @name                    what the registries say
//! ```

/// A piece of a page. Backquotes in text stand around what is typed as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// The title of a section.
    Heading(String),
    /// The title of a part of a section.
    Subheading(String),
    /// Running text.
    Paragraph(String),
    /// A term, and what it means in one or more paragraphs.
    Item(String, Vec<String>),
    /// Lines as they are.
    Code(Vec<String>),
    /// A word for what a registry says.
    Placeholder(String),
}

impl Block {
    /// An item of one paragraph.
    pub(crate) fn item(term: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Item(term.into(), vec![text.into()])
    }
}

/// Items of a table of two columns.
pub(crate) fn items(rows: &[(&str, &str)]) -> Vec<Block> {
    rows.iter().map(|&(term, text)| Block::item(term, text)).collect()
}

/// Reads a page.
pub(crate) fn read(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(code) = line.strip_prefix("    ") {
            let mut all = vec![code.to_owned()];
            while let Some(more) = lines.next_if(|line| line.starts_with("    ")) {
                all.push(more[4..].to_owned());
            }
            blocks.push(Block::Code(all));
        } else if let Some(title) = line.strip_prefix("## ") {
            blocks.push(Block::Subheading(title.to_owned()));
        } else if let Some(title) = line.strip_prefix("# ") {
            blocks.push(Block::Heading(title.to_owned()));
        } else if let Some(name) = line.strip_prefix('@') {
            blocks.push(Block::Placeholder(name.to_owned()));
        } else if let Some(first) = lines.next_if(|line| line.starts_with(": ")) {
            let mut all = first[2..].to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
                all.push(' ');
                all.push_str(more.trim_start());
            }
            blocks.push(Block::item(line, all));
        } else {
            let mut all = line.to_owned();
            while let Some(more) = lines.next_if(|line| !line.is_empty() && !line.starts_with("    ")) {
                all.push(' ');
                all.push_str(more);
            }
            blocks.push(Block::Paragraph(all));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_its_blocks() {
        let text = "# NAME\n\nfirst\nline\n\n    code\n      more\n\nterm\n: what it\n  means\nother\n: this\n\n@verbs\n";
        let code = vec!["code".to_owned(), "  more".to_owned()];
        let expected = [
            Block::Heading("NAME".to_owned()),
            Block::Paragraph("first line".to_owned()),
            Block::Code(code),
            Block::item("term", "what it means"),
            Block::item("other", "this"),
            Block::Placeholder("verbs".to_owned()),
        ];
        assert_eq!(read(text), expected);
    }
}
