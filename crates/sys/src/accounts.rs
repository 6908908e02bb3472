//! Users and Unix groups of this machine (getpwnam_r(3), getgrnam_r(3), getgrouplist(3)).
//!
//! A name service may take its time: these calls block.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;

/// The first size of the buffer for an entry's strings.
const BUFFER_BYTES: usize = 1024;

/// No entry is larger: a group of a hundred thousand members fits.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// No user is in more groups (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65_536;

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: Vec<u8>,
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// Its home.
    pub home: Vec<u8>,
    /// Its shell.
    pub shell: Vec<u8>,
}

/// The user with this name; `None` when there is none.
///
/// # Errors
/// The name service failed.
pub fn user_named(name: &str) -> io::Result<Option<User>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    // SAFETY: the name ends with NUL; `ask` hands over what the call is to fill.
    ask(
        |entry, buffer, size, found| unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer, size, found) },
        user_of,
    )
}

/// The user with this number; `None` when there is none.
///
/// # Errors
/// The name service failed.
pub fn user_numbered(uid: u32) -> io::Result<Option<User>> {
    // SAFETY: `ask` hands over what the call is to fill.
    ask(|entry, buffer, size, found| unsafe { libc::getpwuid_r(uid, entry, buffer, size, found) }, user_of)
}

/// The number of the group with this name; `None` when there is none.
///
/// # Errors
/// The name service failed.
pub fn group_named(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    // SAFETY: the name ends with NUL; `ask` hands over what the call is to fill.
    ask(
        |entry, buffer, size, found| unsafe { libc::getgrnam_r(name.as_ptr(), entry, buffer, size, found) },
        |entry: &libc::group| entry.gr_gid,
    )
}

/// The groups that a user is in, with `gid` among them, as initgroups(3) would set them.
///
/// # Errors
/// There are more than the kernel takes.
pub fn groups_of(user: &[u8], gid: u32) -> io::Result<Vec<u32>> {
    let Ok(user) = CString::new(user) else { return Ok(vec![gid]) };
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).unwrap_or(c_int::MAX);
        // SAFETY: the call writes at most `count` ids, for which there is room.
        let result = unsafe { libc::getgrouplist(user.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let needed = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            groups.truncate(needed);
            return Ok(groups);
        }
        if groups.len() >= GROUPS_MAX {
            return Err(io::Error::from_raw_os_error(libc::ERANGE));
        }
        // Not every C library says how many there are.
        groups.resize(needed.max(groups.len() * 2).min(GROUPS_MAX), 0);
    }
}

/// Calls for an entry with a buffer that grows until it is large enough.
fn ask<E, T>(
    call: impl Fn(*mut E, *mut c_char, usize, *mut *mut E) -> c_int,
    read: impl FnOnce(&E) -> T,
) -> io::Result<Option<T>> {
    let mut buffer: Vec<c_char> = vec![0; BUFFER_BYTES];
    loop {
        let mut entry = MaybeUninit::<E>::uninit();
        let mut found = std::ptr::null_mut();
        match call(entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) {
            libc::ERANGE if buffer.len() < BUFFER_BYTES_MAX => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            // getpwnam(3) lists the numbers by which name services say that there is none.
            0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM if found.is_null() => return Ok(None),
            // SAFETY: the call said that it found an entry, so it has written one, with strings in `buffer`.
            0 => return Ok(Some(read(unsafe { entry.assume_init_ref() }))),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn user_of(entry: &libc::passwd) -> User {
    let text = |text: *const c_char| match text.is_null() {
        true => Vec::new(),
        // SAFETY: a string of an entry that was just filled, whose buffer still lives.
        false => unsafe { CStr::from_ptr(text) }.to_bytes().to_vec(),
    };
    User {
        name: text(entry.pw_name),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        home: text(entry.pw_dir),
        shell: text(entry.pw_shell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_number() {
        let root = user_named("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid, root.name.as_slice()), (0, 0, &b"root"[..]));
        assert_eq!(user_numbered(0).unwrap(), Some(root));
        assert_eq!(group_named("root").unwrap(), Some(0));
        assert!(groups_of(b"root", 4711).unwrap().contains(&4711));
    }

    #[test]
    fn nobody_else_is_found() {
        for name in ["", "no-such-user-here", "a\0b"] {
            assert_eq!(user_named(name).unwrap(), None, "{name:?}");
            assert_eq!(group_named(name).unwrap(), None, "{name:?}");
        }
        assert_eq!(user_numbered(3_999_999_999).unwrap(), None);
        assert_eq!(groups_of(b"no-such-user-here", 7).unwrap(), [7]);
    }
}
