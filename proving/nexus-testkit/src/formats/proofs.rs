//! What is verified rather than decoded: bytes that verify are taken, all others refused, and none of them panics.

use nexus_crypto::{VrfProof, VrfPublicKey, VrfSecret};

use crate::format::Format;

/// All of them.
pub static ALL: &[Format] = &[Format {
    name: "vrf-proof",
    reencode: verified_draw,
    samples: draws,
    possible_length: |len| len >= 112,
}];

/// A public key of 32 bytes, a proof of 80 and what it is of: the same bytes again, put together from their parts.
fn verified_draw(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (key, rest) = bytes.split_first_chunk().ok_or("key")?;
    let (proof, alpha) = rest.split_first_chunk().ok_or("proof")?;
    let (key, proof) = (VrfPublicKey(*key), VrfProof(*proof));
    key.verify(alpha, &proof).map_err(|error| error.to_string())?;
    Ok([key.as_bytes(), &proof.as_bytes()[..], alpha].concat())
}

fn draws() -> Vec<Vec<u8>> {
    [&b""[..], b"nexus", &[0xa1; 66]]
        .into_iter()
        .map(|alpha| {
            let secret = VrfSecret::from_seed(&[0x5e; 32]);
            let (proof, _) = secret.prove(alpha);
            [secret.public().as_bytes(), &proof.as_bytes()[..], alpha].concat()
        })
        .collect()
}
