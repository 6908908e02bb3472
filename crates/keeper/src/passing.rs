//! The descriptors that a child is started with: the standard three, its sockets from 3 on, and one to say
//! through that it is ready.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use clinit_sys::inherit::duplicate_above;

use crate::descriptors as fixed;

/// Which descriptor goes where.
#[derive(Debug)]
pub(crate) struct Passing {
    /// From, to; no "from" is another's "to".
    pub(crate) pairs: Vec<(RawFd, RawFd)>,
    /// Duplicates of those that stood where another one goes: held until the child is there.
    _moved: Vec<OwnedFd>,
    /// The child keeps those below this ...
    pub(crate) keep_below: u32,
    /// ... and this one.
    pub(crate) keep_too: Option<u32>,
}

impl Passing {
    /// Passes on the input, both outputs if they are not to be the keeper's own, sockets from 3 on, and `ready`
    /// under its number, which should be none of theirs.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new(
        input: BorrowedFd<'_>,
        output: Option<BorrowedFd<'_>>,
        sockets: &[OwnedFd],
        ready: Option<(BorrowedFd<'_>, u16)>,
    ) -> io::Result<Self> {
        let mut given = Vec::with_capacity(3);
        given.push((input, 0));
        given.extend(output.into_iter().flat_map(|fd| [(fd, 1), (fd, 2)]));
        given.extend(sockets.iter().map(AsFd::as_fd).zip(3..));
        given.extend(ready.map(|(fd, number)| (fd, number.into())));
        let is_target = |number: RawFd| given.iter().any(|&(_, to)| to == number);
        let mut moved = Vec::new();
        let mut pairs = Vec::with_capacity(given.len());
        for &(fd, to) in &given {
            let mut from = fd.as_raw_fd();
            if from != to && is_target(from) {
                let beside = duplicate_beside(fd, is_target)?;
                from = beside.as_raw_fd();
                moved.push(beside);
            }
            pairs.push((from, to));
        }
        Ok(Self {
            pairs,
            _moved: moved,
            keep_below: fixed::KEEP_ENTRY + u32::try_from(sockets.len()).unwrap_or(0),
            keep_too: ready.map(|(_, number)| number.into()),
        })
    }
}

/// A duplicate with a number that is no target; not above all targets, since one may be far up.
fn duplicate_beside(fd: BorrowedFd<'_>, is_target: impl Fn(RawFd) -> bool) -> io::Result<OwnedFd> {
    let mut least = fixed::FREE;
    loop {
        let moved = duplicate_above(fd, least)?;
        if !is_target(moved.as_raw_fd()) {
            return Ok(moved);
        }
        least = moved.as_raw_fd() + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;

    use super::*;

    fn open() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn the_standard_three_go_where_they_belong() {
        let (null, out) = (open(), open());
        let passing = Passing::new(null.as_fd(), Some(out.as_fd()), &[], None).unwrap();
        let (null, out) = (null.as_raw_fd(), out.as_raw_fd());
        assert_eq!(passing.pairs, [(null, 0), (out, 1), (out, 2)]);
        assert_eq!((passing.keep_below, passing.keep_too), (3, None));
    }

    #[test]
    fn none_stands_where_another_one_goes() {
        let null = open();
        let sockets: Vec<OwnedFd> = (0..40).map(|_| open()).collect();
        let ready = open();
        // In its way, and in the way of what is moved.
        for number in [sockets[5].as_raw_fd(), fixed::FREE, 4000] {
            let number = u16::try_from(number).unwrap();
            let passing = Passing::new(null.as_fd(), None, &sockets, Some((ready.as_fd(), number))).unwrap();
            let targets: BTreeSet<RawFd> = passing.pairs.iter().map(|&(_, to)| to).collect();
            assert!(passing.pairs.iter().all(|(from, to)| from == to || !targets.contains(from)));
            assert_eq!((passing.keep_below, passing.keep_too), (43, Some(number.into())));
        }
    }
}
