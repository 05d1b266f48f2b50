//! How a command ends: its exit code, and the one sentence that goes with it. Spec: spec/tools.md#exit-codes.

use std::fmt::Display;
use std::process::ExitCode;

use thiserror::Error;

/// What became of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It happened.
    Done,
    /// It did not happen, and the command has said why.
    NotDone,
}

/// Why a command cannot even try.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// The sentence says what to do.
    #[error("{0}")]
    Cannot(String),
    /// No daemon answers.
    #[error("{0}")]
    NotRunning(String),
}

/// What every command's `run` returns.
pub(crate) type Ending = Result<Outcome, Refusal>;

impl Refusal {
    /// A refusal with somebody else's sentence.
    pub(crate) fn cannot(sentence: impl Display) -> Self {
        Self::Cannot(sentence.to_string())
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Cannot(_) => 2,
            Self::NotRunning(_) => 3,
        }
    }
}

/// Says what is to be said on standard error, and gives the process's exit code.
pub(crate) fn exit_code(ending: &Ending) -> ExitCode {
    match ending {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotDone) => ExitCode::FAILURE,
        Err(refusal) => {
            eprintln!("nexus: {refusal}");
            ExitCode::from(refusal.code())
        }
    }
}
