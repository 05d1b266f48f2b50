//! Entropy: keys are made from what is fresh, and none while this machine may be running twice.

use alloc::vec::Vec;

use nexus_machine::{Cx, Instant, Sink};

use super::beacons;
use super::{ENTROPY_AGE, Effect, Entropy, LinkId, Links, Timer};

use super::status::Down;

impl Links {
    /// A snapshot that was resumed twice would use nonces and ephemeral keys twice: everything is given up, and nothing is
    /// made again before there is fresh entropy.
    pub(super) fn clocks_parted(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.entropy = Entropy::Awaited;
        self.forget_handshakes(cx, |_| true);
        for interface in self.interfaces.values_mut() {
            interface.strangers.forget_all();
            interface.waiting.forget_all();
        }
        let links: Vec<LinkId> = self.links.iter().map(|(key, _)| LinkId(key)).collect();
        for link in links {
            self.end(cx, link, Down::ClocksParted, out);
        }
        self.deadlines.set(Timer::Entropy, cx.now.after(ENTROPY_AGE));
        out.push(Effect::EntropyWanted);
    }

    pub(super) fn entropy(&mut self, cx: Cx, entropy: &[u8; 32]) {
        self.random.refresh(entropy);
        self.deadlines.cancel(Timer::Entropy);
        if self.entropy == Entropy::Awaited {
            for interface in self.interfaces.values_mut() {
                interface.tag = beacons::fresh_tag(&mut self.random);
                interface.former = None;
            }
            self.redial_all(cx);
        }
        self.entropy = Entropy::Fresh;
    }

    /// Whether a key may be made. If so, more entropy is asked for in a minute.
    pub(super) fn may_make_keys(&mut self, now: Instant) -> bool {
        match self.entropy {
            Entropy::Awaited => false,
            Entropy::Used => true,
            Entropy::Fresh => {
                self.entropy = Entropy::Used;
                self.deadlines.set(Timer::Entropy, now.after(ENTROPY_AGE));
                true
            }
        }
    }
}
