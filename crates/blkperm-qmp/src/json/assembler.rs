//! Tokens to top-level values.
//!
//! QEMU collects the tokens of a message until its brackets and braces balance, in number only, and
//! then parses them. So a byte which begins no token is reported in place of a mistake in an
//! earlier token of the same message, and after such a mistake the rest of the message is passed
//! over. Here values are built as tokens come, so that a message takes no more memory than its
//! value; a mistake is kept until the counts balance.

use serde_json::{Map, Number, Value};

use super::lexer::{Kind, Token};
use super::{Item, JsonError, Located, MAX_BYTES, MAX_NESTING, MAX_TOKENS, Position, Span, text};

/// A container which is not complete.
#[derive(Debug)]
enum Frame {
    List(Vec<Value>),
    Dict { members: Map<String, Value>, key: Option<(String, Span)> },
}

/// What the next token may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expect {
    /// A value; a key counts as one until it is complete.
    #[default]
    Value,
    /// A value, or the end of the container that has just begun.
    ValueOrEnd,
    /// A comma, or the end of the container.
    Separator,
    Colon,
}

/// The message that is being read.
#[derive(Debug, Default)]
struct Message {
    braces: i64,
    brackets: i64,
    bytes: usize,
    tokens: usize,
    start: Position,
    stack: Vec<Frame>,
    expect: Expect,
    outcome: Option<Result<Value, JsonError>>,
}

/// Puts tokens together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    message: Message,
}

impl Assembler {
    /// Takes a token; yields the message if it is complete.
    pub(super) fn token(&mut self, token: Token<'_>) -> Option<Item> {
        let message = &mut self.message;
        if message.tokens == 0 {
            message.start = token.span.start;
        }
        message.count(token.kind);
        if let Err(error) = message.limit(&token) {
            self.message = Message::default();
            return Some(Err(error));
        }
        if message.outcome.is_none()
            && let Err(error) = message.accept(&token)
        {
            message.outcome = Some(Err(error));
            message.stack = Vec::new();
        }
        let open = message.braces > 0 || message.brackets > 0;
        if open && message.braces >= 0 && message.brackets >= 0 {
            return None;
        }
        self.deliver(token.span.end)
    }

    /// Ends the text; reports the message that is not complete.
    pub(super) fn finish(&mut self, end: Position) -> Option<Item> {
        if self.message.tokens == 0 {
            return None;
        }
        self.deliver(end)
    }

    fn deliver(&mut self, end: Position) -> Option<Item> {
        let message = std::mem::take(&mut self.message);
        let at_end = Span { start: end, end };
        let outcome =
            message.outcome.unwrap_or_else(|| Err(JsonError::parse("premature EOI", at_end)));
        let span = Span { start: message.start, end };
        Some(outcome.map(|value| Located { value, span }))
    }
}

impl Message {
    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::LeftBrace => self.braces += 1,
            Kind::RightBrace => self.braces -= 1,
            Kind::LeftBracket => self.brackets += 1,
            Kind::RightBracket => self.brackets -= 1,
            _ => {}
        }
    }

    /// Refuses what breaks off the message at once.
    fn limit(&mut self, token: &Token<'_>) -> Result<(), JsonError> {
        if token.kind == Kind::Stray {
            let desc = format!("stray '{}'", text::decode_lossy(token.text));
            return Err(JsonError::parse(desc, token.span));
        }
        let exceeded = |what| Err(JsonError::new(what, token.span));
        self.bytes += token.text.len();
        self.tokens += 1;
        if self.bytes >= MAX_BYTES {
            exceeded("token size limit exceeded")
        } else if self.tokens > MAX_TOKENS {
            exceeded("token count limit exceeded")
        } else if self.braces + self.brackets > MAX_NESTING {
            exceeded("nesting depth limit exceeded")
        } else {
            Ok(())
        }
    }

    fn accept(&mut self, token: &Token<'_>) -> Result<(), JsonError> {
        match (self.expect, token.kind) {
            (Expect::Colon, Kind::Colon) => self.expect = Expect::Value,
            (Expect::Colon, _) => {
                return Err(JsonError::parse("missing : in object pair", token.span));
            }
            (Expect::Separator, Kind::Comma) => self.expect = Expect::Value,
            (Expect::Separator | Expect::ValueOrEnd, Kind::RightBrace | Kind::RightBracket) => {
                return self.close(token);
            }
            (Expect::Separator, _) => return Err(self.not_separator(token)),
            (Expect::Value | Expect::ValueOrEnd, Kind::LeftBrace) => {
                let members = Map::new();
                self.open(Frame::Dict { members, key: None });
            }
            (Expect::Value | Expect::ValueOrEnd, Kind::LeftBracket) => {
                self.open(Frame::List(Vec::new()))
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                let value = scalar(token)?;
                return self.attach(value, token.span);
            }
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame) {
        self.stack.push(frame);
        self.expect = Expect::ValueOrEnd;
    }

    /// Ends the innermost container, if the token is its end.
    fn close(&mut self, token: &Token<'_>) -> Result<(), JsonError> {
        let value = match (self.stack.pop(), token.kind) {
            (Some(Frame::List(elements)), Kind::RightBracket) => Value::Array(elements),
            (Some(Frame::Dict { members, .. }), Kind::RightBrace) => Value::Object(members),
            (frame, _) => {
                self.stack.extend(frame);
                return Err(match self.expect {
                    Expect::Separator => self.not_separator(token),
                    _ => JsonError::parse("expecting value", token.span),
                });
            }
        };
        self.attach(value, token.span)
    }

    fn not_separator(&self, token: &Token<'_>) -> JsonError {
        let container = match self.stack.last() {
            Some(Frame::Dict { .. }) => "dict",
            _ => "list",
        };
        JsonError::parse(format_args!("expected separator in {container}"), token.span)
    }

    /// Puts a complete value where it belongs; `span` is its last token.
    fn attach(&mut self, value: Value, span: Span) -> Result<(), JsonError> {
        self.expect = Expect::Separator;
        match self.stack.last_mut() {
            None => self.outcome = Some(Ok(value)),
            Some(Frame::List(elements)) => elements.push(value),
            Some(Frame::Dict { members, key }) => match (key.take(), value) {
                (None, Value::String(name)) => {
                    *key = Some((name, span));
                    self.expect = Expect::Colon;
                }
                (None, _) => return Err(JsonError::parse("key is not a string in object", span)),
                (Some((name, span)), _) if members.contains_key(&name) => {
                    return Err(JsonError::parse("duplicate key", span));
                }
                (Some((name, _)), value) => {
                    members.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

/// The value of a token that is one by itself.
fn scalar(token: &Token<'_>) -> Result<Value, JsonError> {
    match token.kind {
        Kind::String => text::decode(token.text).map(Value::String).map_err(|error| {
            let mut span = Span { start: token.span.start, end: token.span.start };
            span.start.advance(&token.text[..error.range.start]);
            span.end.advance(&token.text[..error.range.end]);
            JsonError::parse(error.desc, span)
        }),
        Kind::Integer | Kind::Float => Ok(Value::Number(number(token))),
        Kind::Keyword => match token.text {
            b"null" => Ok(Value::Null),
            b"true" => Ok(Value::Bool(true)),
            b"false" => Ok(Value::Bool(false)),
            other => {
                let desc = format!("invalid keyword '{}'", text::decode_lossy(other));
                Err(JsonError::parse(desc, token.span))
            }
        },
        _ => Err(JsonError::parse("expecting value", token.span)),
    }
}

/// The number of a token: an integer if it is written as one and fits, otherwise a finite float.
fn number(token: &Token<'_>) -> Number {
    let text = text::decode_lossy(token.text);
    let integer =
        || text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    if token.kind == Kind::Integer
        && let Ok(number) = integer()
    {
        return number;
    }
    // The lexer lets through only what `f64` can parse; what is too large for it becomes the
    // largest there is.
    let float: f64 = text.parse().unwrap_or_default();
    Number::from_f64(float.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| Number::from(0))
}
