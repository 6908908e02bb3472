//! Bytes in, labelled lines out.

/// A line longer than this is carried in pieces.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Cuts what one entry prints into lines, and puts its label before each.
#[derive(Debug)]
pub(crate) struct Lines {
    label: Vec<u8>,
    partial: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(label: Vec<u8>) -> Self {
        Self { label, partial: Vec::new() }
    }

    /// Changes the label from the next line on.
    pub(crate) fn relabel(&mut self, label: Vec<u8>) {
        self.label = label;
    }

    /// Takes what was printed and appends complete lines to `out`.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.split_last() {
                Some((b'\n', line)) => {
                    self.partial.extend(line);
                    self.flush(out);
                }
                Some(_) | None => self.partial.extend(piece),
            }
            while self.partial.len() > LINE_BYTES_MAX {
                let rest = self.partial.split_off(LINE_BYTES_MAX);
                self.flush(out);
                self.partial = rest;
            }
        }
    }

    /// Ends the line that has begun.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend(&self.label);
        out.append(&mut self.partial);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_labelled_however_they_are_cut() {
        let text = b"one\n\ntwo and\nno end";
        for size in 1..text.len() {
            let (mut lines, mut out) = (Lines::new(b"a | ".to_vec()), Vec::new());
            text.chunks(size).for_each(|chunk| lines.push(chunk, &mut out));
            assert_eq!(out, b"a | one\na | \na | two and\n");
            lines.finish(&mut out);
            lines.finish(&mut out);
            assert!(out.ends_with(b"a | two and\na | no end\n"));
        }
    }

    #[test]
    fn a_line_without_end_is_carried_in_pieces() {
        let (mut lines, mut out) = (Lines::new(Vec::new()), Vec::new());
        lines.push(&vec![b'x'; 3 * LINE_BYTES_MAX + 5], &mut out);
        lines.push(b"\n", &mut out);
        assert_eq!(out.iter().filter(|&&byte| byte == b'x').count(), 3 * LINE_BYTES_MAX + 5);
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 4);
    }
}
