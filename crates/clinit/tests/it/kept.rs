//! What entries have printed, as files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::place::Place;
use crate::wait::eventually;

/// The bytes of a label of TAI64N with the blank behind it.
const LABEL_BYTES: usize = 26;

/// The folder of one entry's lines.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) PathBuf);

impl Place {
    /// What an entry, written `GROUP/TAG`, has printed, in the default folder of logs.
    pub(crate) fn kept(&self, name: &str) -> Kept {
        Kept(self.path("logs").join(name))
    }
}

impl Kept {
    /// Its files, oldest first.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.file_name().unwrap() != "lock");
        paths.sort();
        paths
    }

    /// The permissions of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.0.join(name)).unwrap().permissions().mode() & 0o777
    }

    /// How many bytes that is.
    pub(crate) fn size(&self) -> u64 {
        self.files().into_iter().map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len())).sum()
    }

    /// All that is in its files.
    pub(crate) fn text(&self) -> String {
        let bytes = self.files().into_iter().flat_map(|path| fs::read(path).unwrap_or_default());
        String::from_utf8(bytes.collect()).unwrap()
    }

    /// All lines, without the labels before them.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.text();
        text.lines()
            .map(|line| {
                assert!(line.len() >= LABEL_BYTES && line.starts_with("@40000000"), "{line:?} in {text}");
                line[LABEL_BYTES..].to_owned()
            })
            .collect()
    }

    /// Waits until these are all lines.
    #[track_caller]
    pub(crate) fn wait_lines(&self, lines: &[&str]) {
        eventually(&format!("the lines {lines:?}"), || self.text().lines().count() >= lines.len());
        assert_eq!(self.lines(), lines);
    }
}
