//! Collects the members of a JSON body or the parameters of a query, with every error, so that a response lists all errors at once.

use domain::{Error, FieldError};
use serde_json::{Map, Value};

use crate::urlencoded::decode;

/// The longest unknown name that a message repeats, in characters.
const MAX_QUOTED: usize = 64;
/// The number of unknown names, and of malformed parameters, that a response lists.
const MAX_LISTED: usize = 100;

/// The members that are not taken yet, and the errors found so far.
pub(crate) struct Input {
    rest: Map<String, Value>,
    errors: Vec<FieldError>,
    /// The message for a name that no reader takes.
    unknown: &'static str,
}

impl Input {
    /// The members of a body. Any value but an object is an error.
    pub(crate) fn from_body(body: Value) -> Self {
        let mut input = Self {
            rest: Map::new(),
            errors: Vec::new(),
            unknown: "Is not a field of this body",
        };
        match body {
            Value::Object(members) => input.rest = members,
            _ => input.note(FieldError::new("body", "Must be an object")),
        }
        input
    }

    /// The parameters of a query string. A repeated or malformed one is an error.
    pub(crate) fn from_query(query: &str) -> Self {
        let mut input = Self {
            rest: Map::new(),
            errors: Vec::new(),
            unknown: "Is not a parameter of this",
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if input.errors.len() >= MAX_LISTED {
                break;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name.as_bytes()), decode(value.as_bytes()))
            else {
                input.note(quoted(
                    name,
                    "Must be percent-encoded UTF-8; write % as %25",
                ));
                continue;
            };
            if input.rest.contains_key(&name) {
                input.note(quoted(&name, "Must be given once"));
            } else {
                input.rest.insert(name, Value::String(value));
            }
        }
        input
    }

    /// Whether the member `name` is present and not taken yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Takes the member `name`; `None` if it is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name)
    }

    /// Takes and parses the text `name`. `None` if it is absent or invalid; an invalid text adds an error.
    pub(crate) fn text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.take(name)? {
            Value::String(text) => match parse(&text) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.note(FieldError::new(name, error.to_string()));
                    None
                }
            },
            _ => {
                self.note(FieldError::new(name, "Must be a string"));
                None
            }
        }
    }

    /// As [`Self::text`]; absence is an error.
    pub(crate) fn required_text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.has(name) {
            self.note(FieldError::new(name, "Must be a string"));
        }
        self.text(name, parse)
    }

    /// As [`Self::text`]; `null` counts as absent.
    pub(crate) fn nullable_text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.text_unless(name, Value::is_null, parse)
    }

    /// As [`Self::text`]; an empty text counts as absent.
    pub(crate) fn non_empty_text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.text_unless(name, |value| value == "", parse)
    }

    fn text_unless<T, E: ToString>(
        &mut self,
        name: &str,
        is_absent: impl FnOnce(&Value) -> bool,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.rest.get(name).is_some_and(is_absent) {
            self.rest.remove(name);
        }
        self.text(name, parse)
    }

    /// Adds an error.
    pub(crate) fn note(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// Returns `value` if there is no error and every member was taken.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every error, unknown names last.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        let unknown = self.rest.keys().take(MAX_LISTED);
        let unknown: Vec<_> = unknown.map(|name| quoted(name, self.unknown)).collect();
        self.errors.extend(unknown);
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self.errors)),
        }
    }
}

fn quoted(name: &str, message: &str) -> FieldError {
    FieldError::new(name.chars().take(MAX_QUOTED).collect::<String>(), message)
}
