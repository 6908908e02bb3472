//! What is executed: paths, arguments, environment and steps, laid out as execve(2) takes them.

use std::ffi::c_char;

use crate::raw::call;
use crate::steps::Steps;

/// An array of C strings, null-terminated, as execve(2) takes it.
#[derive(Debug, Default)]
pub struct Strings {
    pub(crate) bytes: Vec<u8>,
    starts: Vec<usize>,
    pub(crate) pointers: Vec<*const c_char>,
    /// Where the child writes its own pid.
    pub(crate) pids: Vec<usize>,
}

/// Room for a pid in digits, and the NUL behind it.
const PID_DIGITS: usize = 10;

impl Strings {
    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
        self.pids.clear();
    }

    /// Appends the joined parts as one string, up to the first NUL among them.
    pub fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            let end = part.iter().position(|&byte| byte == 0).unwrap_or(part.len());
            self.bytes.extend_from_slice(&part[..end]);
        }
        self.bytes.push(0);
    }

    /// Appends `text` with the pid of the child behind it, which the child itself puts there.
    pub fn push_with_pid(&mut self, text: &[u8]) {
        self.push(&[text, &[b'0'; PID_DIGITS]]);
        self.pids.push(self.bytes.len() - PID_DIGITS - 1);
    }

    /// How many strings it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The pointers, made anew: they hold until the next change.
    pub(crate) fn point(&mut self) -> *const *const c_char {
        self.pointers.clear();
        let base = self.bytes.as_ptr();
        self.pointers.extend(self.starts.iter().map(|&start| base.wrapping_add(start).cast::<c_char>()));
        self.pointers.push(std::ptr::null());
        self.pointers.as_ptr()
    }
}

/// What is executed. Reused from one start to the next.
#[derive(Debug, Default)]
pub struct Image {
    /// Paths to try in order: one for a name with a slash, else one for each folder of PATH.
    pub candidates: Strings,
    /// The arguments, the program's name first.
    pub arguments: Strings,
    /// The environment, `NAME=value`.
    pub environment: Strings,
    /// What is done before; nothing for most.
    pub steps: Steps,
    /// `/bin/sh`, the path and the arguments, for a script without a first line that names an interpreter.
    pub(crate) script: Vec<*const c_char>,
}

/// Writes the pid of this process in digits, with NUL behind, to each of the places.
///
/// # Safety
/// From each place on there have to be `PID_DIGITS` bytes and one more behind `bytes`.
pub(crate) unsafe fn write_pid(bytes: *mut u8, places: &[usize]) {
    if places.is_empty() {
        return;
    }
    // SAFETY: the call has no memory effects, and cannot fail.
    let mut rest = unsafe { call!(libc::SYS_getpid) }.unwrap_or(0);
    let mut digits = [0; PID_DIGITS + 1];
    let mut first = PID_DIGITS;
    while rest > 0 && first > 0 {
        first -= 1;
        digits[first] = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
    for &place in places {
        // SAFETY: as the caller promises; what is copied ends with the NUL behind the digits.
        unsafe { bytes.add(place).copy_from(digits.as_ptr().add(first), digits.len() - first) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_written_where_it_belongs() {
        let mut strings = Strings::default();
        strings.push(&[b"A=1"]);
        strings.push_with_pid(b"LISTEN_PID=");
        strings.push(&[b"B=2"]);
        let expected = format!("LISTEN_PID={}", std::process::id());
        let bytes = strings.bytes.as_mut_ptr();
        // SAFETY: the places are those of this very text.
        unsafe { write_pid(bytes, &strings.pids) };
        let text = |start: usize| strings.bytes[start..].split(|&byte| byte == 0).next().unwrap().to_vec();
        let texts: Vec<_> = strings.starts.iter().map(|&start| text(start)).collect();
        assert_eq!(texts, [&b"A=1"[..], expected.as_bytes(), b"B=2"]);
    }
}
