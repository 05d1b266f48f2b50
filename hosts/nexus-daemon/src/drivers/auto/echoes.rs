//! Frames that come again by another way: a node with two cables to one network says everything on both.

use std::collections::VecDeque;

use tokio::time::{Duration, Instant};

use super::peers::At;

/// For so long a frame is remembered.
const FOR: Duration = Duration::from_millis(750);
/// So many are remembered.
const MOST: usize = 48;

/// What came of late. What the same peer says twice it meant twice.
#[derive(Debug, Default)]
pub(super) struct Echoes(VecDeque<Came>);

#[derive(Debug)]
struct Came {
    when: Instant,
    from: At,
    frame: Vec<u8>,
}

impl Echoes {
    /// Whether this came from somebody else just before; it is remembered if not.
    pub(super) fn is_echo(&mut self, now: Instant, from: At, frame: &[u8]) -> bool {
        while self.0.front().is_some_and(|came| now.duration_since(came.when) > FOR) {
            self.0.pop_front();
        }
        if self.0.iter().any(|came| came.from != from && came.frame == frame) {
            return true;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(Came { when: now, from, frame: frame.to_vec() });
        false
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const fn by(network: u32) -> At {
        At { network, address: Ipv6Addr::LOCALHOST }
    }

    #[test]
    fn a_frame_that_comes_by_two_ways_counts_once() {
        let (mut echoes, start) = (Echoes::default(), Instant::now());
        assert!(!echoes.is_echo(start, by(1), b"frame"));
        assert!(echoes.is_echo(start + Duration::from_millis(750), by(2), b"frame"));
        assert!(!echoes.is_echo(start, by(2), b"other frame"));
    }

    #[test]
    fn what_is_said_twice_by_one_way_or_later_is_said_twice() {
        let (mut echoes, start) = (Echoes::default(), Instant::now());
        assert!(!echoes.is_echo(start, by(1), b"frame"));
        assert!(!echoes.is_echo(start, by(1), b"frame"));
        assert!(!echoes.is_echo(start + Duration::from_millis(751), by(2), b"frame"));
    }

    #[test]
    fn the_last_48_frames_are_remembered() {
        let (mut echoes, start) = (Echoes::default(), Instant::now());
        for number in 0..=MOST {
            assert!(!echoes.is_echo(start, by(1), &number.to_be_bytes()));
        }
        assert_eq!(echoes.0.len(), MOST);
        assert!(echoes.is_echo(start, by(2), &1_usize.to_be_bytes()));
        assert!(!echoes.is_echo(start, by(2), &0_usize.to_be_bytes()));
    }
}
