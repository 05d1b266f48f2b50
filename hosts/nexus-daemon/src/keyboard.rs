//! The terminal that a person sits at, for questions whose answers are not shown.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The longest hidden line, in bytes. What is typed beyond it is not taken.
const LONGEST: usize = 1_024;

/// The terminal that the person sits at, wherever standard input and output go.
#[derive(Debug)]
pub struct Keyboard {
    terminal: File,
    before: Termios,
}

impl Keyboard {
    /// The controlling terminal; none if there is none.
    pub fn open() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        Ok(Self { terminal, before })
    }

    /// A line that is not shown while it is typed; none if it was interrupted.
    pub fn ask_hidden(&mut self, question: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut quiet = self.before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is no answer to it; what follows the question is.
        tcsetattr(&self.terminal, OptionalActions::Flush, &quiet)?;
        let asked = self.terminal.write_all(question.as_bytes());
        let answer = asked.and_then(|()| read_keys(&mut self.terminal));
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before)?;
        self.terminal.write_all(b"\n")?;
        answer
    }

    /// A line, shown as it is typed.
    pub fn ask(&mut self, question: &str) -> io::Result<String> {
        self.terminal.write_all(question.as_bytes())?;
        let mut line = Vec::new();
        let mut key = [0];
        while self.terminal.read(&mut key)? == 1 && key[0] != b'\n' {
            line.push(key[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}

/// Keys up to Enter, with Backspace and Ctrl-U as a person expects them; none after Ctrl-C or Ctrl-D.
fn read_keys(terminal: &mut impl io::Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Never grows, so that no copy of it is left behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut key = [0];
    loop {
        if terminal.read(&mut key)? == 0 {
            return Ok(None);
        }
        match key[0] {
            b'\r' | b'\n' => return Ok(Some(line)),
            0x03 | 0x04 => return Ok(None),
            0x15 => line.clear(),
            0x08 | 0x7f => {
                // A character's continuation bytes go with it.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte if line.len() < LONGEST => line.push(byte),
            _beyond => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_edited_and_interrupted() {
        let typed = |mut keys: &[u8]| read_keys(&mut keys).unwrap().map(|line| line.to_vec());
        assert_eq!(typed(b"secret\r"), Some(b"secret".to_vec()));
        assert_eq!(typed("sä\x7fecrey\x7ft\n".as_bytes()), Some(b"secret".to_vec()));
        assert_eq!(typed(b"wrong\x15right\n"), Some(b"right".to_vec()));
        assert_eq!(typed(b"half\x03"), None);
        assert_eq!(typed(b"half"), None);
    }
}
