//! What tshark shows, taken from its XML.

use std::path::Path;
use std::process::Command;

use crate::expected::Shown;

/// Lets tshark dissect a recording; what it shows of each packet.
pub(crate) fn dissect(file: &[u8]) -> Vec<Shown> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.pcapng");
    std::fs::write(&path, file).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/wireshark/nexus.lua");
    let mut tshark = Command::new("tshark");
    // Without anybody's own settings and scripts.
    tshark.env("HOME", directory.path()).env("XDG_CONFIG_HOME", directory.path());
    tshark.arg("-X").arg(format!("lua_script:{}", script.display()));
    let output = tshark.arg("-r").arg(&path).args(["-T", "pdml"]).output();
    let output = output.expect("tshark runs: apt-get install tshark");
    let complaints: Vec<String> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| !line.contains("Running as user \"root\""))
        .map(str::to_owned)
        .collect();
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints:?}", output.status);
    let text = String::from_utf8(output.stdout).expect("PDML is UTF-8");
    assert!(!text.contains("Lua Error") && !text.contains("_ws.lua.error"), "an error of the script");
    text.split("<packet>").skip(1).map(shown).collect()
}

/// What one packet's XML shows of this protocol, in its order.
fn shown(packet: &str) -> Shown {
    let mut shown = Shown::default();
    for element in packet.split("<field ").skip(1) {
        let Some(name) = attribute(element, "name") else { continue };
        let show = attribute(element, "show").unwrap_or_default();
        if name == "_ws.expert.message" {
            shown.malformed.push(show);
        } else if let Some(field) = name.strip_prefix("nexus.").filter(|field| *field != "malformed") {
            // Texts are compared by their bytes: tshark escapes what it shows of them.
            let text = attribute(element, "value").filter(|_| field == "extension.community");
            shown.fields.push((field.to_owned(), text.unwrap_or_else(|| plain(&show))));
        }
    }
    shown
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let head = element.split_once('>')?.0;
    let (_, after) = head.split_once(&format!("{name}=\""))?;
    let (value, _) = after.split_once('"')?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(value.to_owned(), |text, (entity, letter)| text.replace(entity, letter)))
}

/// Numbers in decimal, whatever their base; bytes without colons.
fn plain(show: &str) -> String {
    if let Some(number) = show.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        return number.to_string();
    }
    let is_bytes =
        show.split(':').all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()));
    match show {
        "True" => "1".to_owned(),
        "False" => "0".to_owned(),
        _ if is_bytes && show.contains(':') => show.replace(':', ""),
        _ => show.to_owned(),
    }
}
