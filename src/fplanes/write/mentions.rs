//! Which tracks a source names, as it is kept with the source.
//!
//! Words separated by blanks: the letter of a layer and a slot, such as `m013`; or the letter and `*` for all slots, those
//! that come to be known later among them: so says a file that is the whole plane.

use std::collections::BTreeSet;

use crate::fplanes::model::{Claims, Layer, Track};

const fn letter(layer: Layer) -> char {
    match layer {
        Layer::Mapping => 'm',
        Layer::Nominal => 'n',
        Layer::Measured => 'p',
        Layer::Special => 's',
    }
}

/// The layers of which something is said.
pub(super) fn layers(claims: &Claims) -> BTreeSet<Layer> {
    claims.facts.keys().map(|track| track.layer).collect()
}

/// Layers as a number: a bit for each.
pub(super) fn mask(layers: impl IntoIterator<Item = Layer>) -> i64 {
    let bit = |layer| match layer {
        Layer::Mapping => 1,
        Layer::Nominal => 2,
        Layer::Measured => 4,
        Layer::Special => 8,
    };
    layers.into_iter().map(bit).fold(0, |mask, bit| mask | bit)
}

/// The tracks that claims name.
pub(super) fn write(claims: &Claims) -> String {
    let words: Vec<String> = if claims.is_whole {
        let layers = layers(claims).into_iter();
        layers.map(|layer| format!("{}*", letter(layer))).collect()
    } else {
        let tracks = claims.facts.keys();
        tracks.map(word).collect()
    };
    words.join(" ")
}

fn word(track: &Track) -> String {
    format!("{}{}", letter(track.layer), track.ifuslot)
}

/// The tracks that a source names.
pub(super) struct Mentions<'a>(BTreeSet<&'a str>);

impl<'a> Mentions<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        Self(text.split(' ').collect())
    }

    /// Is this track among them?
    pub(super) fn names(&self, track: &Track) -> bool {
        let all = match track.layer {
            Layer::Mapping => "m*",
            Layer::Nominal => "n*",
            Layer::Measured => "p*",
            Layer::Special => "s*",
        };
        self.0.contains(all) || self.0.contains(word(track).as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(layer: Layer, ifuslot: &str) -> Track {
        Track {
            layer,
            ifuslot: ifuslot.to_owned(),
        }
    }

    #[test]
    fn a_source_names_what_it_tells_of_and_a_whole_one_all_slots() {
        let mut claims = Claims::default();
        for layer in [Layer::Measured, Layer::Special] {
            claims.facts.insert(track(layer, "013"), None);
        }
        let text = write(&claims);
        assert_eq!(text, "p013 s013");
        let mentions = Mentions::read(&text);
        assert!(mentions.names(&track(Layer::Measured, "013")));
        assert!(!mentions.names(&track(Layer::Measured, "014")));
        assert!(!mentions.names(&track(Layer::Mapping, "013")));
        claims.is_whole = true;
        let text = write(&claims);
        assert_eq!(text, "p* s*");
        let mentions = Mentions::read(&text);
        assert!(mentions.names(&track(Layer::Measured, "014")));
        assert!(!mentions.names(&track(Layer::Nominal, "013")));
        assert!(!Mentions::read("").names(&track(Layer::Nominal, "013")));
    }

    #[test]
    fn each_layer_has_its_own_letter_for_all_slots() {
        for layer in Layer::ALL {
            let mut claims = Claims {
                is_whole: true,
                ..Claims::default()
            };
            claims.facts.insert(track(layer, "013"), None);
            let text = write(&claims);
            let named = Layer::ALL.map(|it| Mentions::read(&text).names(&track(it, "021")));
            assert_eq!(named, Layer::ALL.map(|it| it == layer));
        }
    }
}
