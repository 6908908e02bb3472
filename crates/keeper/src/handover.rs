//! What a keeper leaves in its process when it becomes another program there (`reexec`).
//!
//! The descriptors stay open, and their numbers stand in a list, which is a file in memory; an environment variable
//! names its descriptor. The children are found in the slots, the companions in the header of the slots.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | mark and version |
//! | 8 | the signal that asked for the end, or 0 |
//! | 9 | 1 if a HUP was not told yet |
//! | 12.. | numbers of descriptors, four bytes each: the list, lock, link, feed, notes, life, FIFOs |

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use clinit_sys::inherit;
use rustix::fs::{MemfdFlags, memfd_create};

/// The environment variable that names the descriptor of the list.
pub(crate) const VARIABLE: &str = "CLINIT_HANDOVER";

/// The mark of a list, and the version of its layout.
const MARK: [u8; 8] = *b"clinit\x02\x01";

const HEAD_BYTES: usize = 12;

/// What is left.
#[derive(Debug)]
pub struct Handover {
    /// The signal that asked for the end, if one did.
    pub(crate) shutdown: Option<u8>,
    /// Whether a HUP was not told yet.
    pub(crate) is_hup_owed: bool,
    /// `keeper.lock`, locked.
    pub(crate) only: OwnedFd,
    /// To the engine.
    pub(crate) link: OwnedFd,
    pub(crate) feed: [OwnedFd; 2],
    pub(crate) notes: [OwnedFd; 2],
    pub(crate) life: [OwnedFd; 2],
    /// What was printed into them is there as long as somebody holds them.
    pub(crate) fifos: Vec<OwnedFd>,
}

impl Handover {
    /// Takes over what another program left in this process, if one did. To be called before anything is opened.
    ///
    /// # Errors
    /// There is something that is none of this version's.
    pub fn take() -> io::Result<Option<Self>> {
        let Some(number) = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<RawFd>().ok()) else {
            return Ok(None);
        };
        let unknown = || io::Error::other("what was handed over is of another version");
        let mut bytes = Vec::new();
        File::open(format!("/proc/self/fd/{number}"))?.read_to_end(&mut bytes)?;
        let (head, list) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(unknown)?;
        if head[..8] != MARK {
            return Err(unknown());
        }
        let numbers: Vec<RawFd> =
            list.as_chunks::<4>().0.iter().map(|number| RawFd::from_le_bytes(*number)).collect();
        let mut descriptors = inherit::take_left(&numbers)?.into_iter();
        let mut next = || descriptors.next().ok_or_else(unknown);
        let _list = next()?;
        Ok(Some(Self {
            shutdown: Some(head[8]).filter(|&signal| signal != 0),
            is_hup_owed: head[9] != 0,
            only: next()?,
            link: next()?,
            feed: [next()?, next()?],
            notes: [next()?, next()?],
            life: [next()?, next()?],
            fifos: descriptors.collect(),
        }))
    }
}

/// Writes the list of these descriptors, which are to be in the order of [`Handover`]'s fields.
pub(crate) fn list(shutdown: Option<u8>, is_hup_owed: bool, numbers: &[RawFd]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("clinit handover", MemfdFlags::CLOEXEC)?);
    let mut bytes = MARK.to_vec();
    bytes.extend([shutdown.unwrap_or(0), u8::from(is_hup_owed), 0, 0]);
    let all = std::iter::once(file.as_raw_fd()).chain(numbers.iter().copied());
    bytes.extend(all.flat_map(RawFd::to_le_bytes));
    file.write_all(&bytes)?;
    Ok(file.into())
}
