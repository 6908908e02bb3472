//! Loading: the files of a table, read whole.
//!
//! The table is PATH and, behind it, every `PATH.d/*.cltab` in the order of their bytes, so that packages can
//! bring their own entries. Nothing here waits: a FIFO in the place of a file is refused, not read.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::source::Source;

/// Largest table in bytes, all its files together.
pub const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Most files of a table.
pub const TABLE_FILES_MAX: usize = 4096;

/// The end of the names of files that a table's folder adds.
const EXTENSION: &str = "cltab";

/// The permission bit that lets any user write.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// Why a table was not read: the thing, its place, and what helps.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no file.
    #[error("no table at {}: write one there, or name another path", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is a folder.
    #[error("{} is a folder: name the table in it", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// There is a FIFO, a socket or a device.
    #[error("{} is not a regular file: write the table to a file, and name that", path.display())]
    NotRegular {
        /// What is no file.
        path: PathBuf,
    },
    /// It may not be read.
    #[error("no permission to read {}: run as a user who may, or change the file's mode", path.display())]
    Permission {
        /// What may not be read.
        path: PathBuf,
    },
    /// Any user could make root run commands.
    #[error("{} may be written by every user: chmod o-w {}", path.display(), path.display())]
    WritableByOthers {
        /// The file, or the folder of files.
        path: PathBuf,
    },
    /// It is larger than [`TABLE_BYTES_MAX`].
    #[error("table with {} is larger than {} MiB: put long commands into scripts", path.display(), TABLE_BYTES_MAX >> 20)]
    TooLarge {
        /// The file with which the bound is passed.
        path: PathBuf,
    },
    /// It has more files than [`TABLE_FILES_MAX`].
    #[error("more than {TABLE_FILES_MAX} files in {}: join some of them", path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
    },
    /// The system refused for another reason.
    #[error("failed to read {}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Reads the table at `path` with the files that its folder adds.
///
/// # Errors
/// The first file that cannot be read, or that root should not trust: see [`LoadError`].
pub fn load(path: &Path) -> Result<Vec<Source>, LoadError> {
    load_as(path, rustix::process::geteuid().is_root())
}

fn load_as(path: &Path, is_root: bool) -> Result<Vec<Source>, LoadError> {
    let mut reader = Reader { is_root, bytes_left: TABLE_BYTES_MAX };
    let mut sources = vec![reader.read(path)?];
    for path in reader.list(&folder_of(path))? {
        sources.push(reader.read(&path)?);
    }
    Ok(sources)
}

/// `PATH.d`
fn folder_of(path: &Path) -> PathBuf {
    let mut folder = OsString::from(path);
    folder.push(".d");
    folder.into()
}

struct Reader {
    is_root: bool,
    bytes_left: u64,
}

impl Reader {
    fn read(&mut self, path: &Path) -> Result<Source, LoadError> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|error| error_of(path, error))?;
        let metadata = file.metadata().map_err(|error| error_of(path, error))?;
        if metadata.is_dir() {
            return Err(LoadError::Folder { path: path.into() });
        }
        if !metadata.is_file() {
            return Err(LoadError::NotRegular { path: path.into() });
        }
        self.check_mode(path, metadata.mode())?;
        let text = self.read_bounded(&file).map_err(|error| error_of(path, error))?;
        let text = text.ok_or_else(|| LoadError::TooLarge { path: path.into() })?;
        Ok(Source { name: path.display().to_string(), text })
    }

    /// The file's content, unless there is more than may be. It may grow meanwhile, so that its size is no bound.
    fn read_bounded(&mut self, file: &File) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        let read = file.take(self.bytes_left + 1).read_to_end(&mut text)?;
        let left = u64::try_from(read).ok().and_then(|read| self.bytes_left.checked_sub(read));
        self.bytes_left = left.unwrap_or(0);
        Ok(left.map(|_| text))
    }

    /// The files that `folder` adds, if it is there. As for a shell's `*.cltab`, hidden files do not count.
    fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error_of(folder, error)),
        };
        let metadata = fs::metadata(folder).map_err(|error| error_of(folder, error))?;
        self.check_mode(folder, metadata.mode())?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| error_of(folder, error))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) && !is_hidden(&path) {
                paths.push(path);
            }
            if paths.len() > TABLE_FILES_MAX {
                return Err(LoadError::TooManyFiles { path: folder.into() });
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn check_mode(&self, path: &Path, mode: u32) -> Result<(), LoadError> {
        if self.is_root && mode & WRITABLE_BY_OTHERS != 0 {
            return Err(LoadError::WritableByOthers { path: path.into() });
        }
        Ok(())
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn error_of(path: &Path, source: io::Error) -> LoadError {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => LoadError::Missing { path },
        Some(Errno::ACCESS | Errno::PERM) => LoadError::Permission { path },
        // A socket cannot be opened at all (open(2)).
        Some(Errno::NXIO) => LoadError::NotRegular { path },
        _ => LoadError::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder that goes when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name =
                format!("clinit-load-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            chmod(&path, 0o644);
            chmod(path.parent().unwrap(), 0o755);
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn message(result: Result<Vec<Source>, LoadError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn the_folder_adds_its_tables_in_the_order_of_their_bytes() {
        let scratch = Scratch::new();
        let path = scratch.write("cltab", "main");
        for name in ["b.cltab", "a.cltab", "B.cltab", ".hidden.cltab", "c.cltab~", "readme"] {
            scratch.write(&format!("cltab.d/{name}"), name);
        }
        let texts: Vec<_> = load(&path).unwrap().into_iter().map(|source| source.text).collect();
        assert_eq!(texts, [&b"main"[..], b"B.cltab", b"a.cltab", b"b.cltab"]);
    }

    #[test]
    fn an_unchanged_table_is_equal_whatever_its_time() {
        let scratch = Scratch::new();
        let path = scratch.write("cltab", "a");
        let before = load(&path).unwrap();
        scratch.write("cltab", "a");
        assert_eq!(load(&path).unwrap(), before);
        scratch.write("cltab", "b");
        assert_ne!(load(&path).unwrap(), before);
    }

    #[test]
    fn a_missing_table_is_told_with_its_path() {
        let path = Path::new("/nonexistent/cltab");
        assert_eq!(
            message(load(path)),
            "no table at /nonexistent/cltab: write one there, or name another path"
        );
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let scratch = Scratch::new();
        assert!(matches!(load(&scratch.0), Err(LoadError::Folder { .. })));

        let fifo = scratch.0.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert!(matches!(load(&fifo), Err(LoadError::NotRegular { .. })));

        let socket = scratch.0.join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert!(matches!(load(&socket), Err(LoadError::NotRegular { .. })));

        assert!(matches!(load(Path::new("/dev/null")), Err(LoadError::NotRegular { .. })));
    }

    #[test]
    fn root_refuses_what_every_user_may_write() {
        let scratch = Scratch::new();
        let path = scratch.write("cltab", "");
        let added = scratch.write("cltab.d/a.cltab", "");
        let folder = added.parent().unwrap();
        for open in [&path, &added, folder] {
            let mode = fs::metadata(open).unwrap().mode();
            chmod(open, mode | WRITABLE_BY_OTHERS);
            let open = open.display();
            let expected = format!("{open} may be written by every user: chmod o-w {open}");
            assert_eq!(message(load_as(&path, true)), expected);
            assert!(load_as(&path, false).is_ok());
            chmod(Path::new(&open.to_string()), mode & 0o777);
        }
        assert!(load_as(&path, true).is_ok());
    }

    #[test]
    fn a_link_is_followed_and_what_it_names_is_checked() {
        let scratch = Scratch::new();
        let path = scratch.write("cltab", "a");
        let link = scratch.0.join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(load(&link).unwrap()[0].text, b"a");
        chmod(&path, 0o666);
        assert!(matches!(load_as(&link, true), Err(LoadError::WritableByOthers { .. })));
    }

    #[test]
    fn a_table_that_is_too_large_is_refused_whole() {
        let scratch = Scratch::new();
        let path = scratch.write("cltab", "");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(TABLE_BYTES_MAX).unwrap();
        assert!(load(&path).is_ok());
        scratch.write("cltab.d/a.cltab", "x");
        assert!(
            message(load(&path)).ends_with("a.cltab is larger than 64 MiB: put long commands into scripts")
        );
        file.set_len(TABLE_BYTES_MAX + 1).unwrap();
        assert!(matches!(load(&path), Err(LoadError::TooLarge { .. })));
    }
}
