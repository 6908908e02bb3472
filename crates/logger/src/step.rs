//! The moments between which a logger may die, and the room on the disk: tests let it die at each of them, and
//! fill the disk.

use std::io;

/// A moment. Nothing outside of tests.
#[inline]
pub(crate) fn step() {
    #[cfg(test)]
    crate::testing::step();
}

/// As much of some bytes as the disk takes, as far as anybody but the disk has a say in that.
#[cfg(not(test))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "a disk of tests may be full")]
pub(crate) fn as_much_as_fits(bytes: &[u8]) -> io::Result<&[u8]> {
    Ok(bytes)
}

/// As much of some bytes as the disk takes.
#[cfg(test)]
pub(crate) fn as_much_as_fits(bytes: &[u8]) -> io::Result<&[u8]> {
    crate::testing::as_much_as_fits(bytes)
}
