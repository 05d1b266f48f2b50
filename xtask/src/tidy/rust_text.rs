//! Rust source split into code, strings and comments, line by line.
//!
//! Enough of the lexical grammar to tell them apart: nested block comments, strings with escapes, raw strings,
//! character literals beside lifetimes.

/// One line of a Rust file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// What the compiler reads, without the contents of strings.
    pub(crate) code: String,
    /// The contents of strings.
    pub(crate) strings: String,
    /// Comments and documentation, with their marks.
    pub(crate) comment: String,
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    /// How deep it is nested.
    BlockComment(u32),
    Str,
    /// How many `#` close it.
    RawStr(usize),
}

/// Splits a file.
pub(crate) fn split(text: &str) -> Vec<Line> {
    let characters: Vec<char> = text.chars().collect();
    let mut splitter = Splitter { rest: &characters, state: State::Code, lines: vec![Line::default()] };
    while !splitter.rest.is_empty() {
        splitter.step();
    }
    splitter.lines
}

struct Splitter<'a> {
    rest: &'a [char],
    state: State,
    lines: Vec<Line>,
}

impl Splitter<'_> {
    fn step(&mut self) {
        if self.rest[0] == '\n' {
            if matches!(self.state, State::LineComment) {
                self.state = State::Code;
            }
            self.lines.push(Line::default());
            self.rest = &self.rest[1..];
            return;
        }
        match self.state {
            State::Code => self.code(),
            State::BlockComment(depth) => self.block_comment(depth),
            State::Str if self.rest[0] == '\\' && self.rest.get(1) != Some(&'\n') => self.take(2),
            State::Str if self.rest[0] == '"' => self.close(1),
            State::RawStr(hashes) if self.at_raw_end(hashes) => self.close(1 + hashes),
            State::LineComment | State::Str | State::RawStr(_) => self.take(1),
        }
    }

    fn code(&mut self) {
        if self.at("//") {
            self.state = State::LineComment;
            self.take(2);
        } else if self.at("/*") {
            self.state = State::BlockComment(1);
            self.take(2);
        } else if let Some(length) = self.raw_string_start() {
            self.take(length);
            self.state = State::RawStr(length - 2);
        } else if self.rest[0] == '"' {
            self.take(1);
            self.state = State::Str;
        } else {
            let length = self.character_literal().unwrap_or(1);
            self.take(length);
        }
    }

    fn block_comment(&mut self, depth: u32) {
        if self.at("/*") {
            self.state = State::BlockComment(depth + 1);
            self.take(2);
        } else if self.at("*/") {
            self.take(2);
            self.state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
        } else {
            self.take(1);
        }
    }

    /// The closing marks of a string are code.
    fn close(&mut self, length: usize) {
        self.state = State::Code;
        self.take(length);
    }

    /// Moves characters to where the state puts them. Never past the end.
    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        let line = self.lines.last_mut().expect("there is always a line");
        let place = match self.state {
            State::Code => &mut line.code,
            State::LineComment | State::BlockComment(_) => &mut line.comment,
            State::Str | State::RawStr(_) => &mut line.strings,
        };
        place.extend(taken);
        self.rest = rest;
    }

    fn at(&self, text: &str) -> bool {
        text.chars().eq(self.rest.iter().copied().take(text.len()))
    }

    /// The length of `r#"`, with any number of `#`; it is no start within a word (`bar"`).
    fn raw_string_start(&self) -> Option<usize> {
        let before = self.lines.last().and_then(|line| line.code.chars().last());
        let starts_word = before.is_none_or(|before| matches!(before, 'b' | 'c') || !is_word(before));
        if self.rest[0] != 'r' || !starts_word {
            return None;
        }
        let hashes = self.rest[1..].iter().take_while(|character| **character == '#').count();
        (self.rest.get(1 + hashes) == Some(&'"')).then_some(2 + hashes)
    }

    fn at_raw_end(&self, hashes: usize) -> bool {
        let closing = self.rest[1..].iter().take(hashes).filter(|character| **character == '#').count();
        self.rest[0] == '"' && closing == hashes
    }

    /// The length of a character literal; a lifetime is none.
    fn character_literal(&self) -> Option<usize> {
        match self.rest {
            ['\'', '\\', _, rest @ ..] => rest
                .iter()
                .take_while(|character| **character != '\n')
                .position(|c| *c == '\'')
                .map(|at| at + 4),
            ['\'', _, '\'', ..] => Some(3),
            _ => None,
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Line {
        let mut lines = split(text);
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    #[track_caller]
    fn assert_split(text: &str, code: &str, strings: &str, comment: &str) {
        let line = one(text);
        assert_eq!(
            (line.code.as_str(), line.strings.as_str(), line.comment.as_str()),
            (code, strings, comment)
        );
    }

    #[test]
    fn comments_end_with_their_line() {
        let lines = split("a(); // why\nb();");
        assert_eq!((lines[0].comment.as_str(), lines[1].code.as_str()), ("// why", "b();"));
    }

    #[test]
    fn a_comment_mark_in_a_string_is_no_comment() {
        assert_split(r#"f("// \" no") // yes"#, r#"f("") "#, r#"// \" no"#, "// yes");
    }

    #[test]
    fn raw_strings_end_where_their_hashes_do() {
        assert_split(r##"f(r#"a " // b"#); // c"##, "f(r#\"\"#); ", r#"a " // b"#, "// c");
        assert_split(r#"bar"x" // c"#, r#"bar"" "#, "x", "// c");
    }

    #[test]
    fn block_comments_nest_and_span_lines() {
        let lines = split("a /* one /* two */\nthree */ b");
        assert_eq!((lines[0].code.as_str(), lines[1].code.as_str()), ("a ", " b"));
        assert_eq!(lines[1].comment, "three */");
    }

    #[test]
    fn a_quote_character_opens_no_string() {
        assert_split(r"let q = '\''; // c", r"let q = '\''; ", "", "// c");
        assert_split("f('\"', &'a str) // c", "f('\"', &'a str) ", "", "// c");
        assert_split(r"f('\u{22}') // c", r"f('\u{22}') ", "", "// c");
    }

    #[test]
    fn an_unfinished_string_ends_with_the_file() {
        assert_split("f(\"a\\", "f(\"", "a\\", "");
    }
}
