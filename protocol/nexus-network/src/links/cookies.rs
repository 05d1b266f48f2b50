//! Cookies: under a flood of first messages, a responder with addresses keeps nothing until the initiator has shown that it
//! receives at the address that it writes from.

use nexus_crypto::hash::blake2b_128_keyed;
use nexus_crypto::secret::constant_time_eq;
use nexus_machine::{Duration, Instant, Stream};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::interface::Endpoint;

/// The secret behind the cookies of one interface, and the one before it, which is taken too.
#[derive(ZeroizeOnDrop)]
pub(super) struct Cookies {
    current: [u8; 32],
    previous: [u8; 32],
    #[zeroize(skip)]
    renewed_at: Instant,
}

/// How long a secret makes cookies. Source: spec/network.md#floods.
const RENEWAL: Duration = Duration::from_secs(120);

impl Cookies {
    pub(super) fn new(now: Instant, random: &mut Stream) -> Self {
        Self { current: random.bytes(), previous: random.bytes(), renewed_at: now }
    }

    /// The cookie for a first message of these 39 bytes from `address`.
    pub(super) fn bake(
        &mut self,
        now: Instant,
        address: &Endpoint,
        first: &[u8],
        random: &mut Stream,
    ) -> [u8; 16] {
        self.renew(now, random);
        baked(&self.current, address, first)
    }

    /// Whether `cookie` is one that was baked for these bytes within the last two to four minutes.
    pub(super) fn accepts(
        &mut self,
        now: Instant,
        address: &Endpoint,
        first: &[u8],
        cookie: &[u8; 16],
        random: &mut Stream,
    ) -> bool {
        self.renew(now, random);
        [&self.current, &self.previous]
            .into_iter()
            .any(|secret| constant_time_eq(&baked(secret, address, first), cookie))
    }

    fn renew(&mut self, now: Instant, random: &mut Stream) {
        let age = now.since(self.renewed_at);
        if age < RENEWAL {
            return;
        }
        self.previous.zeroize();
        // A secret that was not used for two periods is not taken as the previous one either.
        self.previous = if age < RENEWAL.times(2) { self.current } else { random.bytes() };
        self.current = random.bytes();
        // On a grid, so that a secret that is seldom used does not live longer.
        let into = age.as_micros().checked_rem(RENEWAL.as_micros()).unwrap_or(0);
        self.renewed_at = now.before(Duration::from_micros(into));
    }
}

impl core::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cookies(hidden)")
    }
}

fn baked(secret: &[u8; 32], address: &Endpoint, first: &[u8]) -> [u8; 16] {
    blake2b_128_keyed(secret, &[address.as_bytes(), first])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    #[test]
    fn a_cookie_is_for_one_address_one_message_and_a_few_minutes() {
        let mut random = Seed::new([1; 32]).fork("cookies");
        let at = |s| Instant::BOOT.after(Duration::from_secs(s));
        let mut cookies = Cookies::new(at(0), &mut random);
        let (here, there) = (Endpoint::new(&[1; 18]).unwrap(), Endpoint::new(&[2; 18]).unwrap());
        let cookie = cookies.bake(at(100), &here, b"first", &mut random);
        for (now, address, first, accepted) in [
            (at(101), here, &b"first"[..], true),
            (at(101), there, b"first", false),
            (at(101), here, b"other", false),
            (at(239), here, b"first", true),
            (at(241), here, b"first", false),
        ] {
            assert_eq!(
                cookies.accepts(now, &address, first, &cookie, &mut random),
                accepted,
                "{now:?} {address:?}"
            );
        }
        let cookie = cookies.bake(at(300), &here, b"first", &mut random);
        assert!(!cookies.accepts(at(10_000), &here, b"first", &cookie, &mut random));
    }
}
