//! How the two ends of a connection show each other that they have the same key: each answers a challenge of the other, the listener's first.
//!
//! It is the one of Python's `multiprocessing.connection`, of which 3.12 and later name a digest and earlier ones know MD5 alone.

use nexus_crypto::SharedKey;
use nexus_crypto::secret::constant_time_eq;

/// What is said to who has the key.
pub(super) const WELCOME: &[u8] = b"#WELCOME#";
/// What is said to who has not.
pub(super) const FAILURE: &[u8] = b"#FAILURE#";
/// The longest frame before both have shown it.
pub(super) const MAX_LEN: usize = 256;
/// Bytes that nobody can foresee.
pub(super) const RANDOM_LEN: usize = 32;

const CHALLENGE: &[u8] = b"#CHALLENGE#";
const SHA256: &[u8] = b"{sha256}";
/// How long the challenges are that name no digest and mean MD5. Nothing that names one is as short.
const UNNAMED_LEN: usize = 20;

/// What this end asks.
#[derive(Debug)]
pub(super) struct Challenge(Vec<u8>);

impl Challenge {
    pub(super) fn new(random: &[u8; RANDOM_LEN]) -> Self {
        Self([SHA256, random].concat())
    }

    /// Its frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        [CHALLENGE, &self.0].concat()
    }

    /// Whether `response` comes from somebody who has the key.
    pub(super) fn is_met(&self, response: &[u8], key: &SharedKey) -> bool {
        match response.strip_prefix(SHA256) {
            Some(code) => constant_time_eq(code, &key.sha256(&self.0)),
            None => constant_time_eq(response, &key.md5(&self.0)),
        }
    }
}

/// The response to a challenge of the other end; none to what is no challenge, or wants a digest that is not spoken here.
pub(super) fn response(frame: &[u8], key: &SharedKey) -> Option<Vec<u8>> {
    let message = frame.strip_prefix(CHALLENGE)?;
    if message.len() == UNNAMED_LEN {
        return Some(key.md5(message).to_vec());
    }
    message.starts_with(SHA256).then(|| [SHA256, &key.sha256(message)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SharedKey {
        SharedKey::from_bytes(vec![byte; 32])
    }

    #[test]
    fn who_has_the_key_meets_the_challenge_and_nobody_else_does() {
        let challenge = Challenge::new(&[7; RANDOM_LEN]);
        let met = response(&challenge.frame(), &key(1)).unwrap();
        assert!(challenge.is_met(&met, &key(1)));
        assert!(!challenge.is_met(&met, &key(2)));
        assert!(!Challenge::new(&[8; RANDOM_LEN]).is_met(&met, &key(1)), "an answer to another challenge");
        for cut in [&met[..0], &met[..8], &met[..met.len() - 1]] {
            assert!(!challenge.is_met(cut, &key(1)));
        }
    }

    #[test]
    fn programs_on_early_pythons_are_met_with_the_digest_that_they_know() {
        let challenge = Challenge::new(&[7; RANDOM_LEN]);
        let all = challenge.frame();
        let code = key(1).md5(&all[CHALLENGE.len()..]);
        assert!(challenge.is_met(&code, &key(1)) && !challenge.is_met(&code, &key(2)));
        let theirs = [CHALLENGE, &[9; UNNAMED_LEN]].concat();
        assert_eq!(response(&theirs, &key(1)), Some(key(1).md5(&[9; UNNAMED_LEN]).to_vec()));
    }

    /// Made with the `multiprocessing.connection` of Python 3.12's documentation: HMAC over the digest's name and what follows.
    #[test]
    fn a_response_covers_the_name_of_the_digest() {
        let theirs = [CHALLENGE, SHA256, &[9; 40]].concat();
        let signed = [SHA256, &[9; 40]].concat();
        assert_eq!(response(&theirs, &key(1)), Some([SHA256, &key(1).sha256(&signed)].concat()));
    }

    #[test]
    fn what_is_no_challenge_gets_no_code() {
        let short = [CHALLENGE, &[9; UNNAMED_LEN - 1]].concat();
        let other = [CHALLENGE, b"{sha384}", &[9; 40]].concat();
        for frame in [b"".as_slice(), CHALLENGE, &short, &other, &[0; MAX_LEN], WELCOME] {
            assert_eq!(response(frame, &key(1)), None);
        }
    }
}
