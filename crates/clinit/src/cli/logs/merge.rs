//! Lines of several entries by their times.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::time::Duration;

use super::reader::{Line, Reader};
use super::show::Show;

/// Shows all lines that there are now in the order of their times; with `last` only so many of them.
pub(super) fn merge(readers: &mut [Reader], last: Option<usize>, show: &Show) -> io::Result<()> {
    let mut heads: Vec<Option<Line>> = Vec::with_capacity(readers.len());
    let mut order: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        let head = next(reader)?;
        order.extend(head.as_ref().map(|line| Reverse((line.order, index))));
        heads.push(head);
    }
    let mut kept: VecDeque<(usize, Line)> = VecDeque::new();
    let mut out = show.output();
    while let Some(Reverse((_, index))) = order.pop() {
        let head = next(&mut readers[index])?;
        order.extend(head.as_ref().map(|line| Reverse((line.order, index))));
        let Some(line) = std::mem::replace(&mut heads[index], head) else { continue };
        match last {
            None => show.line(&mut out, &readers[index].chosen, &line)?,
            Some(0) => {}
            Some(last) => {
                if kept.len() == last {
                    kept.pop_front();
                }
                kept.push_back((index, line));
            }
        }
    }
    for (index, line) in &kept {
        show.line(&mut out, &readers[*index].chosen, line)?;
    }
    io::Write::flush(&mut out)
}

/// The next line; at the end of all, one that has no end, unless somebody waits for that.
fn next(reader: &mut Reader) -> io::Result<Option<Line>> {
    match reader.next_line()? {
        None if !reader.follows => Ok(reader.rest()),
        line => Ok(line),
    }
}
