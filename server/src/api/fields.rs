//! The fields of a body, taken out one by one: what is wrong with them is collected and said all at once.

use domain::{Error, FieldError};
use serde_json::{Map, Value};

/// The longest name of an unknown field that a message repeats, in characters.
const MAX_QUOTED: usize = 64;
/// How many unknown fields are named; further ones are as wrong, and an answer is no mirror.
const MAX_UNKNOWN: usize = 100;

/// The fields of a body that are not taken yet, and what is wrong with those that are.
pub(crate) struct Fields {
    rest: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// The fields of `body`. One that is no object has none, and that is an error.
    pub(crate) fn of(body: Value) -> Self {
        match body {
            Value::Object(rest) => Self {
                rest,
                errors: Vec::new(),
            },
            _ => Self {
                rest: Map::new(),
                errors: vec![FieldError::new("body", "Must be an object")],
            },
        }
    }

    /// Whether the field `name` is there and not taken yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Takes the field `name`; `None` where it is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name)
    }

    /// Takes the text of the field `name`, where it is there and `parse` accepts it; else notes what is wrong.
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

    /// As [`Self::text`], where the field may not be absent.
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

    /// As [`Self::text`], where `null` is as good as absent.
    pub(crate) fn nullable_text<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.rest.get(name).is_some_and(Value::is_null) {
            self.rest.remove(name);
        }
        self.text(name, parse)
    }

    /// Something is wrong with a field.
    pub(crate) fn note(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// `value` is what the body says, unless something is wrong with it: an error that was noted, or a field that nobody took.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all of it.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        let unknown = self.rest.keys().take(MAX_UNKNOWN).map(|name| {
            let name = name.chars().take(MAX_QUOTED).collect::<String>();
            FieldError::new(name, "Is not a field of this body")
        });
        self.errors.extend(unknown);
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self.errors)),
        }
    }
}
