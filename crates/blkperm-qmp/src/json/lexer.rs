//! Bytes to tokens: a state machine that looks at each byte once, or twice where the byte ends a
//! token before it.

use super::{MAX_BYTES, Position, Span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Colon,
    Comma,
    Integer,
    Float,
    Keyword,
    String,
    /// Bytes that no token begins with.
    Stray,
    /// The beginning of a token that is longer than a whole value may be.
    Oversized,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// After an error, until a byte that promises a new beginning.
    Recovery,
    String {
        quote: u8,
    },
    Escape {
        quote: u8,
    },
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Keyword,
}

/// What one byte does to the machine.
enum Step {
    /// It belongs to the token.
    Shift(State),
    /// It is the last byte of the token.
    End(Kind),
    /// The token ended before it.
    EndBefore(Kind),
    /// It belongs to nothing.
    Skip(State),
    /// It ends the search for a new beginning, and is looked at again.
    Recovered,
    /// It cannot stand here.
    Stray,
}

/// The machine, with the token that it is in.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    state: State,
    text: Vec<u8>,
    /// `text` has been handed out, and is to be cleared before the next byte.
    delivered: bool,
    start: Position,
    position: Position,
}

impl Lexer {
    /// How far it has read.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// How many bytes it keeps.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.text.len()
    }

    /// The next token of `rest`, which loses what has been read; none if it ends before the token
    /// does.
    pub(super) fn next(&mut self, rest: &mut &[u8]) -> Option<Token<'_>> {
        self.clear_delivered();
        while let Some(&byte) = rest.first() {
            let step = step(self.state, byte);
            if let Step::EndBefore(kind) = step {
                return Some(self.deliver(kind, State::Between));
            }
            if let Step::Recovered = step {
                self.state = State::Between;
                continue;
            }
            if self.text.is_empty() {
                self.start = self.position;
            }
            let run = self.run(rest);
            let taken;
            (taken, *rest) = rest.split_at(run);
            self.position.advance(taken);
            match step {
                Step::Skip(state) => self.state = state,
                Step::Shift(state) => {
                    self.text.extend_from_slice(taken);
                    self.state = state;
                    if self.text.len() > MAX_BYTES {
                        return Some(self.deliver(Kind::Oversized, State::Between));
                    }
                }
                Step::End(kind) => {
                    self.text.extend_from_slice(taken);
                    return Some(self.deliver(kind, State::Between));
                }
                Step::Stray | Step::EndBefore(_) | Step::Recovered => {
                    self.text.extend_from_slice(taken);
                    return Some(self.deliver(Kind::Stray, State::Recovery));
                }
            }
        }
        None
    }

    /// The token that the end of the text completes, or breaks.
    pub(super) fn finish(&mut self) -> Option<Token<'_>> {
        self.clear_delivered();
        // A line break ends every token that can be complete without its next byte, and no other.
        match step(self.state, b'\n') {
            Step::EndBefore(kind) => Some(self.deliver(kind, State::Between)),
            Step::Stray => Some(self.deliver(Kind::Stray, State::Between)),
            _ => {
                self.state = State::Between;
                None
            }
        }
    }

    /// How many bytes to take at once: one, or all the plain ones at the head of `rest` inside of a
    /// string or keyword.
    fn run(&self, rest: &[u8]) -> usize {
        let room = MAX_BYTES + 1 - self.text.len();
        let rest = rest.iter().take(room);
        let plain = match self.state {
            State::String { quote } => rest
                .take_while(|&&byte| plain_in_string(byte) && byte != quote && byte != b'\\')
                .count(),
            State::Keyword => rest.take_while(|byte| byte.is_ascii_lowercase()).count(),
            _ => 1,
        };
        plain.max(1)
    }

    fn clear_delivered(&mut self) {
        if self.delivered {
            self.text.clear();
            self.delivered = false;
        }
    }

    fn deliver(&mut self, kind: Kind, state: State) -> Token<'_> {
        self.state = state;
        self.delivered = true;
        let span = Span { start: self.start, end: self.position };
        Token { kind, text: &self.text, span }
    }
}

/// Whether a string may hold the byte: no control character and no byte that UTF-8 never uses as a
/// mark.
fn plain_in_string(byte: u8) -> bool {
    (0x20..0xFE).contains(&byte)
}

fn step(state: State, byte: u8) -> Step {
    match state {
        State::Between => begin(byte),
        State::Recovery => recover(byte),
        State::String { quote } if byte == quote => Step::End(Kind::String),
        State::String { quote } if byte == b'\\' => Step::Shift(State::Escape { quote }),
        State::String { .. } if plain_in_string(byte) => Step::Shift(state),
        State::Escape { quote } if plain_in_string(byte) => Step::Shift(State::String { quote }),
        State::String { .. } | State::Escape { .. } => Step::Stray,
        State::Keyword if byte.is_ascii_lowercase() => Step::Shift(State::Keyword),
        State::Keyword => Step::EndBefore(Kind::Keyword),
        _ => number(state, byte),
    }
}

fn begin(byte: u8) -> Step {
    match byte {
        b' ' | b'\t' | b'\r' | b'\n' => Step::Skip(State::Between),
        b'{' => Step::End(Kind::LeftBrace),
        b'}' => Step::End(Kind::RightBrace),
        b'[' => Step::End(Kind::LeftBracket),
        b']' => Step::End(Kind::RightBracket),
        b':' => Step::End(Kind::Colon),
        b',' => Step::End(Kind::Comma),
        b'"' | b'\'' => Step::Shift(State::String { quote: byte }),
        b'-' => Step::Shift(State::Minus),
        b'0' => Step::Shift(State::Zero),
        b'1'..=b'9' => Step::Shift(State::Digits),
        b'a'..=b'z' => Step::Shift(State::Keyword),
        _ => Step::Stray,
    }
}

fn recover(byte: u8) -> Step {
    match byte {
        b'\t' => Step::Skip(State::Recovery),
        b'{' | b'}' | b'[' | b']' | b':' | b',' | 0..0x20 | 0xFE.. => Step::Recovered,
        _ => Step::Skip(State::Recovery),
    }
}

fn number(state: State, byte: u8) -> Step {
    match (state, byte) {
        (State::Minus, b'0') => Step::Shift(State::Zero),
        (State::Minus, b'1'..=b'9') => Step::Shift(State::Digits),
        (State::Digits, b'0'..=b'9') => Step::Shift(State::Digits),
        (State::Zero, b'0'..=b'9') => Step::Stray,
        (State::Zero | State::Digits, b'.') => Step::Shift(State::Point),
        (State::Point | State::Fraction, b'0'..=b'9') => Step::Shift(State::Fraction),
        (State::Digits | State::Fraction, b'e' | b'E') => Step::Shift(State::Exponent),
        (State::Exponent, b'+' | b'-') => Step::Shift(State::ExponentSign),
        (State::Exponent | State::ExponentSign | State::ExponentDigits, b'0'..=b'9') => {
            Step::Shift(State::ExponentDigits)
        }
        (State::Zero | State::Digits, _) => Step::EndBefore(Kind::Integer),
        (State::Fraction | State::ExponentDigits, _) => Step::EndBefore(Kind::Float),
        _ => Step::Stray,
    }
}
