//! `nexus ping`, `nexus send` and `nexus listen`: words between nodes.

pub(crate) mod listen;
pub(crate) mod ping;
pub(crate) mod send;
pub(crate) mod tally;

use nexus_daemon::api::{Code, Failure};
use nexus_daemon::client::ClientError;

use crate::ending::Refusal;

/// Why something that was tried did not arrive.
pub(crate) fn not_delivered(refusal: ClientError) -> Result<Failure, Refusal> {
    match refusal {
        ClientError::Refused(failure)
            if matches!(failure.code, Code::NoPath | Code::NoReceipt | Code::Busy | Code::NotFound) =>
        {
            Ok(failure)
        }
        refusal => Err(refusal.into()),
    }
}

/// Why, for a person, with what may help.
pub(crate) fn why(failure: &Failure) -> String {
    let advice = match failure.code {
        Code::NoPath => "; `nexus status paths` shows whom the node knows",
        Code::NoReceipt => "; it may have arrived all the same",
        Code::Busy => "; try again when less is on its way",
        _other_codes => "",
    };
    format!("{}{advice}", failure.sentence)
}
