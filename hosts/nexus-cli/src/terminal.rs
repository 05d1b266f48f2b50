//! What the terminal is asked for: a screen to draw on, and text that cannot paint it.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::tcgetwinsize;

/// Prints text as it is. A reader that is gone ends the program quietly, as with any other filter.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints a line.
pub(crate) fn print_line(line: &str) {
    print(&format!("{line}\n"));
}

/// Prints a value as one line of JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    print_line(&serde_json::to_string(value).expect("plain data has a JSON form"));
}

/// Whether a person reads standard output.
pub(crate) fn is_read_by_a_person() -> bool {
    io::stdout().is_terminal()
}

/// Another's text with everything escaped that could move the cursor, hide, reorder or fake what stands beside it:
/// control characters, line ends, marks of direction and characters without width.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' => shown.extend(character.escape_unicode()),
            _ if character.is_control() => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// How many columns text takes at most: characters beyond the Latin scripts are counted double.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|character| if character < '\u{300}' || character == '…' { 1 } else { 2 }).sum()
}

/// Text in lines of at most `limit` columns, broken between words, with what follows the first set in.
pub(crate) fn wrapped(text: &str, limit: usize) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if !line.trim().is_empty() && columns(&line) + 1 + columns(word) > limit {
            lines.push_str(&cut(&line, limit));
            lines.push('\n');
            "  ".clone_into(&mut line);
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(&cut(&line, limit));
    lines.push('\n');
    lines
}

/// Text cut to `limit` columns, with an ellipsis if something is missing.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if columns(&kept) + columns(character.encode_utf8(&mut [0; 4])) + 1 > limit {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// The alternate screen, without a cursor; what was there before comes back when this is dropped.
pub(crate) struct Screen(());

impl Screen {
    pub(crate) fn open() -> Self {
        print("\x1b[?1049h\x1b[?25l");
        Self(())
    }

    /// Draws `text` from the top; lines beyond the window's last are left out.
    #[expect(clippy::unused_self, reason = "there is a screen to draw on only while this exists")]
    pub(crate) fn draw(&self, text: &str) {
        // A terminal that does not know its size says zero.
        let rows =
            tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 1);
        let rows = rows.unwrap_or(24);
        let mut picture = String::from("\x1b[H");
        for line in text.lines().take(rows - 1) {
            picture.push_str(line);
            picture.push_str("\x1b[K\n");
        }
        picture.push_str("\x1b[J");
        print(&picture);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        print("\x1b[?25h\x1b[?1049l");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(wrapped("radio0: off, for a reason", 12), "radio0: off,\n  for a\n  reason\n");
        assert_eq!(wrapped("short", 12), "short\n");
        let broken = wrapped(&"x".repeat(50), 12);
        assert!(broken.lines().all(|line| columns(line) <= 12), "{broken}");
    }

    #[test]
    fn a_text_cannot_paint_the_terminal() {
        assert_eq!(harmless("a\x1b[31mred\r\n\u{9b}x\x07"), "a\\u{1b}[31mred\\u{d}\\n\\u{9b}x\\u{7}");
        assert_eq!(harmless("\u{202e}txt.exe\u{2066}\u{200b}"), "\\u{202e}txt.exe\\u{2066}\\u{200b}");
        assert_eq!(harmless("grüß Gott, мир, 世界 👋"), "grüß Gott, мир, 世界 👋");
    }

    #[test]
    fn a_cut_text_fits_and_says_that_it_was_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("世界世界", 5), "世界…");
        assert!(columns(&cut("世界世界", 4)) <= 4);
    }
}
