//! Environment files: `NAME=VALUE` lines, as init scripts and other supervisors keep them in /etc/default.
//!
//! Blank lines and those that begin with `#` say nothing; `export ` before a name is passed over. A value in
//! single quotes is taken as it is; in double quotes a backslash takes the meaning from a quote, a backslash,
//! a dollar or a backquote behind it, as in a shell; without quotes the blanks behind it go. Nothing is
//! expanded: a file that needs a shell is for a command that has one.

/// Variables: name and value.
pub type Variables = Vec<(Vec<u8>, Vec<u8>)>;

/// What may stand behind a backslash in double quotes.
const ESCAPED: &[u8] = b"\"\\$`";

/// Whether variables may be called so: a letter or underscore first, and nothing that a shell or a line
/// could not show.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

/// Reads a file; of a variable that is set twice, both are there, in order.
///
/// # Errors
/// The number of the first line that is none of the above.
pub fn parse(text: &[u8]) -> Result<Variables, u32> {
    let mut variables = Variables::new();
    for (number, line) in (1u32..).zip(text.split(|&byte| byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        variables.push(variable(line).ok_or(number)?);
    }
    Ok(variables)
}

fn variable(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = line.strip_prefix(b"export ").map_or(line, <[u8]>::trim_ascii_start);
    let end = line.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&line[..end], &line[end + 1..]);
    std::str::from_utf8(name).ok().filter(|name| is_name(name))?;
    if value.contains(&0) {
        return None;
    }
    let value = match value.first() {
        Some(b'\'') => value[1..].strip_suffix(b"'").filter(|value| !value.contains(&b'\''))?.to_vec(),
        Some(b'"') => unescape(&value[1..])?,
        Some(_) | None => value.to_vec(),
    };
    Some((name.to_vec(), value))
}

/// What is between double quotes, of which the first was taken off.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return bytes.next().is_none().then_some(value),
            b'\\' => value.push(bytes.next_if(|next| ESCAPED.contains(next)).unwrap_or(byte)),
            _ => value.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<(String, String)> {
        let variables = parse(text.as_bytes()).ok()?;
        let [(name, value)] = &variables[..] else { return None };
        Some((String::from_utf8(name.clone()).unwrap(), String::from_utf8(value.clone()).unwrap()))
    }

    fn value(text: &str) -> Option<String> {
        one(&format!("A={text}\n")).map(|(_, value)| value)
    }

    #[test]
    fn a_line_is_a_name_and_a_value() {
        assert_eq!(one("A=1").unwrap(), ("A".to_owned(), "1".to_owned()));
        assert_eq!(one("  export  A_b.c=x=y\r\n").unwrap(), ("A_b.c".to_owned(), "x=y".to_owned()));
        assert_eq!(one("\n# B=2\n   # C=3\n\t\nA=").unwrap(), ("A".to_owned(), String::new()));
        let both = vec![(b"A".to_vec(), b"1".to_vec()), (b"A".to_vec(), b"\xff".to_vec())];
        assert_eq!(parse(b"A=1\nA=\xff\n"), Ok(both));
    }

    #[test]
    fn quotes_are_taken_off() {
        for (text, expected) in [
            ("'a b'", "a b"),
            ("'a\\n$b'", "a\\n$b"),
            ("\"a b\"", "a b"),
            (r#""a\"b\\c\$d\`e\n""#, r#"a"b\c$d`e\n"#),
            ("\"it's\"", "it's"),
            ("''", ""),
            ("\"\"", ""),
            ("a 'b' \t", "a 'b'"),
            ("a # b", "a # b"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["'a", "'a'b'", "'", "\"a", "\"", "\"a\" b", "\"a\\\"", "'a' # b"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_faulty_line_is_told() {
        for (text, number) in [("A", 1), ("A=1\n\nB 2\n=\n", 3), ("A=1\n=x", 2), ("1A=x", 1), ("A =1", 1)] {
            assert_eq!(parse(text.as_bytes()), Err(number), "{text}");
        }
        assert_eq!(parse(b"A=1\0\n"), Err(1));
        assert_eq!(parse("\u{e4}=1".as_bytes()), Err(1));
    }
}
