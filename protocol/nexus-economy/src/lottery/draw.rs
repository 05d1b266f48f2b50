//! Who draws: the VRF, or what stands in for it where millions of draws are wanted.

use nexus_crypto::{NotProven, VrfOutput, VrfProof, VrfPublicKey, VrfSecret};

/// A function that one party computes and everybody can check.
pub trait Vrf {
    /// The key by which others check.
    fn public(&self) -> VrfPublicKey;

    /// The output for `alpha`, without a proof.
    fn output(&self, alpha: &[u8]) -> VrfOutput;

    /// A proof of the output for `alpha`.
    fn prove(&self, alpha: &[u8]) -> VrfProof;

    /// The output that `proof` proves under another's `key`.
    ///
    /// # Errors
    /// [`NotProven`] says why it proves none.
    fn verify(key: &VrfPublicKey, alpha: &[u8], proof: &VrfProof) -> Result<VrfOutput, NotProven>;
}

impl Vrf for VrfSecret {
    fn public(&self) -> VrfPublicKey {
        Self::public(self)
    }

    fn output(&self, alpha: &[u8]) -> VrfOutput {
        Self::output(self, alpha)
    }

    fn prove(&self, alpha: &[u8]) -> VrfProof {
        Self::prove(self, alpha).0
    }

    fn verify(key: &VrfPublicKey, alpha: &[u8], proof: &VrfProof) -> Result<VrfOutput, NotProven> {
        key.verify(alpha, proof)
    }
}
