//! The accepted table, kept in the state folder: an engine that is started again goes on with the table
//! that held, whatever became of the file since.

use std::io;
use std::os::fd::AsFd;

use clinit_table::Source;
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

fn name(revision: u64) -> String {
    format!("table.{revision}")
}

/// Writes the sources of a revision: for each its name, its length and its text.
pub(crate) fn write(state: impl AsFd, revision: u64, sources: &[Source]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for source in sources {
        for part in [source.name.as_bytes(), &source.text] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = std::fs::File::from(openat(state, name(revision), flags, Mode::from_raw_mode(0o600))?);
    io::Write::write_all(&mut file, &bytes)
}

/// Reads them again.
pub(crate) fn read(state: impl AsFd, revision: u64) -> io::Result<Vec<Source>> {
    let file =
        openat(state, name(revision), OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)?;
    let mut parts = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (part, after) = after.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        parts.push(part.to_vec());
        rest = after;
    }
    let mut sources = Vec::new();
    let mut parts = parts.into_iter();
    while let (Some(name), Some(text)) = (parts.next(), parts.next()) {
        sources.push(Source { name: String::from_utf8_lossy(&name).into_owned(), text });
    }
    Ok(sources)
}

/// Removes a revision that holds no longer.
pub(crate) fn remove(state: impl AsFd, revision: u64) {
    let _left_for_the_end = unlinkat(state, name(revision), AtFlags::empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_come_back_as_they_went() {
        let path = std::env::temp_dir().join(format!("clinit-tablefile-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let state = std::fs::File::open(&path).unwrap();
        let sources = vec![
            Source { name: "/etc/cltab".to_owned(), text: b"a:b:1:wait:x\n\xff".to_vec() },
            Source { name: "/etc/cltab.d/b.cltab".to_owned(), text: Vec::new() },
        ];
        write(&state, 3, &sources).unwrap();
        assert_eq!(read(&state, 3).unwrap(), sources);
        remove(&state, 3);
        assert!(read(&state, 3).is_err());
        std::fs::remove_dir_all(&path).unwrap();
    }
}
