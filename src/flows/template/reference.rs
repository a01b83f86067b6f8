//! References to parameters: `$[[name]]`, `$[[name ? then : otherwise]]` and `$[[name ? then]]`.

use std::fmt;

use serde::{Deserialize, Serialize};

const OPEN: &str = "$[[";
const CLOSE: &str = "]]";

/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The parameter.
    pub parameter: String,
    /// What its value decides between; without it, the value itself is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// The texts between which a parameter decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Choice {
    /// If it is true.
    pub then: String,
    /// If it is not. Without it there is nothing then, and not even an empty word.
    pub otherwise: Option<String>,
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Text(&'t str),
    Reference(Reference),
    /// A reference that cannot be read.
    Broken(&'static str),
}

impl Reference {
    /// The reference that a text is as a whole; none if it is something else.
    pub fn whole(text: &str) -> Option<Self> {
        let mut pieces = pieces(text);
        match (pieces.pop(), pieces.is_empty()) {
            (Some(Piece::Reference(reference)), true) => Some(reference),
            _ => None,
        }
    }

    /// What stands between the brackets.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, choice) = match text.split_once('?') {
            None => (text, None),
            Some((name, choice)) => {
                let (then, otherwise) = match choice.split_once(':') {
                    None => (choice, None),
                    Some((then, otherwise)) => (then, Some(otherwise.trim().to_owned())),
                };
                let then = then.trim().to_owned();
                (name, Some(Choice { then, otherwise }))
            }
        };
        let name = name.trim();
        if name.is_empty() {
            return Err("a reference names no parameter");
        }
        Ok(Self {
            parameter: name.to_owned(),
            choice,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}{}", self.parameter)?;
        if let Some(Choice { then, otherwise }) = &self.choice {
            write!(f, " ? {then}")?;
            if let Some(otherwise) = otherwise {
                write!(f, " : {otherwise}")?;
            }
        }
        f.write_str(CLOSE)
    }
}

/// The references in a text, and what stands between them.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let Some((inside, after)) = after.split_once(CLOSE) else {
            pieces.push(Piece::Broken("a reference is not closed by ]]"));
            return pieces;
        };
        pieces.push(match Reference::parse(inside) {
            Ok(reference) => Piece::Reference(reference),
            Err(why) => Piece::Broken(why),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_are_read() {
        let plain = Reference::whole("$[[ a ]]").unwrap();
        assert_eq!((plain.parameter.as_str(), &plain.choice), ("a", &None));
        let choice = Reference::whole("$[[log ? --log : --linear]]").unwrap();
        assert_eq!(choice.to_string(), "$[[log ? --log : --linear]]");
        let half = Reference::whole("$[[log ? --log]]").unwrap();
        assert_eq!(half.choice.unwrap().otherwise, None);
        for text in [
            "",
            "a",
            "$[[a]] ",
            "$[[a]]$[[b]]",
            "$[[]]",
            "$[[a",
            "$[[ ? b]]",
        ] {
            assert_eq!(Reference::whole(text), None, "{text:?}");
        }
        assert_eq!(pieces("x$[[a]]y").len(), 3);
        assert!(matches!(pieces("x$[[").as_slice(), [_, Piece::Broken(_)]));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "([a-z?: $\\[\\]]|\\$\\[\\[|\\]\\]|\\PC){0,40}") {
            let mut length = 0;
            for piece in pieces(&text) {
                if let Piece::Text(text) = piece {
                    length += text.len();
                }
            }
            prop_assert!(length <= text.len());
        }
    }
}
