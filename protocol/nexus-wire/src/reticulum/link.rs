//! How a link comes to be: request and proof, as a relay sees them. What follows on the link is encrypted between its
//! ends and passes as bytes. Source: spec/reticulum.md#link-request.

mod proof;
mod request;
mod signalling;

pub use proof::{BadLinkProof, LinkProof};
pub use request::LinkRequest;
pub use signalling::{LinkMode, LinkMtu, Signalling, clamp_signalling};
