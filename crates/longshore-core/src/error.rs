//! The error every boundary of Longshore speaks: what kind, what, where, what to do next, and the cause.

use std::error::Error as StdError;
use std::fmt;

/// A result with Longshore's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller does differently about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command, the configuration or an argument is wrong (exit status 2).
    Config,
    /// The input could not be read, or is not what it should be.
    Input,
    /// A value or a name cannot be stored.
    Data,
    /// The destination refused or broke; trying the same again will not help.
    Destination,
    /// The destination was busy or unreachable; the same again may succeed.
    Unavailable,
    /// Another run holds the pipeline or the destination.
    Busy,
    /// The working folder is damaged, full or cannot be written.
    Storage,
    /// Counts do not agree: the load is not trusted.
    Integrity,
    /// A bug in Longshore.
    Internal,
}

/// An error: a message, the places it is about, a hint, and the cause.
///
/// Holds no secret and no value of a row, unless a caller puts one there on purpose.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error with a message in lower case and without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), context: Vec::new(), hint: None, source: None }
    }

    /// Adds a place: `("table", "orders")`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        let place = (key, value.to_string());
        if !self.context.contains(&place) {
            self.context.push(place);
        }
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the message without places and cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the places, outermost last.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// Returns what to do next, if the error knows.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns true when the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Busy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (i, (key, value)) in self.context.iter().enumerate() {
            write!(f, "{}{key} {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

/// Short constructors, one a kind that is often made.
impl Error {
    /// Wrong usage or configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, message)
    }
    /// Unreadable or malformed input.
    pub fn input(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Input, message)
    }
    /// A refusal of the destination.
    pub fn destination(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Destination, message)
    }
    /// Trouble with the working folder.
    pub fn storage(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Storage, message)
    }
    /// A bug.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Internal, message)
    }
}
