//! `nexus rns request`: what a destination answers at a path.

use std::io::Write as _;

use clap::Args;
use nexus_daemon::api::{Code, Failure, RnsAnswer, Verb};
use nexus_daemon::recordings::{hex, unhex};
use rmpv::Value;
use serde_json::json;

use super::destination;
use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::place::Place;
use crate::quantities::{seconds, spoken};
use crate::terminal::{harmless, is_read_by_a_person, print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A link is opened to the destination, the request is made on it, and the answer
is printed as it came: pages of NomadNet nodes are at /page/index.mu, say. What
is no text and no bytes is printed as JSON. `--identify` tells the other end who
asks, which some answers are for. If no way is known one is asked for.

Exit code 0 means that it answered.

Examples:
  nexus rns request e7d5a1e4b0f6dd7b04b1ee6a10c8ea24 /page/index.mu
  nexus rns request --identify --json e7d5a1 /status \"how are you\"")]
pub(crate) struct Request {
    /// Whom
    destination: String,
    /// For what, as the destination names it
    path: String,
    /// What goes with the request; nothing, if it is left out
    data: Option<String>,
    /// Say who asks
    #[arg(long)]
    identify: bool,
    #[command(flatten)]
    place: Place,
    /// How long the answer may take, once there is a link: 10s, 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "15s", value_parser = seconds)]
    for_s: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Request {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let to = destination(&mut client, &self.destination).await?;
        let data = self.data.as_ref().map(|text| packed(&Value::Binary(text.as_bytes().to_vec())));
        let Self { identify, for_s, .. } = self;
        let verb = Verb::RnsRequest { to: to.node.clone(), path: self.path.clone(), data, identify, for_s };
        match client.call::<RnsAnswer>(verb).await {
            Ok(answer) => {
                let value = unpacked(&answer)?;
                if self.json {
                    print_json(
                        &json!({ "destination": to.node, "path": self.path, "answer": as_json(&value),
                        "packed": answer.data, "took_us": answer.took_us }),
                    );
                } else {
                    show(&value);
                }
                Ok(Outcome::Done)
            }
            Err(refusal) => {
                let sentence = why(not_delivered(refusal)?, for_s);
                if self.json {
                    print_json(&json!({ "destination": to.node, "path": self.path, "answer": null,
                        "why": sentence }));
                } else {
                    print_line(&format!("no answer: {sentence}"));
                }
                Ok(Outcome::NotDone)
            }
        }
    }
}

fn packed(value: &Value) -> String {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a vector takes all");
    hex(&bytes)
}

fn unpacked(answer: &RnsAnswer) -> Result<Value, Refusal> {
    let bytes = unhex(&answer.data).unwrap_or_default();
    rmpv::decode::read_value(&mut &bytes[..])
        .map_err(|cause| Refusal::cannot(format!("the answer is not understood: {cause}")))
}

/// Bytes and text as they came; a terminal is kept from what it would obey.
fn show(value: &Value) {
    let bytes = match value {
        Value::Binary(bytes) => bytes.as_slice(),
        Value::String(text) => text.as_bytes(),
        other => return print_line(&as_json(other).to_string()),
    };
    if is_read_by_a_person() {
        return print_line(&harmless(&String::from_utf8_lossy(bytes)));
    }
    // Who reads no further wants no more.
    let _closed = std::io::stdout().write_all(bytes);
}

/// As JSON has it: bytes that are no text in hexadecimal.
fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Boolean(is) => (*is).into(),
        Value::Integer(number) => {
            number.as_u64().map_or_else(|| number.as_i64().into(), serde_json::Value::from)
        }
        Value::F32(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        Value::String(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        Value::Binary(bytes) => String::from_utf8(bytes.clone()).unwrap_or_else(|_| hex(bytes)).into(),
        Value::Array(values) => values.iter().map(as_json).collect(),
        Value::Map(pairs) => {
            let name = |name: &Value| name.as_str().map_or_else(|| as_json(name).to_string(), str::to_owned);
            pairs
                .iter()
                .map(|(key, value)| (name(key), as_json(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Ext(_, bytes) => hex(bytes).into(),
    }
}

/// Why nothing was answered, for a person.
fn why(failure: Failure, waited_s: u64) -> String {
    match failure.code {
        Code::NoReceipt => format!("{} ({})", failure.sentence, spoken(waited_s)),
        _other_codes => failure.sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_as_json_has_it() {
        let value = Value::Map(vec![
            (Value::from("name"), Value::Binary(b"\xff\x00".to_vec())),
            (Value::from(3), Value::Array(vec![Value::Nil, Value::from(-1), Value::from("text")])),
        ]);
        assert_eq!(as_json(&value), json!({ "name": "ff00", "3": [null, -1, "text"] }));
        assert_eq!(packed(&Value::Binary(b"asked".to_vec())), "c4056173".to_owned() + "6b6564");
    }
}
